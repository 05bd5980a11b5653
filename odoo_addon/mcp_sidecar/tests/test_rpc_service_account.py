from xmlrpc.client import Fault

from odoo import Command
from odoo.exceptions import AccessDenied, AccessError, UserError, ValidationError
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

    def test_it_gets_no_other_group(self):
        group = self.env.ref("mcp_sidecar.group_service")
        plain = self.env["res.groups"].create({"name": "Plain"})
        implying = self.env["res.groups"].create({"name": "Implying", "implied_ids": [Command.link(group.id)]})
        for name, way in {
            "a user type": lambda: self.service.write({"group_ids": [Command.link(self.ref("base.group_user"))]}),
            "the Settings": lambda: self.service.write({"group_ids": [Command.link(self.ref("base.group_system"))]}),
            "any group": lambda: self.service.write({"group_ids": [Command.link(plain.id)]}),
            "a group from its own side": lambda: plain.write({"user_ids": [Command.link(self.service.id)]}),
            "what its group implies": lambda: group.write({"implied_ids": [Command.link(plain.id)]}),
            "what implies another": lambda: plain.write({"implied_by_ids": [Command.link(group.id)]}),
            "a group that implies its own": lambda: implying.write({"user_ids": [Command.link(self.service.id)]}),
            "a new group": lambda: self.env["res.groups"].create(
                {"name": "New", "user_ids": [Command.link(self.service.id)]}
            ),
        }.items():
            with self.subTest(name):
                self.assert_not_grouped(way)
                self.assertEqual(self.service.all_group_ids, group)
        self.service.write({"name": "MCP Sidecar", "group_ids": [Command.set(group.ids)]})

    def test_nobody_else_gets_into_its_group(self):
        group = self.env.ref("mcp_sidecar.group_service")
        implying = self.env["res.groups"].create({"name": "Implying", "implied_ids": [Command.link(group.id)]})
        used = self.env["res.groups"].create({"name": "Used", "user_ids": [Command.link(self.portal.id)]})
        for name, way in {
            "a person": lambda: self.employee.write({"group_ids": [Command.link(group.id)]}),
            "a visitor": lambda: self.portal.write({"group_ids": [Command.link(group.id)]}),
            "a person through another group": lambda: self.employee.write({"group_ids": [Command.link(implying.id)]}),
            "a person from the group's side": lambda: group.write({"user_ids": [Command.link(self.employee.id)]}),
            "everybody": lambda: self.env.ref("base.group_user").write({"implied_ids": [Command.link(group.id)]}),
            "everybody from its side": lambda: group.write(
                {"implied_by_ids": [Command.link(self.ref("base.group_user"))]}
            ),
            "who is in a group": lambda: used.write({"implied_ids": [Command.link(implying.id)]}),
            "somebody new": lambda: self._person("mcp_test_new", "base.group_user,mcp_sidecar.group_service"),
        }.items():
            with self.subTest(name):
                self.assert_not_grouped(way)
                self.assertEqual(group.with_context(active_test=False).all_user_ids, self.service)

    def test_a_second_service_account_can_be_made(self):
        group = self.env.ref("mcp_sidecar.group_service")
        values = {"name": "Second", "login": "mcp_test_second", "group_ids": [Command.set(group.ids)]}
        self.assertTrue(self.env["res.users"].create(values)._mcp_is_service())

    def assert_not_grouped(self, way):
        said = "MCP Sidecar Service Account.*in others"
        with self.assertRaisesRegex(ValidationError, said), self.env.cr.savepoint():
            way()
        # as Odoo does where a request fails
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()

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
        self.slip_into_service(person)
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

    def test_it_may_change_no_model(self):
        """Not even those that Odoo opens to everybody."""
        concrete = [name for name, model in self.env.registry.items() if not model._abstract]
        self.assertGreater(len(concrete), 100)
        for verb in ("create", "write", "unlink"):
            changed = {name for name in concrete if self.env[name].with_user(self.service).has_access(verb)}
            self.assertEqual(changed, set(), verb)
        # the control: others keep what Odoo gives them
        self.assertTrue(self.env["res.partner"].with_user(self.system).has_access("read"))
        opened = self.env["ir.model.access"].search([("group_id", "=", False), ("perm_create", "=", True)], limit=1)
        if opened:
            self.assertTrue(self.env[opened.model_id.model].with_user(self.portal).has_access("create"))

    def test_it_does_not_change_its_own_profile(self):
        own = self.service.with_user(self.service)
        before = {name: own.sudo()[name] for name in ("name", "email", "lang", "tz", "signature")}
        values = {"name": "x", "email": "x@example.com", "lang": "en_US", "tz": "UTC", "signature": "x", "phone": "1"}
        values |= {"image_1920": False, "action_id": False, "company_id": own.sudo().company_id.id, "api_key_ids": []}
        self.assertLessEqual(set(values), set(own.SELF_WRITEABLE_FIELDS))
        # whatever other modules add to the list
        for name in own.SELF_WRITEABLE_FIELDS:
            for user in (own, own.sudo()):
                with self.subTest(name), self.assertRaises(AccessError), self.env.cr.savepoint():
                    user.write({name: values.get(name, False)})
        for deed in (
            lambda: own.partner_id.sudo().write({"name": "x"}),
            lambda: own.sudo().unlink(),
            lambda: own.sudo().create({"name": "x", "login": "mcp_test_other"}),
            lambda: self.env["res.users.settings"].with_user(self.service)._find_or_create_for_user(own),
            lambda: self.env["res.users.settings"].with_user(self.service).sudo().create({"user_id": own.id}),
            lambda: self.env["res.users.apikeys"].with_user(self.service).sudo()._generate(None, "x", None),
            lambda: self.env["res.users.apikeys"].with_user(self.service).sudo().search([]).unlink(),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                deed()
        self.env.invalidate_all()
        self.assertEqual({name: own.sudo()[name] for name in before}, before)

    def test_an_administrator_edits_it(self):
        for person in (self.system, self.settings_admin):
            self.service.with_user(person).write({"name": f"Sidecar of {person.name}", "email": "it@example.com"})
            self.assertEqual(self.service.partner_id.email, "it@example.com")
        self.service.partner_id.with_user(self.system).sudo().write({"phone": "1"})
        self.employee.with_user(self.employee).write({"signature": "mine"})
        self.portal.with_user(self.portal).write({"email": "mine@example.com"})
        self.env["res.users.settings"].with_user(self.employee)._find_or_create_for_user(self.employee)
        self.assertTrue(self.settings.with_user(self.system).generate_service_key())


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
            ("res.users", "write", [[self.service.id], {"name": "x"}]),
            ("res.users", "write", [[self.service.id], {"lang": "en_US", "tz": "UTC"}]),
            ("res.users", "web_save", [[self.service.id], {"signature": "x"}, {}]),
            ("res.users", "copy", [[self.service.id]]),
            ("res.users", "unlink", [[self.service.id]]),
            ("res.partner", "write", [[self.service.partner_id.id], {"email": "x@example.com"}]),
            ("res.users.settings", "create", [{"user_id": self.service.id}]),
            ("ir.filters", "create", [{"name": "x", "model_id": "res.partner"}]),
            ("ir.attachment", "create", [{"name": "x"}]),
            ("ir.default", "set", ["res.partner", "comment", "x"]),
            ("res.users.apikeys", "remove", [[1]]),
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
