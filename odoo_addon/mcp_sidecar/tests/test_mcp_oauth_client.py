from xmlrpc.client import Fault

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.auth import credentials
from .common import McpHttpCase
from .oauth_common import REDIRECT, OauthCase, OauthCommon, new_proof, proof_of_text


@tagged("-at_install", "post_install")
class TestManualClients(OauthCase):
    def test_a_confidential_client(self):
        clients = self.env["mcp.oauth.client"].with_user(self.admin)
        client, secret = clients._create_manual(" n8n ", f" {REDIRECT} \n\nhttp://localhost/cb\n{REDIRECT}", True)
        self.assertEqual(credentials.kind_of(secret), "client_secret")
        self.assertRegex(client.client_id, r"^mcp_client_[0-9A-Za-z]{22}$")
        self.assertEqual(
            (client.name, client.kind, client.redirect_uris, client.grant_types, client.connection_count),
            ("n8n", "manual", f"{REDIRECT}\nhttp://localhost/cb", "authorization_code refresh_token", 0),
        )
        ref = {"client_id": client.client_id, "secret": proof_of_text(secret), "auth_method": "client_secret_post"}
        self.assertTrue(self.authenticate(self.log_in(ref)[0]))
        self.assertEqual(self.acts()[-2:], ["odoo/oauth_create_client", "odoo/oauth_allow"])

    def test_a_public_client(self):
        client, ref = self.manual(by=self.admin, confidential=False)
        self.assertEqual((client.auth_method, ref["secret"]), ("none", None))
        self.assertTrue(self.authenticate(self.log_in(ref)[0]))

    def test_a_client_that_acts_as_a_user(self):
        clients = self.env["mcp.oauth.client"]
        noted = self.notes()
        client, _secret = clients.with_user(self.system)._create_manual("n8n", None, True, self.user)
        self.assertIn(("settings", None), noted)
        [connection] = client.sudo().connection_ids
        self.assertEqual((connection.user_id, connection.kind, connection.status), (self.user, "oauth", "awaiting"))
        self.assertEqual(client.grant_types, "client_credentials")
        own, _secret = clients.with_user(self.admin)._create_manual("Own", REDIRECT, True, self.admin)
        self.assertEqual(own.grant_types, "authorization_code refresh_token client_credentials")
        # the holder of the secret acts as that user
        with self.assertRaises(AccessError):
            clients.with_user(self.admin)._create_manual("Other", None, True, self.user)
        with self.assertRaises(UserError):
            clients.with_user(self.system)._create_manual("Public", None, False, self.user)
        for person in (self.portal, self.employee, self.service, self.env.ref("base.user_root")):
            with self.assertRaises(UserError):
                clients.with_user(self.system)._create_manual("x", None, True, person)

    def test_who_may_create(self):
        for person in (self.portal, self.employee, self.user, self.settings_admin, self.service):
            with self.assertRaises(AccessError):
                self.env["mcp.oauth.client"].with_user(person)._create_manual("x", REDIRECT, True)
        for person in (self.admin, self.system):
            with self.assertRaises(AccessError):
                self.env["mcp.oauth.client"].with_user(person).create({"name": "x", "client_id": "x", "kind": "manual"})

    def test_what_is_missing_or_wrong(self):
        clients = self.env["mcp.oauth.client"].with_user(self.system)
        for args in (
            ("", REDIRECT, True),
            (" ", REDIRECT, True),
            (None, REDIRECT, True),
            ("x", None, True),
            ("x", " ", False),
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                clients._create_manual(*args)
        for uris in ("javascript:alert(1)", f"{REDIRECT}\nhttp://evil.example/", f"{REDIRECT}#x"):
            with self.assertRaises(ValidationError) as caught, self.env.cr.savepoint():
                clients._create_manual("x", uris, True)
            self.assertIn("line", str(caught.exception))

    def test_rotation(self):
        client, ref = self.manual(by=self.admin)
        with self.assertRaises(AccessError):
            client.with_user(self.user)._rotate_secret()
        secret = client.with_user(self.admin)._rotate_secret()
        self.assert_refused(self.refresh(ref, new_proof()), "invalid_client", "secret")
        self.assert_refused(
            self.refresh({**ref, "secret": proof_of_text(secret)}, new_proof()), "invalid_grant", "unknown"
        )
        self.assertEqual(self.acts()[-1], "odoo/oauth_rotate_secret")
        acting, _ref = self.manual(redirect_uris=None, client_credentials_user=self.user)
        with self.assertRaises(AccessError):
            acting.with_user(self.admin)._rotate_secret()
        self.assertTrue(acting.with_user(self.system)._rotate_secret())
        for ref in (self.register(), self.register(secret=new_proof()), self.manual(confidential=False)[1]):
            with self.assertRaises(UserError):
                self.client(ref).with_user(self.admin)._rotate_secret()

    def test_what_an_administrator_may_change(self):
        made, dynamic = self.manual()[0], self.client(self.register())
        made.with_user(self.admin).write({"name": "Better", "redirect_uris": "https://a.example/cb"})
        dynamic.with_user(self.admin).write({"name": "Better", "active": False})
        self.assertEqual(self.acts()[-1], "odoo/oauth_archive_client")
        for client, values in (
            (dynamic, {"redirect_uris": "https://a.example/cb"}),
            (made, {"client_id": "x"}),
            (made, {"auth_method": "none"}),
            (made, {"grant_types": "client_credentials"}),
            (made, {"client_credentials_user_id": self.system.id}),
            (made, {"kind": "document"}),
            (made, {"last_used": False}),
            (made + dynamic, {"redirect_uris": "https://a.example/cb"}),
        ):
            with self.assertRaises(UserError):
                client.with_user(self.admin).write(values)
        with self.assertRaises(UserError):
            made.with_user(self.admin).write({"secret_digest": "0" * 64})

    def test_deleting_ends_what_it_was_allowed(self):
        ref = self.register()
        access, _refresh, connection = self.log_in(ref)
        noted = self.notes()
        self.client(ref).with_user(self.admin).unlink()
        self.assertEqual(self.acts()[-1], "odoo/oauth_delete_client")
        self.assertFalse(connection.exists())
        self.assertIn(("connection", connection.id), noted)
        self.assert_dead(access)


@tagged("-at_install", "post_install")
class TestClientRpc(OauthCommon, McpHttpCase):
    """What plain users reach by RPC: their own clients, and no digest, request or private method."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        clients = cls.env["mcp.oauth.client"].with_user(cls.system)
        cls.made = [clients._create_manual(name, REDIRECT, True)[0].sudo() for name in ("Own", "Other")]
        for client, user in zip(cls.made, (cls.user, cls.admin), strict=True):
            client._connect(user)
        cls.env.flush_all()

    def test_a_user_sees_own_clients(self):
        self.made[0].connection_ids.action_revoke()
        found = self.rpc(self.user, "mcp.oauth.client", "search_read", [], ["name"])
        self.assertEqual([row["name"] for row in found], ["Own"])
        names = {row["name"] for row in self.rpc(self.admin, "mcp.oauth.client", "search_read", [], ["name"])}
        self.assertLessEqual({"Own", "Other"}, names)

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model", "odoo.orm.models")
    def test_what_is_closed(self):
        mine = self.made[0].ids
        roads = [
            (self.user, "mcp.oauth.request", "search", []),
            (self.user, "mcp.oauth.client", "write", mine, {"name": "x"}),
            (self.user, "mcp.oauth.client", "unlink", mine),
            (self.user, "mcp.connection", "write", self.made[0].connection_ids.ids, {"scope": "full"}),
            (self.user, "mcp.connection", "action_revoke", self.made[0].connection_ids.ids),
            (self.user, "mcp.connection", "action_end_grant", self.made[1].connection_ids.ids),
            (self.user, "mcp.connection", "action_allow_full_access", self.made[1].connection_ids.ids),
            (self.employee, "mcp.oauth.client", "search", []),
            (self.portal, "mcp.oauth.client", "search", []),
        ]
        for person in (self.user, self.admin, self.system):
            roads += [
                (person, "mcp.oauth.client", "read", mine, ["secret_digest"]),
                (person, "mcp.oauth.client", "search", [("secret_digest", "!=", False)]),
                (person, "mcp.oauth.client", "search", [], 0, 0, "secret_digest"),
                (person, "mcp.oauth.client", "create", {"name": "x", "client_id": "x", "kind": "manual"}),
                (person, "mcp.oauth.client", "_create_manual", "x", REDIRECT, True),
                (person, "mcp.oauth.client", "_rotate_secret", mine),
                (person, "mcp.oauth.request", "create", {}),
                (person, "mcp.oauth.request", "_decide", "x", "allow", "full"),
                (person, "mcp.oauth.request", "_consent_values", "x"),
                (person, "mcp.server.settings", "_oauth_shared_key"),
                (person, "mcp.server.settings", "read", self.settings.ids, ["oauth_key"]),
                (person, "mcp.server.settings", "search", [("oauth_key", "!=", False)]),
                (person, "mcp.gateway", "oauth_client", "{}"),
                (person, "mcp.gateway", "oauth_token", "{}"),
            ]
            for name in ("request_digest", "browser_digest", "approval_digest", "code_digest", "state"):
                roads.append((person, "mcp.oauth.request", "search", [(name, "!=", False)]))
        for person, model, method, *args in roads:
            name = f"{person.login} {model} {method} {args}"
            with self.subTest(name), self.assertRaises(Fault):
                self.rpc(person, model, method, *args)
