"""What an AI tool tries in order to get free of its limits, also as a Settings administrator with full access."""

import json
import logging

from odoo.exceptions import AccessDenied
from odoo.tests import tagged

from ..gateway.auth import credentials
from ..gateway.policy import call_rules
from .gateway_common import GatewayCase, GatewayHttpCase, call, create, request, search, write

PASSWORD = "a-password-of-24-letters"


class WaysOutCase(GatewayCase):
    def tried(self, *steps, **changes):
        return self.fault(*steps, mode="run", **changes)

    def run_code(self, code, model="res.partner"):
        """A call that runs server code. An administrator has made it in Odoo: no AI tool may leave such code behind."""
        action = self.env["ir.actions.server"].create(
            {"name": "mcp", "model_id": self.env["ir.model"]._get_id(model), "state": "code", "code": code}
        )
        return call("ir.actions.server", "run", action.ids)

    def can_log_in(self, user, password):
        try:
            credential = {"login": user.login, "password": password, "type": "password"}
            user.with_user(user)._check_credentials(credential, {"interactive": True})
        except AccessDenied:
            return False
        return True


@tagged("-at_install", "post_install")
class TestWaysIn(WaysOutCase):
    """A password or key of Odoo would know neither scope nor switch, and outlive the connection."""

    def test_no_password_is_set(self):
        own, other = self.settings_admin.id, self.user.id
        line = [0, 0, {"user_id": other, "new_passwd": PASSWORD}]
        wizard = self.run_one(create("change.password.wizard", {"user_ids": [line]}), mode="write")
        for step in (
            write("res.users", [own], password=PASSWORD),
            write("res.users", [other], password=PASSWORD),
            call("res.users", "write", [own], {"password": PASSWORD}),
            call("change.password.wizard", "change_password_button", [wizard["records"][0]["id"]]),
            create("res.users", {"name": "x", "login": "mcp_test_new", "password": PASSWORD}),
            self.run_code(f"env.user.write({{'password': '{PASSWORD}'}})"),
        ):
            with self.subTest(step):
                self.assert_fault(self.tried(step), "access_denied", model="res.users")
        self.assertFalse(self.can_log_in(self.settings_admin, PASSWORD) or self.can_log_in(self.user, PASSWORD))
        self.assertTrue(self.can_log_in(self.user, self.user.login))

    def test_no_password_is_guessed(self):
        credential = {"login": self.system.login, "password": self.system.login, "type": "password"}
        for step in (
            call("res.users", "authenticate", [], credential, {"interactive": True}),
            call("res.users", "change_password", [], self.user.login, PASSWORD),
        ):
            fault = self.tried(step, proof=self.user_proof)
            self.assert_fault(fault, "method_denied", model="res.users", method=step["method"])
        # right and wrong look alike, whichever way they are tried
        for password in (self.system.login, "wrong"):
            told = {**credential, "password": password}
            step = self.run_code(f"env['res.users'].authenticate({told!r}, {{'interactive': True}})")
            self.assert_fault(self.tried(step), "access_denied", model="res.users")
        self.assertTrue(self.can_log_in(self.user, self.user.login))

    def test_what_leads_to_a_password_is_refused_by_name(self):
        for name in call_rules.LOGIN_METHODS:
            for mode in ("read", "run"):
                fault = self.fault(call("res.partner", name, [self.user.partner_id.id]), mode=mode)
                self.assert_fault(fault, "method_denied", model="res.partner", method=name)

    def test_mail_that_resets_a_password_is_not_redirected(self):
        mail = {"email": "elsewhere@example.com"}
        self.user.email = "user@example.com"
        for step, proof in (
            (call("res.users", "write", [self.user.id], mail), self.user_proof),
            (write("res.partner", self.user.partner_id.ids, **mail), self.proof),
            (write("res.users", [self.user.id], **mail), self.proof),
        ):
            self.assert_fault(self.tried(step, proof=proof), "access_denied", model="res.partner", field="email")
        self.assertEqual(self.user.email, "user@example.com")
        # nor that of who is away for a moment
        archived = write("res.users", [self.user.id], active=False)
        step = write("res.partner", self.user.partner_id.ids, **mail)
        self.assert_fault(self.tried(archived, step), "access_denied", model="res.partner", field="email")
        # others are contacts like any
        self.execute(write("res.partner", self.portal.partner_id.ids, **mail), mode="write")
        self.execute(write("res.partner", self.user.partner_id.ids, email="user@example.com"), mode="write")

    def test_no_key_of_odoo_is_made(self):
        self.assert_fault(
            self.tried(self.run_code("env['res.users.apikeys']._generate(None, 'mcp', None)")),
            "access_denied",
            model="res.users.apikeys",
        )
        self.assertFalse(self.env["res.users.apikeys"].search([("user_id", "=", self.settings_admin.id)]))

    def test_people_are_still_made_and_changed(self):
        portal = self.env.ref("base.group_portal").ids
        values = {"name": "mcp-new", "login": "mcp_test_new", "group_ids": portal}
        made = self.run_one(create("res.users", values), mode="write")["records"][0]["id"]
        self.execute(write("res.users", [made], name="mcp-renamed"), mode="write")
        self.assertEqual(self.env["res.users"].browse(made).name, "mcp-renamed")


@tagged("-at_install", "post_install")
class TestOwnLimits(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings_admin.group_ids += cls.env.ref("mcp_sidecar.group_admin")

    def test_code_changes_nothing_of_the_server(self):
        for model, code in (
            ("mcp.connection", "env['mcp.connection'].sudo().search([]).write({'scope': 'full'})"),
            ("mcp.connection", "env['mcp.connection'].create_api_key('another')"),
            ("mcp.connection", "env['mcp.connection'].search([]).unlink()"),
            ("mcp.credential", "env['mcp.connection'].search([], limit=1).rotate_api_key()"),
            ("mcp.credential", "env['mcp.credential'].sudo().search([]).write({'expires_at': False})"),
            ("mcp.server.settings", "env['mcp.server.settings'].get_settings().write({'rate_limit_day': 0})"),
            ("res.users.apikeys", "env['mcp.server.settings'].generate_service_key()"),
        ):
            with self.subTest(code):
                connections = self.env["mcp.connection"].search_count([])
                self.assert_fault(self.tried(self.run_code(code)), "access_denied", model=model)
                self.assertEqual(self.env["mcp.connection"].search_count([]), connections)

    def test_an_import_changes_nothing_of_the_server(self):
        # Odoo answers what goes wrong in an import instead of raising it
        step = self.run_code("env['mcp.connection'].load(['name'], [['mcp-imported']])")
        self.execute(step, mode="run")
        self.assertFalse(self.env["mcp.connection"].search_count([("name", "=", "mcp-imported")]))

    def test_every_model_of_the_server_is_guarded(self):
        own = {
            name
            for name, model in self.env.registry.items()
            if model._original_module == call_rules.ADDON and not model._abstract and not model._transient
        }
        self.assertTrue(own)
        for name in own:
            self.assertIn("mcp.protected.mixin", self.env.registry[name]._inherit_module, name)

    def test_notes_are_not_seen_even_by_an_administrators_tool(self):
        connection, key = self.connect(self.settings_admin, name="Watched")
        proof = credentials.proof(key)
        connection.notes = "mcp-secret"
        session_of = [("connection_id.notes", "ilike", "mcp-secret")]
        self.assertEqual(connection.with_user(self.settings_admin).notes, "mcp-secret")
        mine = [("id", "=", connection.id)]
        result = self.run_one(search("mcp.connection", mine, ["name", "notes"]), proof=proof)
        self.assertEqual(result["skipped_fields"], ["notes"])
        self.assertNotIn("notes", result["records"][0])
        everything = self.run_one(search("mcp.connection", mine, None), proof=proof)
        self.assertNotIn("mcp-secret", json.dumps(everything))
        for step in (
            search("mcp.connection", [("notes", "ilike", "mcp-secret")]),
            search("mcp.connection", order="notes"),
            search("mcp.session", session_of, ["client"]),
        ):
            with self.subTest(step):
                self.assertIn(self.fault(step, proof=proof).code, ("access_denied", "unknown_field", "invalid_domain"))
        fields = self.ask("schema", {"proof": proof, "lang": None, "models": ["mcp.connection"]})["fields"]
        names = {field["name"] for field in fields["mcp.connection"]}
        self.assertIn("allowed_tools", names)
        self.assertNotIn("notes", names)

    def test_an_answer_is_not_repeated_to_a_connection_that_may_do_less(self):
        connection, key = self.connect(self.settings_admin)
        proof = credentials.proof(key)
        asked = request(proof, create("res.partner", {"name": "mcp-once"}), mode="write", idempotency_key="k")
        self.ask("execute", asked)
        for changes, code in (({"scope": "read_only"}, "read_only"), ({"allowed_tools": "other"}, "tool_denied")):
            connection.write(changes)
            self.assertEqual(self.refused(lambda: self.ask("execute", asked)).code, code)
            connection.write({"scope": "full", "allowed_tools": False})
        self.assertTrue(self.ask("execute", asked)["replayed"])


@tagged("-at_install", "post_install")
class TestLog(GatewayHttpCase):
    def test_no_proof_enters_the_log(self):
        with self.assertLogs("odoo.service.model", logging.DEBUG) as logged:
            self.execute(search("res.partner"))
            self.refused(lambda: self.ask("authenticate", {"proof": "0" * 64, "ip": None}))
            self.rpc(self.user, "res.partner", "search_count", [["name", "=", "shown"]])
        text = "\n".join(logged.output)
        self.assertIn("execute(…)", text)
        self.assertIn("shown", text)
        for proof in (self.proof, "0" * 64):
            self.assertNotIn(json.dumps(proof), text)
            self.assertNotIn(proof, text)
