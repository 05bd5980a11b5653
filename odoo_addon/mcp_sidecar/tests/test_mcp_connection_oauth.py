from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..gateway.sync import sessions
from .audit_common import REPLICA, session
from .gateway_common import call, search
from .oauth_common import IP, OauthCase


@tagged("-at_install", "post_install")
class TestGrants(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()
        self.access, self.token, self.connection = self.log_in(self.ref)

    def test_what_is_shown(self):
        connection = self.connection.with_user(self.user)
        self.assertEqual(
            (connection.client_identifier, connection.client_kind, connection.token_count, connection.kind),
            (self.ref["client_id"], "dynamic", 2, "oauth"),
        )
        self.refresh(self.ref, self.token)
        self.env.invalidate_all()
        # two access tokens and the newest refresh token
        self.assertEqual(connection.token_count, 3)
        self.assertEqual(connection.next_expiry, min(self.tokens(connection, "access_token").mapped("expires_at")))
        self.age(self.tokens(self.connection), 31 * 86400, "expires_at")
        self.assertEqual((connection.token_count, connection.next_expiry), (0, False))

    def test_revoked_at_once_and_for_good(self):
        noted = self.notes()
        self.connection.with_user(self.admin).action_revoke()
        self.assertIn(("connection", self.connection.id), noted)
        self.assertFalse(self.tokens(self.connection))
        self.assert_dead(self.access)
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "unknown")
        self.connection.with_user(self.admin).action_reactivate()
        self.assert_dead(self.access)
        again = self.log_in(self.ref)
        self.assertEqual(again[2], self.connection)
        self.assertTrue(self.authenticate(again[0]))
        self.assertEqual(self.acts()[-3:], ["odoo/oauth_revoke", "odoo/oauth_reactivate", "odoo/oauth_allow"])

    def test_a_key_is_accepted_again_after_reactivation(self):
        connection = self.env["mcp.connection"].search(
            [("kind", "=", "api_key"), ("user_id", "=", self.user.id)], limit=1
        )
        connection.action_revoke()
        connection.action_reactivate()
        self.assertTrue(self.authenticate(self.user_proof))

    def test_single_logins_end(self):
        other = self.log_in(self.ref)
        newest = self.tokens(self.connection)[0]
        with self.assertRaises(AccessError):
            newest.with_user(self.user).action_end_grant()
        newest.with_user(self.admin).action_end_grant()
        self.assert_dead(other[0])
        self.assertTrue(self.authenticate(self.access))
        self.assertEqual(self.acts()[-1], "odoo/oauth_end_grant")

    def test_a_user_ends_own_logins(self):
        theirs = self.log_in(self.ref, user=self.admin)
        with self.assertRaises(AccessError):
            theirs[2].with_user(self.user).action_end_grant()
        self.connection.with_user(self.user).action_end_grant()
        self.assert_dead(self.access)
        self.assertTrue(self.authenticate(theirs[0]))
        # it may be allowed again
        self.assertTrue(self.log_in(self.ref))
        theirs[2].with_user(self.admin).action_end_grant()
        self.assert_dead(theirs[0])

    def test_keys_have_no_login_to_end(self):
        connection, _key = self.connect(self.user)
        with self.assertRaises(UserError):
            connection.with_user(self.user).action_end_grant()
        self.assertEqual(len(connection.credential_ids), 1)
        connection.credential_ids.with_user(self.admin).action_end_grant()
        self.assertEqual(len(connection.credential_ids.exists()), 1)

    # === Scope ===

    def test_a_user_narrows_and_widens(self):
        connection = self.connection.with_user(self.user)
        connection.action_limit_to_read_only()
        document = self.authenticate(self.access)["connection"]
        self.assertEqual((document["scope"], document["upgradable"]), ("read_only", False))
        connection.action_allow_full_access()
        self.assertEqual(self.authenticate(self.access)["connection"]["scope"], "full")
        for person in (self.admin, self.system, self.employee):
            with self.assertRaises(AccessError):
                self.connection.with_user(person).action_allow_full_access()

    def test_what_an_administrator_has_narrowed(self):
        self.connection.with_user(self.admin).scope = "read_only"
        self.assertTrue(self.connection.scope_capped)
        with self.assertRaises(AccessError):
            self.connection.with_user(self.user).action_allow_full_access()
        with self.assertRaises(AccessError):
            self.connection.with_user(self.admin).scope = "full"
        self.connection.with_user(self.system).scope = "full"
        self.assertFalse(self.connection.scope_capped)
        self.assertEqual(self.authenticate(self.access)["connection"]["scope"], "full")

    def test_what_a_login_decided_is_not_written(self):
        other = self.client(self.register())
        for values in (
            {"scope_narrowed": True},
            {"scope_capped": False},
            {"granted_at": False},
            {"oauth_client_id": other.id},
            {"kind": "api_key"},
        ):
            with self.assertRaises(UserError):
                self.connection.with_user(self.system).write(values)
        values = {"name": "x", "user_id": self.system.id, "kind": "oauth", "oauth_client_id": other.id}
        with self.assertRaises(UserError):
            self.env["mcp.connection"].with_user(self.system).create(values)
        with self.assertRaises(UserError):
            self.env["mcp.connection"].with_user(self.system).create({"name": "x", "kind": "oauth"})
        with self.assertRaises(UserError):
            self.connection.with_user(self.system).copy()
        with self.assertRaises(UserError):
            self.connection.with_user(self.user).rotate_api_key()

    # === Governance ===

    def test_it_holds_as_for_keys(self):
        self.connection.write(
            {
                "allowed_ips": "198.51.100.0/24",
                "rate_limit_minute": 7,
                "allowed_tools": "search_read",
                "allowed_models": "res.partner",
            }
        )
        self.assert_fault(self.refused(lambda: self.authenticate(self.access)), "address_denied")
        step = search("res.country", limit=1)
        self.assert_fault(self.fault(step, proof=self.access), "address_denied")
        self.connection.allowed_ips = IP
        document = self.authenticate(self.access)["connection"]
        self.assertEqual(
            (document["rate_limit_minute"], document["allowed_tools"], document["allowed_models"]),
            (7, ["search_read"], ["res.partner"]),
        )
        self.assert_fault(self.fault(step, proof=self.access), "tool_denied")
        self.assert_fault(self.fault(step, proof=self.access, tool="search_read"), "model_denied")
        self.assertTrue(self.execute(search("res.partner", limit=1), proof=self.access, tool="search_read"))

    def test_reading_only_is_refused_in_odoo_too(self):
        self.connection.scope = "read_only"
        step = {"op": "unlink", "model": "res.partner", "ids": [1]}
        self.assert_fault(self.fault(step, proof=self.access, mode="write"), "read_only")

    def test_users_that_may_no_longer_connect_are_marked(self):
        self.assertFalse(self.connection.user_refused)
        self.leave_mcp(self.user)
        self.env.invalidate_all()
        self.assertTrue(self.connection.user_refused and self.connection.user_warning)
        refused = self.env["mcp.connection"].search([("user_refused", "=", True)])
        self.assertIn(self.connection, refused)
        # a key needs no such group
        keys = self.env["mcp.connection"].search([("user_id", "=", self.user.id), ("kind", "=", "api_key")])
        self.assertTrue(keys)
        self.assertFalse(keys & refused)

    def test_sessions_of_a_user_that_may_no_longer_connect_end(self):
        key = self.env["mcp.connection"].search([("user_id", "=", self.user.id), ("kind", "=", "api_key")], limit=1)
        running = [session(connection) for connection in (self.connection, key)]
        sessions.sync(self.env, {"replica": REPLICA, "complete": False, "sessions": running})
        self.leave_mcp(self.user)
        found = self.env["mcp.session"].with_context(active_test=False)
        ended = [found.search([("session_id", "=", one["session"])]).active for one in running]
        self.assertEqual(ended, [False, True])

    def test_no_tool_ends_widens_or_mints(self):
        proof = self.proof_of(self.system)
        for model, method, ids, args in (
            ("mcp.connection", "action_end_grant", self.connection.ids, ()),
            ("mcp.connection", "action_allow_full_access", self.connection.ids, ()),
            ("mcp.credential", "action_end_grant", self.tokens(self.connection).ids, ()),
            ("mcp.oauth.client", "_rotate_secret", self.client(self.ref).ids, ()),
            ("mcp.oauth.client", "_create_manual", [], ("x", "https://a.example/", True)),
        ):
            fault = self.fault(call(model, method, ids, *args), proof=proof, mode="run")
            self.assertIn(fault.code, ("access_denied", "method_denied"), method)
        for code in (
            "env['mcp.oauth.client']._create_manual('x', 'https://a.example/', True)",
            "env['mcp.oauth.client'].sudo().search([]).write({'active': False})",
            "env['mcp.oauth.request'].sudo().search([]).unlink()",
            "env['mcp.server.settings']._oauth_shared_key()",
            "env['mcp.credential'].sudo()._shorten('access_token', 1)",
            "env['mcp.credential'].sudo().search([], limit=1)._use_once('x')",
            f"env['mcp.connection'].sudo().browse({self.connection.id}).action_end_grant()",
        ):
            with self.subTest(code):
                action = self.env["ir.actions.server"].create(
                    {"name": "x", "model_id": self.env.ref("base.model_res_partner").id, "state": "code", "code": code}
                )
                self.env.flush_all()
                fault = self.fault(call("ir.actions.server", "run", action.ids), proof=proof, mode="run")
                self.assert_fault(fault, "access_denied")
        self.assertTrue(self.authenticate(self.access))
