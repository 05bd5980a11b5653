from lxml import etree
from psycopg2.errors import CheckViolation, UniqueViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..models.mcp_server_settings import BOUNDS
from .common import McpCase, McpHttpCase

DEFAULTS = {
    "enabled": False,
    "rate_limit_minute": 60,
    "rate_limit_day": 10000,
    "access_token_timeout": 3600,
    "refresh_token_timeout": 2592000,
    "refresh_token_grace": 60,
    "allow_dynamic_registration": True,
    "enable_event_streaming": True,
    "enable_report_generation": True,
    "audit_retention_days": 90,
    "log_payloads": False,
    "idle_after_days": 7,
    "settings_max_age": 300,
}


@tagged("-at_install", "post_install")
class TestSettings(McpCase):
    def test_defaults_are_those_of_the_specification(self):
        names = list(DEFAULTS)
        self.assertEqual(
            self.env["mcp.server.settings"].default_get([n for n in names if n != "enabled"]),
            {name: value for name, value in DEFAULTS.items() if value is not False},
        )
        self.assertEqual(self.env["mcp.server.settings"].search_count([]), 1)

    def test_every_field_explains_itself(self):
        for model in (
            "mcp.server.settings",
            "mcp.connection",
            "mcp.credential",
            "mcp.connect.wizard",
            "mcp.audit.log",
            "mcp.audit.alarm",
            "mcp.audit.checkpoint",
            "mcp.audit.verify",
            "mcp.audit.verify.line",
            "mcp.session",
            "mcp.replica",
        ):
            for name, field in self.env[model]._fields.items():
                if name not in ("id", "display_name", "create_uid", "create_date", "write_uid", "write_date"):
                    self.assertTrue(field.help, f"{model}.{name} has no help text")

    def test_get_settings_answers_the_one_record(self):
        self.assertEqual(self.env["mcp.server.settings"].with_user(self.admin).get_settings(), self.settings)
        with self.assertRaises(AccessError):
            self.env["mcp.server.settings"].with_user(self.user).get_settings()

    def test_there_is_no_way_to_a_second_record(self):
        for person in (self.env.user, self.admin, self.system):
            settings = self.settings.with_user(person)
            for way in (
                lambda s=settings: s.create({}),
                lambda s=settings: s.create([{"enabled": True}, {}]),
                lambda s=settings: s.name_create("Second"),
                lambda s=settings: s.copy(),
                lambda s=settings: s.sudo().create({"singleton": False}),
                lambda s=settings: s.sudo().copy({"singleton": False}),
            ):
                with self.assertRaises(UserError):
                    way()
            result = settings.load(["enabled"], [["True"]])
            self.assertFalse(result["ids"])
            self.assertTrue(result["messages"])
        self.assertEqual(self.env["mcp.server.settings"].search_count([]), 1)

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_a_second_record_too(self):
        numbers = SQL(", ").join(SQL.identifier(name) for name in BOUNDS)
        ones = SQL(", ").join(SQL("1") for _name in BOUNDS)
        for singleton, refusal in ((True, UniqueViolation), (False, CheckViolation), (None, CheckViolation)):
            with self.assertRaises(refusal), self.env.cr.savepoint():
                self.env.cr.execute(
                    SQL("INSERT INTO mcp_server_settings (singleton, %s) VALUES (%s, %s)", numbers, singleton, ones)
                )

    def test_the_record_can_not_be_deleted(self):
        for person in (self.env.user, self.admin, self.system):
            with self.assertRaises(UserError):
                self.settings.with_user(person).unlink()
        with self.assertRaises(UserError):
            self.settings.with_user(self.system).sudo().unlink()

    def test_numbers_have_bounds(self):
        for name, (least, greatest) in BOUNDS.items():
            for value in (least, greatest):
                self.settings.write({name: value})
            for value in (least - 1, -1, greatest + 1):
                with self.assertRaises(ValidationError) as caught, self.env.cr.savepoint():
                    self.settings.write({name: value})
                self.assertIn(self.settings._fields[name].string, str(caught.exception))

    def test_what_is_no_number_is_refused(self):
        """Of an empty cell or field Odoo would make 0: no limit, or an audit log that is kept forever."""
        settings = self.settings.with_user(self.admin)
        for name in BOUNDS:
            for value in (False, None, True, "", "abc", "60", 1.5, [5], {}):
                with self.assertRaises(UserError) as caught, self.env.cr.savepoint():
                    settings.write({name: value})
                self.assertIn(self.settings._fields[name].string, str(caught.exception))
        with self.assertRaises(UserError), self.env.cr.savepoint():
            settings.write({"rate_limit_day": 2**40})
        settings.write({"rate_limit_minute": 0})
        self.assertEqual(settings.rate_limit_minute, 0)

    def test_a_form_does_not_take_an_empty_number_for_none(self):
        limits = ("rate_limit_minute", "rate_limit_day")
        for model, names in (("mcp.server.settings", BOUNDS), ("mcp.connection", limits)):
            arch = etree.fromstring(self.env[model].with_user(self.admin).get_view(view_type="form")["arch"])
            widgets = {field.get("name"): field.get("widget") for field in arch.iter("field")}
            self.assertEqual({widgets[name] for name in names}, {"mcp_number"})

    def test_an_import_with_an_empty_cell_is_refused(self):
        names, row = [".id", "rate_limit_minute", "audit_retention_days"], [str(self.settings.id), "5", ""]
        before = self.settings.rate_limit_minute, self.settings.audit_retention_days
        answer = self.settings.with_user(self.admin).load(names, [row])
        self.assertFalse(answer["ids"])
        self.assertIn("Audit Log Retention", answer["messages"][0]["message"])
        self.settings.invalidate_recordset()
        self.assertEqual((self.settings.rate_limit_minute, self.settings.audit_retention_days), before)
        self.assertTrue(self.settings.with_user(self.admin).load(names, [[*row[:2], "0"]])["ids"])
        self.assertEqual((self.settings.rate_limit_minute, self.settings.audit_retention_days), (5, 0))

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_negative_numbers_too(self):
        self.env.flush_all()
        for name in BOUNDS:
            with self.assertRaises(CheckViolation), self.env.cr.savepoint():
                self.env.cr.execute(f"UPDATE mcp_server_settings SET {name} = -1")

    def test_wake_hosts_are_hosts(self):
        self.settings.wake_hosts = "sidecar.internal\n\n 10.0.0.7 \n::1\nsidecar_1"
        self.assertEqual(self.settings._wake_host_list(), ["sidecar.internal", "10.0.0.7", "::1", "sidecar_1"])
        for bad in ("http://sidecar", "sidecar:8766", "10.0.0.256", "a b", "-x", "10.0.0.0/8"):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                self.settings.wake_hosts = bad

    def test_each_write_is_noted_and_counted(self):
        noted = self.notes()
        version = self.settings.version
        self.settings.with_user(self.admin).write({"enabled": True})
        self.settings.enabled = False
        self.assertEqual(noted, [("settings", self.settings.id)] * 2)
        self.assertEqual(self.settings.version, version + 2)

    def test_version_and_singleton_are_not_for_writing(self):
        version = self.settings.version
        self.settings.write({"version": 1000, "singleton": False})
        self.assertEqual(self.settings.version, version + 1)
        self.assertTrue(self.settings.singleton)

    def test_connections_that_are_not_revoked_are_counted(self):
        before = self.settings.connection_count
        connection = self.connect(self.user)[0]
        self.connect(self.admin)
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.connection_count, before + 2)
        connection.action_revoke()
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.connection_count, before + 1)

    def test_the_menu_opens_the_one_form(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_server_settings_action")
        self.assertEqual((action["res_id"], action["view_mode"]), (self.settings.id, "form"))
        menu = self.env.ref("mcp_sidecar.mcp_server_settings_menu")
        for person, seen in ((self.user, False), (self.employee, False), (self.admin, True)):
            self.env.registry.clear_cache()
            visible = self.env["ir.ui.menu"].with_user(person)._visible_menu_ids()
            self.assertEqual(menu.id in visible, seen, person.login)

    def test_state_of_the_sidecars(self):
        Replica = self.env["mcp.replica"]
        Replica.search([]).unlink()
        self.assertEqual(self.settings.sidecar_state, "none")
        self.assertFalse(self.settings.endpoint_url)
        values = {name: "x" for name, field in Replica._fields.items() if field.required and field.type == "char"}
        values |= {"replica": "5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70", "public_url": "https://odoo.example.com/"}
        old = fields.Datetime.subtract(fields.Datetime.now(), minutes=2)
        replica = Replica.create({**values, "last_seen": old})
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.sidecar_state, "lost")
        self.assertEqual(self.settings.endpoint_url, "https://odoo.example.com/odoo/mcp")
        replica.last_seen = fields.Datetime.now()
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.sidecar_state, "alive")
        self.assertEqual(self.settings.replica_ids, replica)


@tagged("-at_install", "post_install")
class TestSettingsRpc(McpHttpCase):
    def test_get_settings_answers_the_list_of_the_id(self):
        self.assertEqual(self.rpc(self.admin, "mcp.server.settings", "get_settings"), [self.settings.id])

    @mute_logger("odoo.http")
    def test_no_second_record_through_rpc(self):
        for method, args in (
            ("create", [{}]),
            ("create", [[{}, {}]]),
            ("name_create", ["Second"]),
            ("copy", [[self.settings.id]]),
            ("unlink", [[self.settings.id]]),
        ):
            with self.assertRaisesRegex(Exception, "Fault (2|4):"):
                self.rpc(self.system, "mcp.server.settings", method, *args)
        self.rpc(self.system, "mcp.server.settings", "load", ["enabled"], [["True"]])
        self.assertEqual(self.env["mcp.server.settings"].search_count([]), 1)

    def test_an_administrator_flips_the_switch(self):
        self.rpc(self.admin, "mcp.server.settings", "write", [self.settings.id], {"enabled": True})
        self.settings.invalidate_recordset()
        self.assertTrue(self.settings.enabled)
