"""Accounts outlive a connection: no AI tool makes, moves or raises one, whatever its user may."""

from odoo.tests import tagged

from ..gateway.policy import accounts
from .gateway_common import call, create, write
from .test_escape_attempts import WaysOutCase


class AccountsCase(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.group_system = cls.env.ref("base.group_system")
        cls.group_erp = cls.env.ref("base.group_erp_manager")
        cls.group_user = cls.env.ref("base.group_user")
        cls.group_portal = cls.env.ref("base.group_portal")
        cls.elsewhere = cls.env["res.partner"].create({"name": "mcp-elsewhere", "email": "elsewhere@example.com"})
        cls.env.flush_all()

    def assert_refused(self, *steps, model="res.users", proof=None, **data):
        for step in steps:
            with self.subTest(step):
                self.assert_fault(self.tried(step, proof=proof), "access_denied", model=model, **data)

    def internal_users(self):
        return self.env["res.users"].with_context(active_test=False).search([("share", "=", False)])


@tagged("-at_install", "post_install")
class TestNewUsers(AccountsCase):
    def setUp(self):
        super().setUp()
        self.before = self.internal_users()

    def tearDown(self):
        self.assertEqual(self.internal_users(), self.before)
        super().tearDown()

    def test_no_internal_user_is_made(self):
        new = {"name": "mcp-new", "login": "mcp_test_new", "email": "new@example.com"}
        self.assert_refused(
            create("res.users", new),
            create("res.users", {**new, "group_ids": [[6, 0, self.group_user.ids]]}),
            # a group that brings the one of employees is enough
            create("res.users", {**new, "group_ids": self.env.ref("mcp_sidecar.group_user").ids}),
            call("res.users", "create", [], new),
            call("res.users", "copy", [self.employee.id]),
            call("res.users", "web_create_users", [], ["new@example.com"]),
            create("res.partner", {"name": "mcp-new", "user_ids": [[0, 0, new]]}),
            write("res.partner", self.elsewhere.ids, user_ids=[[0, 0, new]]),
            write("res.groups", self.env.ref("base.group_no_one").ids, user_ids=[[0, 0, new]]),
            self.run_code(f"env['res.users'].sudo().create({new!r})"),
        )
        self.assertFalse(self.env["res.users"].search([("login", "=", "mcp_test_new")]))

    def test_nothing_is_kept_where_code_catches_the_refusal(self):
        code = "try:\n    env['res.users'].create({'name': 'mcp-new', 'login': 'mcp_test_new'})\nexcept:\n    pass"
        self.execute(self.run_code(code), mode="run")
        self.assertFalse(self.env["res.users"].search([("login", "=", "mcp_test_new")]))

    def test_nobody_becomes_an_internal_user(self):
        groups = [[3, self.group_portal.id], [4, self.group_user.id]]
        bare = self.env["res.users"].create({"name": "mcp-bare", "login": "mcp_test_bare", "group_ids": []})
        self.assert_refused(
            write("res.users", [self.portal.id], group_ids=[[3, self.group_portal.id, 0], [4, self.group_user.id, 0]]),
            call("res.users", "write", [self.portal.id], {"group_ids": groups}),
            self.run_code(f"env['res.users'].sudo().browse({self.portal.id}).write({{'group_ids': {groups}}})"),
        )
        self.assert_refused(
            write("res.groups", self.group_user.ids, user_ids=[[4, bare.id, 0]]),
            self.run_code(f"env.ref('base.group_user').sudo().write({{'user_ids': [(4, {bare.id})]}})"),
            create("res.groups", {"name": "mcp", "implied_ids": self.group_user.ids, "user_ids": bare.ids}),
            model="res.groups",
        )

    def test_customers_are_let_in_as_ever(self):
        values = {"name": "mcp-customer", "login": "mcp_test_customer", "group_ids": self.group_portal.ids}
        made = self.run_one(create("res.users", values), mode="write")["records"][0]["id"]
        self.assertTrue(self.env["res.users"].browse(made).share)


@tagged("-at_install", "post_install")
class TestContactsOfUsers(AccountsCase):
    def test_no_internal_user_gets_another_contact(self):
        users = [self.user.id]
        self.assert_refused(
            write("res.users", users, partner_id=self.elsewhere.id),
            call("res.users", "write", users, {"partner_id": self.elsewhere.id}),
            write("res.partner", self.elsewhere.ids, user_ids=[[4, self.user.id, 0]]),
            write("res.partner", self.elsewhere.ids, user_ids=users),
            create("res.partner", {"name": "mcp-new", "user_ids": [[4, self.user.id, 0]]}),
            write("res.company", self.env.company.ids, user_ids=[[1, self.user.id, {"partner_id": self.elsewhere.id}]]),
            self.run_code(f"env['res.users'].sudo().browse({users}).write({{'partner_id': {self.elsewhere.id}}})"),
            field="partner_id",
        )
        self.assertNotEqual(self.user.partner_id, self.elsewhere)

    def test_no_contact_of_an_internal_user_is_merged(self):
        self.user.active = False  # he may come back
        for source, target in (
            (self.user.partner_id, self.elsewhere),
            (self.elsewhere, self.user.partner_id),
        ):
            values = {"partner_ids": (source | target).ids, "dst_partner_id": target.id}
            wizard = self.run_one(create("base.partner.merge.automatic.wizard", values), mode="write")
            merging = call("base.partner.merge.automatic.wizard", "action_merge", [wizard["records"][0]["id"]])
            self.assert_refused(merging, field="partner_id")
        self.assertNotEqual(self.user.partner_id, self.elsewhere)

    def test_others_are_merged_and_moved(self):
        other = self.env["res.partner"].create({"name": "mcp-other"})
        same = self.user.partner_id.id
        self.execute(write("res.users", [self.user.id], partner_id=same), mode="write")
        self.execute(write("res.users", [self.portal.id], partner_id=other.id), mode="write")
        self.assertEqual(self.portal.partner_id, other)
        values = {"partner_ids": (other | self.elsewhere).ids, "dst_partner_id": self.elsewhere.id}
        wizard = self.run_one(create("base.partner.merge.automatic.wizard", values), mode="write")
        wizard_id = wizard["records"][0]["id"]
        self.execute(call("base.partner.merge.automatic.wizard", "action_merge", [wizard_id]), mode="run")
        self.assertFalse(other.exists())


@tagged("-at_install", "post_install")
class TestRights(AccountsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = cls._person("mcp_test_manager", "base.group_erp_manager")
        cls.group_beyond = cls.env["res.groups"].create({"name": "mcp-beyond"})
        cls.manager_proof = cls.proof_of(cls.manager)

    def test_no_group_is_given_beyond_ones_own(self):
        system = self.group_system.id
        customer = {"name": "mcp-new", "login": "mcp_test_new"}
        for user in (self.manager, self.user):
            self.assert_refused(
                write("res.users", [user.id], group_ids=[[4, system, 0]]),
                call("res.users", "write", [user.id], {"group_ids": [[4, system]]}),
                proof=self.manager_proof,
            )
        self.assert_refused(
            # an outsider may have rights as well
            create("res.users", {**customer, "group_ids": [self.group_portal.id, self.group_beyond.id]}),
            write("res.users", [self.portal.id], group_ids=[[4, self.group_beyond.id, 0]]),
            proof=self.manager_proof,
        )
        self.assert_refused(
            write("res.groups", [system], user_ids=[[4, self.manager.id, 0]]),
            write("res.groups", self.group_erp.ids, implied_ids=[[4, system, 0]]),
            write("res.groups", [system], implied_by_ids=[[4, self.group_erp.id, 0]]),
            create("res.groups", {"name": "mcp", "implied_ids": [system], "user_ids": [self.manager.id]}),
            model="res.groups",
            proof=self.manager_proof,
        )
        self.assertFalse((self.manager | self.user).filtered(lambda user: user.has_group("base.group_system")))

    def test_ones_own_groups_are_given_and_any_are_taken(self):
        step = write("res.users", [self.user.id], group_ids=[[4, self.group_erp.id, 0]])
        self.execute(step, proof=self.manager_proof, mode="write")
        self.assertTrue(self.user.has_group("base.group_erp_manager"))
        self.execute(write("res.groups", self.group_system.ids, user_ids=[[4, self.user.id, 0]]), mode="write")
        self.assertTrue(self.user.has_group("base.group_system"))
        step = write("res.users", [self.user.id], group_ids=[[3, self.group_system.id, 0]])
        self.execute(step, proof=self.manager_proof, mode="write")
        self.assertFalse(self.user.has_group("base.group_system"))
        step = create("res.groups", {"name": "mcp", "user_ids": [self.user.id]})
        self.execute(step, proof=self.manager_proof, mode="write")

    def test_settings_switch_features_on(self):
        multi = self.env.ref("base.group_multi_company")
        self.assertNotIn(multi, self.settings_admin.all_group_ids)
        code = "env.ref('base.group_user').sudo()._apply_group(env.ref('base.group_multi_company').sudo())"
        self.execute(self.run_code(code), mode="run")
        self.assertIn(multi, self.group_user.all_implied_ids)


@tagged("-at_install", "post_install")
class TestOtherWaysIn(AccountsCase):
    def test_nothing_that_logs_in_is_set(self):
        # some of these fields belong to modules that need not be there
        self.assertLess({"password", "oauth_uid", "oauth_access_token", "totp_secret"}, accounts.LOGIN_FIELDS)
        values = {"name": "mcp-new", "login": "mcp_test_new"}
        for name in accounts.LOGIN_FIELDS:
            value = [(0, 0, {})] if name.endswith("_ids") else "mcp"
            self.assert_refused(
                self.run_code(f"env.user.sudo().write({{{name!r}: {value!r}}})"),
                self.run_code(f"env['res.users'].sudo().create({ {**values, name: value}!r})"),
                field=name,
            )

    def test_it_may_be_emptied(self):
        self.execute(self.run_code("env.user.write({'new_password': False})"), mode="run")
