from xmlrpc.client import Fault

from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import McpCase, McpHttpCase


@tagged("-at_install", "post_install")
class TestServiceUser(McpCase):
    def test_it_has_one_group_and_no_password(self):
        self.assertEqual(self.service.group_ids, self.env.ref("mcp_sidecar.group_service"))
        self.assertEqual(self.service.all_group_ids, self.env.ref("mcp_sidecar.group_service"))
        self.assertFalse(self.service._is_internal())
        self.assertTrue(self.service.share)
        self.env.cr.execute("SELECT password FROM res_users WHERE id = %s", (self.service.id,))
        self.assertIsNone(self.env.cr.fetchone()[0])

    def test_it_never_gets_a_password(self):
        for way in (
            lambda: self.service.write({"password": "secret-enough"}),
            lambda: self.service.with_user(self.system).write({"password": "secret-enough"}),
            lambda: self.service._change_password("secret-enough"),
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                way()
        wizard = self.env["change.password.wizard"].with_user(self.system)
        line = {"user_id": self.service.id, "user_login": self.service.login, "new_passwd": "secret-enough"}
        with self.assertRaises(UserError), self.env.cr.savepoint():
            wizard.create({"user_ids": [(0, 0, line)]}).change_password_button()
        with self.assertRaises(AccessDenied):
            self.env["res.users"].with_user(self.service).change_password("", "secret-enough")
        with self.assertRaises(AccessDenied):
            self.env["res.users"].with_user(self.service).change_password("x", "secret-enough")

    def test_a_password_from_before_does_not_open_the_web(self):
        person = self._person("mcp_test_late_service", "base.group_user")
        credential = {"login": person.login, "password": person.login, "type": "password"}
        check = person.with_user(person)._check_credentials
        self.assertTrue(check(credential, {"interactive": True}))
        person.group_ids += self.env.ref("mcp_sidecar.group_service")
        for interactive in (True, False):
            with self.assertRaises(AccessDenied):
                check(credential, {"interactive": interactive})

    def test_only_a_settings_administrator_makes_its_key(self):
        for person in (self.user, self.admin, self.employee, self.service):
            with self.assertRaises(AccessError):
                self.env["mcp.server.settings"].with_user(person).generate_service_key()
        self.assertTrue(self.env["mcp.server.settings"].with_user(self.system).generate_service_key())
        self.assertTrue(self.env["mcp.server.settings"].with_user(self.settings_admin).generate_service_key())
        action = self.settings.with_user(self.system).action_generate_service_key()
        self.assertEqual(action["context"]["default_kind"], "service")

    def test_its_key_does_not_expire_and_is_the_only_one(self):
        for _again in range(2):
            self.settings.with_user(self.system).generate_service_key()
        keys = self.env["res.users.apikeys"].search([("user_id", "=", self.service.id)])
        self.assertEqual(len(keys), 1)
        self.assertFalse(keys.expiration_date)

    def test_it_may_read_no_model(self):
        """Models that Odoo opens to everybody, portal users and visitors included, are what is left."""
        open_to_all = self.env["ir.model.access"].search([("group_id", "=", False), ("perm_read", "=", True)])
        opened = set(open_to_all.model_id.mapped("model"))
        readable = {
            name
            for name, model in self.env.registry.items()
            if not model._abstract and self.env[name].with_user(self.service).has_access("read")
        }
        self.assertFalse(readable - opened)
        for name in ("res.partner", "res.users", "ir.model", "ir.config_parameter"):
            self.assertNotIn(name, readable)
        for name in readable:
            for verb in ("write", "create", "unlink"):
                self.assertFalse(
                    self.env[name].with_user(self.service).has_access(verb)
                    and name not in open_to_all.filtered(f"perm_{verb}").model_id.mapped("model"),
                    name,
                )


@tagged("-at_install", "post_install")
class TestServiceUserRpc(McpHttpCase):
    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model", "odoo.addons.base.models.res_users")
    def test_it_logs_in_with_its_key_and_reads_nothing(self):
        key = self.rpc(self.system, "mcp.server.settings", "generate_service_key")
        uid = self.xmlrpc_common.authenticate(self.env.cr.dbname, self.service.login, key, {})
        self.assertEqual(uid, self.service.id)
        for model in (
            "res.partner",
            "res.users",
            "mcp.server.settings",
            "mcp.connection",
            "mcp.credential",
            "mcp.replica",
            "mcp.event",
            "mcp.call",
            "res.users.apikeys",
        ):
            with self.subTest(model):
                with self.assertRaises(Fault) as caught:
                    self.rpc(self.service, model, "search_read", [], password=key)
                self.assertEqual(caught.exception.faultCode, 4, model)
        # Odoo itself shows public attachments to everybody, and no others
        attachments = self.rpc(self.service, "ir.attachment", "search_read", [], ["public"], password=key)
        self.assertTrue(all(attachment["public"] for attachment in attachments))
        for model, method, args in (
            ("mcp.server.settings", "generate_service_key", []),
            ("mcp.server.settings", "get_settings", []),
            ("mcp.connection", "create_api_key", ["x", self.service.id, "full"]),
            ("res.users", "write", [[self.service.id], {"password": "secret-enough"}]),
            ("res.users", "change_password", ["x", "secret-enough"]),
            ("res.users", "change_password", [key, "secret-enough"]),
            ("res.users.apikeys.description", "create", [{"name": "x", "duration": "1"}]),
        ):
            with self.subTest(method), self.assertRaises(Fault):
                self.rpc(self.service, model, method, *args, password=key)

    @mute_logger("odoo.http", "odoo.addons.base.models.res_users")
    def test_a_new_key_ends_the_old_one_at_once(self):
        old = self.rpc(self.system, "mcp.server.settings", "generate_service_key")
        with self.assertRaises(Fault) as caught:
            self.rpc(self.service, "res.partner", "search", [], password=old)
        self.assertEqual(caught.exception.faultCode, 4)
        new = self.rpc(self.system, "mcp.server.settings", "generate_service_key")
        with self.assertRaises(Fault) as caught:
            self.rpc(self.service, "res.partner", "search", [], password=old)
        self.assertEqual(caught.exception.faultCode, 3)
        with self.assertRaises(Fault) as caught:
            self.rpc(self.service, "res.partner", "search", [], password=new)
        self.assertEqual(caught.exception.faultCode, 4)

    @mute_logger("odoo.http", "odoo.addons.base.models.res_users")
    def test_its_key_does_not_open_the_web(self):
        key = self.rpc(self.system, "mcp.server.settings", "generate_service_key")
        with self.assertRaises(AccessDenied):
            credential = {"login": self.service.login, "password": key, "type": "password"}
            self.service.with_user(self.service)._check_credentials(credential, {"interactive": True})
