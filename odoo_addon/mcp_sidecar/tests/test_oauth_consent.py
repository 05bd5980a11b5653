from odoo import SUPERUSER_ID
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from ..gateway.audit import hash_chain
from .gateway_common import call
from .oauth_common import ISSUER, REDIRECT, OauthCase
from .test_oauth_clients import DOCUMENT, DOCUMENT_URL


@tagged("-at_install", "post_install")
class TestConsent(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()
        self.handle, self.cookie, _answer = self.begin(self.ref)

    def values(self, handle=None, user=None):
        return self.env["mcp.oauth.request"].with_user(user or self.user)._consent_values(handle or self.handle)

    def connection(self, ref=None):
        connections = self.env["mcp.connection"].with_context(active_test=False)
        return connections.search([("oauth_client_id", "=", self.client(ref or self.ref).id)])

    # === What is shown ===

    def test_values(self):
        self.assertEqual(
            self.values(),
            {
                "client_name": "Claude",
                "client_id": self.ref["client_id"],
                "client_kind": "dynamic",
                "redirect_host": "claude.ai",
                "redirect_kind": "https",
                "verified": False,
                "scope_asked": "full",
                "scope_default": "full",
                "scope_widest": "full",
                "access_days": 30,
                "allowed_before": False,
                "status": "pending",
                "issuer": ISSUER,
            },
        )
        # nothing was written
        self.assertEqual(self.values()["status"], "pending")

    def test_who_is_verified(self):
        document = {"client_id": DOCUMENT_URL}
        for ref, changes, verified in (
            (self.manual()[1], {}, True),
            (self.register(["http://localhost/cb"]), {"redirect_uri": "http://localhost:1/cb"}, False),
            (self.register(["cursor://a/cb"]), {"redirect_uri": "cursor://a/cb"}, False),
            (document, {"document": DOCUMENT, "redirect_uri": "https://tool.example.com/callback"}, True),
            (document, {"document": DOCUMENT, "redirect_uri": "http://127.0.0.1:1/callback"}, False),
            (
                {"client_id": "https://other.example.com/client.json"},
                {"document": DOCUMENT, "redirect_uri": "https://tool.example.com/callback"},
                False,
            ),
        ):
            handle, _cookie, answer = self.begin(ref, **changes)
            self.assertEqual(answer, {"expires_in": 600})
            self.assertIs(self.values(handle)["verified"], verified, changes)

    def test_scopes_that_are_offered(self):
        for asked, default, shown in (
            (["mcp:write"], "full", ("full", "full", "full")),
            (["mcp:read"], "full", ("read_only", "read_only", "read_only")),
            (None, "full", (False, "full", "full")),
            (["openid"], "full", (False, "full", "full")),
            (None, "read_only", (False, "read_only", "full")),
            (["mcp:write"], "read_only", ("full", "full", "full")),
        ):
            self.settings.oauth_default_scope = default
            self.settings.flush_recordset()
            found = self.values(self.begin(self.ref, scope=asked)[0])
            self.assertEqual((found["scope_asked"], found["scope_default"], found["scope_widest"]), shown)

    def test_what_was_allowed_before_is_said(self):
        self.log_in(self.ref)
        self.assertEqual(self.values()["allowed_before"], self.connection().granted_at)
        self.assertTrue(self.connection().granted_at)

    # === What is chosen ===

    def test_a_grant_for_each_choice(self):
        """Asked for, chosen on the page -> scope of the connection, narrowed, scope of the tokens, upgradable."""
        for asked, chosen, expected in (
            (["mcp:write"], "full", ("full", False, "full", False)),
            (["mcp:write"], "read_only", ("read_only", True, "read_only", False)),
            (None, "read_only", ("read_only", True, "read_only", False)),
            (None, "full", ("full", False, "full", False)),
            (["mcp:read"], "read_only", ("read_only", False, "read_only", True)),
            # more than was asked is never given
            (["mcp:read"], "full", ("read_only", False, "read_only", True)),
        ):
            access, _refresh, connection = self.log_in_asking(asked, chosen)
            document = self.authenticate(access)["connection"]
            self.assertEqual(
                (connection.scope, connection.scope_narrowed, document["scope"], document["upgradable"]), expected
            )
            self.assertEqual(document["method_level"], "buttons" if document["scope"] == "full" else "none")

    def log_in_asking(self, asked, chosen, ref=None):
        return self.log_in(ref, scope=chosen, wanted=asked)

    def test_one_connection_for_a_client_and_user(self):
        first = self.log_in_asking(None, "full", self.ref)
        second = self.log_in_asking(None, "full", self.ref)
        self.assertEqual(first[2], second[2])
        self.assertTrue(self.authenticate(first[0]) and self.authenticate(second[0]))
        self.assertEqual((first[2].kind, first[2].name, first[2].user_id), ("oauth", "Claude", self.user))

    def test_a_login_that_asks_for_less_takes_nothing_away(self):
        writing = self.log_in_asking(["mcp:write"], "full", self.ref)
        reading = self.log_in_asking(["mcp:read"], "read_only", self.ref)
        self.assertEqual(self.authenticate(writing[0])["connection"]["scope"], "full")
        document = self.authenticate(reading[0])["connection"]
        self.assertEqual((document["scope"], document["upgradable"]), ("read_only", True))

    def test_the_last_choice_of_the_person_counts(self):
        writing = self.log_in_asking(["mcp:write"], "full", self.ref)
        self.log_in_asking(["mcp:write"], "read_only", self.ref)
        self.assertEqual(self.authenticate(writing[0])["connection"]["scope"], "read_only")
        self.log_in_asking(["mcp:write"], "full", self.ref)
        self.assertEqual(self.authenticate(writing[0])["connection"]["scope"], "full")

    def test_what_an_administrator_has_set_to_read_only_stays_so(self):
        access, _refresh, connection = self.log_in_asking(["mcp:write"], "full", self.ref)
        connection.with_user(self.admin).scope = "read_only"
        self.assertEqual(self.values(self.begin(self.ref)[0])["scope_widest"], "read_only")
        again = self.log_in_asking(["mcp:write"], "full", self.ref)
        for proof in (access, again[0]):
            document = self.authenticate(proof)["connection"]
            self.assertEqual((document["scope"], document["upgradable"]), ("read_only", False))
        connection.scope = "full"
        self.assertEqual(self.authenticate(access)["connection"]["scope"], "full")

    def test_a_second_click_has_the_same_outcome(self):
        self.decide(self.handle, "deny")
        self.decide(self.handle, "allow")
        self.assertFalse(self.connection())
        handle = self.begin(self.ref)[0]
        self.decide(handle, "allow", "read_only")
        self.decide(handle, "deny")
        self.decide(handle, "allow", "full")
        self.assertEqual(self.connection().scope, "read_only")

    def test_the_way_back_leads_to_the_sidecar(self):
        url = self.env["mcp.oauth.request"].with_user(self.user)._decide(self.handle, "allow", "full")
        self.assertRegex(url, rf"^{ISSUER}/oauth/resume\?request={self.handle}&approval=[0-9A-Za-z]{{43}}$")

    # === Who may not ===

    def test_users_that_may_not(self):
        archived = new_test_user(self.env, "mcp_test_archived", "mcp_sidecar.group_user")
        archived.active = False
        slipped = new_test_user(self.env, "mcp_test_slipped", "mcp_sidecar.group_user")
        self.slip_into_service(slipped)
        root = self.env["res.users"].browse(SUPERUSER_ID)
        for person in (self.portal, self.employee, self.settings_admin, self.service, archived, slipped, root):
            with self.subTest(person.login):
                with self.assertRaises(UserError):
                    self.values(user=person)
                with self.assertRaises(UserError):
                    self.decide(self.handle, user=person)
        self.assertEqual(self.values()["status"], "pending")
        for person in (self.user, self.admin, self.system):
            self.assertTrue(self.values(user=person))

    def test_unknown_handles(self):
        for handle in ("", "x", self.handle[:-1], self.handle.swapcase(), None, False, 1, [self.handle], "%"):
            with self.assertRaises(UserError):
                self.env["mcp.oauth.request"].with_user(self.user)._consent_values(handle)
            with self.assertRaises(UserError):
                self.decide(handle)

    def test_a_login_that_another_user_has_decided(self):
        self.decide(self.handle)
        with self.assertRaises(UserError):
            self.values(user=self.admin)
        with self.assertRaises(UserError):
            self.decide(self.handle, user=self.admin)

    def test_expired_archived_revoked_and_switched_off(self):
        request = self.env["mcp.oauth.request"].search([], limit=1)
        request_of = {"expired": lambda: self.age(request, 601, "expires_at")}
        request_of["archived"] = lambda: self.client(self.ref).write({"active": False})
        request_of["off"] = lambda: self.settings.write({"enable_oauth": False})
        request_of["all off"] = lambda: self.settings.write({"enabled": False})
        for name, change in request_of.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                self.assertTrue(self.values())
                change()
                self.env.flush_all()
                for way in (self.values, lambda: self.decide(self.handle)):
                    with self.assertRaises(UserError):
                        way()
                savepoint.rollback()
                self.env.invalidate_all()
        self.log_in(self.ref)
        self.connection().action_revoke()
        for way in (self.values, lambda: self.decide(self.handle)):
            with self.assertRaises(UserError):
                way()
        self.connection().action_reactivate()
        self.assertTrue(self.decide(self.handle))

    def test_answers_that_are_none(self):
        for decision, scope in (("", "full"), ("maybe", "full"), (None, "full"), ("allow", ""), ("allow", "any")):
            with self.assertRaises(UserError):
                self.env["mcp.oauth.request"].with_user(self.user)._decide(self.handle, decision, scope)
        self.assertEqual(self.values()["status"], "pending")

    # === Only the page ===

    def test_only_the_page_in_a_session_of_ones_own(self):
        self.own_page.return_value = False
        with self.assertRaises(AccessError):
            self.decide(self.handle)
        self.own_page.return_value = True
        with self.assertRaises(AccessError):
            self.env["mcp.oauth.request"].with_user(self.user).sudo()._decide(self.handle, "allow", "full")
        self.assertEqual(self.values()["status"], "pending")

    def test_no_tool_allows_itself_or_reads_what_it_could_allow(self):
        proof = self.proof_of(self.system)
        for model in ("mcp.oauth.request", "mcp.oauth.client"):
            step = {"op": "search_count", "model": model, "domain": []}
            self.assert_fault(self.fault(step, proof=proof), "access_denied", model=model)
        for method in ("_decide", "_consent_values"):
            fault = self.fault(call("mcp.oauth.request", method, [], self.handle), proof=proof, mode="run")
            self.assertIn(fault.code, ("access_denied", "method_denied"))

    # === Audit ===

    def test_acts_are_logged_without_secrets(self):
        before = len(self.acts())
        approval = self.decide(self.handle)
        self.decide(self.begin(self.ref)[0], "deny")
        self.assertEqual(self.acts()[before:], ["odoo/oauth_allow", "odoo/oauth_deny"])
        entry = self.env["mcp.audit.log"].search([("method", "=", "odoo/oauth_allow")], limit=1)
        self.assertEqual(
            (entry.user_id, entry.user_name, entry.connection_id, entry.client, entry.count, entry.status),
            (self.user.id, self.user.name, self.connection().id, "Claude", 0, "success"),
        )
        row = repr(entry.read())
        for secret in (approval, self.handle, self.cookie, REDIRECT):
            self.assertNotIn(secret, row)
        ends = self.env["mcp.audit.checkpoint"]._ends("odoo")
        self.assertIsNone(hash_chain.first_break(self.env, "odoo", *ends))
