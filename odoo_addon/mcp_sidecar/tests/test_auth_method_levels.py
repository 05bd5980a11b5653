"""The level of methods of a connection: who may choose which, and what each of them lets a call do."""

import importlib.util
from pathlib import Path

from odoo.exceptions import AccessError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..gateway.auth import method_levels
from .common import McpCase, McpHttpCase
from .gateway_common import GatewayCase, call, search, write

ONLY_SETTINGS = "Only a Settings administrator"


@tagged("-at_install", "post_install")
class TestMethodLevel(McpCase):
    def level(self, user, **values):
        connection, _key = self.connect(user)
        connection.write(values)
        return connection

    # === What a new connection gets ===

    def test_a_new_connection_presses_buttons(self):
        for person, user in ((self.admin, self.admin), (self.system, self.user)):
            self.env["mcp.connection"].with_user(person).create_api_key("By key", user.id)
            self.assertEqual(self.env["mcp.connection"].search([("name", "=", "By key")])[:1].method_level, "buttons")
        granted = self.env["mcp.connection"].create({"name": "Grant", "user_id": self.user.id, "kind": "oauth"})
        self.assertEqual(granted.method_level, "buttons")

    def test_with_allowed_models_it_calls_nothing_unless_that_is_said(self):
        values = {"name": "Confined", "user_id": self.user.id}
        chosen, unlisted = {"method_level": "buttons"}, {"allowed_models": " \n"}
        for given, level in (({}, "none"), (chosen, "buttons"), (unlisted, "buttons")):
            made = self.env["mcp.connection"].create({**values, "allowed_models": "res.partner", **given})
            self.assertEqual(made.method_level, level)

    def test_a_list_that_begins_takes_methods_away(self):
        plain, listed = self.level(self.user, method_level="any"), self.level(self.user, allowed_models="res.country")
        listed.method_level = "buttons"
        (plain | listed).write({"allowed_models": "res.partner"})
        self.assertEqual((plain.method_level, listed.method_level), ("none", "buttons"))
        plain.write({"allowed_models": False})
        self.assertEqual(plain.method_level, "none")
        both = self.level(self.user, allowed_models="res.partner", method_level="buttons")
        self.assertEqual(both.method_level, "buttons")

    def test_the_open_form_shows_it(self):
        connection = self.level(self.admin)
        with Form(connection.with_user(self.admin)) as form:
            form.allowed_models = "res.partner"
            self.assertEqual(form.method_level, "none")
            form.method_level = "buttons"
        self.assertEqual((connection.allowed_models, connection.method_level), ("res.partner", "buttons"))

    # === Any method: Settings administrators only, whichever way ===

    def assert_only_settings(self, action):
        with self.assertRaisesRegex(AccessError, ONLY_SETTINGS), self.env.cr.savepoint():
            action()

    def test_only_a_settings_administrator_allows_any_method(self):
        for before in ({}, {"method_level": "none"}, {"scope": "read_only"}, {"allowed_models": "res.partner"}):
            with self.subTest(before):
                own = self.level(self.admin, **before)
                self.assert_only_settings(lambda own=own: own.with_user(self.admin).write({"method_level": "any"}))
                self.assertNotEqual(own.method_level, "any")
                own.with_user(self.system).write({"method_level": "any"})
                self.assertEqual(own.method_level, "any")

    def test_a_reading_connection_that_was_to_call_any_is_not_opened_by_its_user(self):
        own = self.level(self.admin, scope="read_only", method_level="any")
        self.assert_only_settings(lambda: own.with_user(self.admin).write({"scope": "full"}))
        own.with_user(self.admin).write({"scope": "full", "method_level": "buttons"})
        self.assertEqual(own.method_level, "buttons")

    def test_neither_made_nor_copied_nor_imported(self):
        connections = self.env["mcp.connection"].with_user(self.admin)
        values = {"name": "Any", "user_id": self.admin.id, "method_level": "any"}
        self.assert_only_settings(lambda: connections.create(values))
        self.assert_only_settings(lambda: connections.create([{**values, "method_level": "none"}, values]))
        own = self.level(self.admin, method_level="any")
        self.assert_only_settings(lambda: own.with_user(self.admin).copy())
        lines = [["Any", self.admin.login, "any"]]
        answer = connections.load(["name", "user_id", "method_level"], lines)
        self.assertFalse(answer["ids"])
        self.assertIn(ONLY_SETTINGS, answer["messages"][0]["message"])
        self.assertEqual(self.env["mcp.connection"].search_count([("name", "=", "Any")]), 0)
        self.assertEqual(connections.with_user(self.system).create(values).method_level, "any")

    def test_what_is_any_already_can_be_changed_and_lowered_by_its_user(self):
        own = self.level(self.admin, method_level="any").with_user(self.admin)
        own.write({"name": "Renamed", "method_level": "any"})
        own.write({"method_level": "none"})
        own.write({"method_level": "buttons"})
        self.assert_only_settings(lambda: own.write({"method_level": "any"}))

    def test_the_wizard_offers_what_may_be_chosen(self):
        for person, offered in ((self.admin, ["none", "buttons"]), (self.system, ["none", "buttons", "any"])):
            wizards = self.env["mcp.connect.wizard"].with_user(person)
            named = wizards.fields_get(["method_level"])["method_level"]["selection"]
            self.assertEqual([level for level, _name in named], offered)
            wizard = Form(wizards)
            wizard.auth_method, wizard.name = "api_key", f"By {person.login}"
            self.assertEqual(wizard.method_level, "buttons")
            wizard.method_level = offered[-1]
            wizard.save().action_save()
            made = self.env["mcp.connection"].search([("name", "=", f"By {person.login}")])
            self.assertEqual(made.method_level, offered[-1])
        # and the connection is refused, independent of the wizard's values
        wizards = self.env["mcp.connect.wizard"].with_user(self.admin)
        wizard = wizards.create({"name": "Any", "auth_method": "api_key", "method_level": "any"})
        self.assert_only_settings(wizard.action_save)

    def test_the_form_offers_what_may_be_chosen(self):
        for person, widget in ((self.admin, "filterable_selection"), (self.system, "radio")):
            view = self.env["mcp.connection"].with_user(person).get_view(view_type="form")["arch"]
            self.assertEqual(view.count('name="method_level"'), 1)
            self.assertIn(widget, view[view.index('name="method_level"') :][:80])

    def test_levels_are_ordered(self):
        ordered = [(a, b) for a in method_levels.LEVELS for b in method_levels.LEVELS if method_levels.is_wider(a, b)]
        self.assertEqual(ordered, [("none", "buttons"), ("none", "any"), ("buttons", "any")])
        for scope, stored, effective in (
            ("full", "any", "any"),
            ("full", "buttons", "buttons"),
            ("read_only", "any", "none"),
            ("full", "press", "none"),
            ("full", None, "none"),
        ):
            self.assertEqual(method_levels.effective(scope, stored), effective)


@tagged("-at_install", "post_install")
class TestMethodLevelRpc(McpHttpCase):
    @mute_logger("odoo.http")
    def test_it_is_refused_over_rpc(self):
        connection, _key = self.connect(self.admin)
        with self.assertRaisesRegex(Exception, ONLY_SETTINGS):
            self.rpc(self.admin, "mcp.connection", "write", [connection.id], {"method_level": "any"})
        with self.assertRaisesRegex(Exception, ONLY_SETTINGS):
            self.rpc(self.admin, "mcp.connection", "web_save", [connection.id], {"method_level": "any"}, {})
        connection.invalidate_recordset()
        self.assertEqual(connection.method_level, "buttons")
        self.rpc(self.system, "mcp.connection", "write", [connection.id], {"method_level": "any"})
        connection.invalidate_recordset()
        self.assertEqual(connection.method_level, "any")


@tagged("-at_install", "post_install")
class TestMethodLevelCalls(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.none = cls.proof_of(cls.settings_admin, level="none")
        cls.buttons = cls.proof_of(cls.settings_admin, level="buttons")
        cls.partner = cls.env["res.partner"].create({"name": "mcp-one", "ref": "mcp"})

    def test_none_runs_nothing(self):
        for method, arguments in (("action_archive", []), ("name_create", ["x"]), ("search_read", []), ("no_such", [])):
            step = call("res.partner", method, self.partner.ids if not arguments else [], *arguments)
            fault = self.fault(step, proof=self.none, mode="run", tool="execute_method")
            self.assert_fault(fault, "tool_denied", tool="execute_method", level="none")
            self.assertIn("Method Level", fault.message)
        # whatever the steps are
        self.assert_fault(self.fault(search("res.partner"), proof=self.none, mode="run"), "tool_denied", level="none")
        self.assertTrue(self.partner.active)

    def test_none_reads_and_writes_as_ever(self):
        self.run_one(search("res.partner"), proof=self.none)
        self.run_one(write("res.partner", self.partner.ids, ref="x"), proof=self.none, mode="write")
        self.assertEqual(self.partner.ref, "x")
        result = self.run_one(call("res.partner", "fields_get", [], ["name"]), proof=self.none)["result"]
        self.assertIn("name", result)
        fault = self.fault(call("res.partner", "address_get", self.partner.ids), proof=self.none)
        self.assert_fault(fault, "method_denied", model="res.partner", method="address_get")

    def test_any_calls_each_public_method(self):
        result = self.run_one(call("res.partner", "name_create", [], "mcp-new"), mode="run")["result"]
        self.assertTrue(result)
        fault = self.fault(call("res.partner", "name_create", [], "mcp-x"), mode="run", proof=self.buttons)
        self.assert_fault(fault, "method_denied", model="res.partner", method="name_create", level="buttons")

    def test_a_connection_that_reads_has_no_level(self):
        proof = self.proof_of(self.settings_admin, "read_only", "any")
        document = self.ask("authenticate", {"proof": proof, "ip": None})["connection"]
        self.assertEqual((document["method_level"], document["allow_methods"]), ("none", False))
        self.assertEqual(self.run_one({"op": "session"}, proof=proof)["method_level"], "none")
        fault = self.fault(call("res.partner", "action_archive", self.partner.ids), proof=proof, mode="run")
        self.assert_fault(fault, "read_only")

    def test_what_is_told_of_the_level(self):
        for level, proof in (("none", self.none), ("buttons", self.buttons), ("any", self.proof)):
            document = self.ask("authenticate", {"proof": proof, "ip": None})["connection"]
            self.assertEqual((document["method_level"], document["allow_methods"]), (level, level != "none"))
            self.assertEqual(self.run_one({"op": "session"}, proof=proof)["method_level"], level)

    def test_the_level_is_that_of_the_call_that_runs(self):
        seen, levels_seen = [], []
        partners = self.env.registry["res.partner"]
        address_get = partners.address_get

        def watched(records, adr_pref=None):
            return seen.append(method_levels.level(records.env.cr)) or address_get(records)

        self.patch(partners, "address_get", watched)
        for proof in (self.proof, self.buttons, self.proof):
            self.run_one(call("res.partner", "address_get", self.partner.ids), mode="run", proof=proof)
            # Odoo may call it as well, to compute what the answer compares
            levels_seen.append(set(seen))
            seen.clear()
        self.fault(call("res.partner", "no_such", self.partner.ids), mode="run")
        self.assertEqual((levels_seen, method_levels.level(self.env.cr)), ([{"any"}, {"buttons"}, {"any"}], None))

    def test_a_change_counts_with_the_next_call(self):
        step = call("res.partner", "name_create", [], "mcp-new")
        connection = self.env["mcp.connection"].search([], order="id desc", limit=1)
        self.fault(step, mode="run", proof=self.buttons)
        connection.method_level = "any"
        self.run_one(step, mode="run", proof=self.buttons)
        connection.method_level = "none"
        self.assert_fault(self.fault(step, mode="run", proof=self.buttons), "tool_denied")

    def test_an_answer_is_not_repeated_to_a_connection_that_runs_nothing_now(self):
        step = call("res.partner", "address_get", self.partner.ids)
        changes = {"mode": "run", "proof": self.buttons, "idempotency_key": "k"}
        self.run_one(step, **changes)
        self.env["mcp.connection"].search([], order="id desc", limit=1).method_level = "none"
        self.assert_fault(self.fault(step, **changes), "tool_denied", level="none")


@tagged("-at_install", "post_install")
class TestMethodLevelMigration(McpCase):
    """From the table as it was before there were levels."""

    def migrate(self):
        path = Path(__file__).parents[1] / "migrations" / "19.0.1.1.0" / "pre-method_level.py"
        spec = importlib.util.spec_from_file_location("migration", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.migrate(self.env.cr, "19.0.1.0.0")

    def test_each_connection_keeps_what_it_had_in_effect(self):
        cases = [
            ("full", None, None, "any"),
            ("full", None, False, "any"),
            ("full", "", True, "any"),
            ("full", " \n\t", False, "any"),
            ("full", "res.partner", False, "none"),
            ("full", "res.partner", None, "none"),
            ("full", "\nres.partner\nres.users", True, "any"),
            ("read_only", None, None, "buttons"),
            ("read_only", "res.partner", False, "none"),
        ]
        made = [self.connect(self.user)[0].id for _case in cases]
        self.env.flush_all()
        self.env.cr.execute("ALTER TABLE mcp_connection ADD COLUMN allow_execute_method boolean")
        self.env.cr.execute("ALTER TABLE mcp_connection DROP COLUMN method_level")
        for connection_id, (scope, models, allowed, _level) in zip(made, cases, strict=True):
            self.env.cr.execute(
                "UPDATE mcp_connection SET scope = %s, allowed_models = %s, allow_execute_method = %s WHERE id = %s",
                [scope, models, allowed, connection_id],
            )
        self.migrate()
        # and a second time changes nothing
        self.env.cr.execute("UPDATE mcp_connection SET allow_execute_method = NOT allow_execute_method")
        self.migrate()
        self.env.invalidate_all()
        found = self.env["mcp.connection"].browse(made).mapped("method_level")
        self.assertEqual(found, [level for *_case, level in cases])
        self.env.cr.execute("SELECT count(*) FROM mcp_connection WHERE method_level IS NULL")
        self.assertEqual(self.env.cr.fetchone(), (0,))
