import time

from odoo.tests import tagged

from ..gateway.auth import credentials
from .oauth_common import OauthCase, new_proof, proof_of_text

DOCUMENT_URL = "https://tool.example.com/oauth/client.json"
DOCUMENT = {
    "name": "Tool",
    "redirect_uris": ["http://127.0.0.1/callback", "https://tool.example.com/callback"],
    "client_uri": "https://tool.example.com",
    "expires_in": 3600,
}


@tagged("-at_install", "post_install")
class TestRegistration(OauthCase):
    def test_a_client_registers_and_is_found(self):
        ref = self.register(["https://claude.ai/cb", "http://localhost/cb"], client_uri="https://claude.ai")
        found = self.ask("oauth_client", {"client_id": ref["client_id"]})["client"]
        self.assertEqual(
            found,
            {
                "client_id": ref["client_id"],
                "name": "Claude",
                "kind": "dynamic",
                "auth_method": "none",
                "redirect_uris": ["https://claude.ai/cb", "http://localhost/cb"],
                "grant_types": ["authorization_code", "refresh_token"],
                "active": True,
            },
        )
        self.assertEqual(self.client(ref).connection_count, 0)
        self.assertIsNone(self.ask("oauth_client", {"client_id": "mcp_client_x"})["client"])

    def test_when_it_was_issued(self):
        asked = {"name": "x", "redirect_uris": ["https://a.example/"], "auth_method": "none", "secret": None}
        asked |= {"client_id": "mcp_client_" + "x" * 22, "grant_types": [], "client_uri": None, "software_id": None}
        answer = self.ask("oauth_register", {**asked, "ip": None})
        self.assertAlmostEqual(answer["registered"]["issued_at"], time.time(), delta=3600)

    def test_five_at_once_stand_beside_each_other(self):
        refs = [self.register() for _ in range(5)]
        tokens = [self.log_in(ref)[0] for ref in refs]
        for token in tokens:
            self.assertTrue(self.authenticate(token))

    def test_switched_off_others_go_on(self):
        ref = self.register()
        self.settings.allow_dynamic_registration = False
        self.settings.flush_recordset()
        with self.assertRaises(AssertionError) as caught:
            self.register()
        self.assertIn("registration_disabled", str(caught.exception))
        access, _refresh, _connection = self.log_in(ref)
        self.assertTrue(self.authenticate(access))

    def test_a_redirect_uri_that_is_not_accepted(self):
        for uris in ([], ["javascript:alert(1)"], ["https://claude.ai/cb", "http://evil.example/cb"]):
            with self.assertRaises(AssertionError) as caught:
                self.register(uris)
            self.assertIn("invalid_redirect_uri", str(caught.exception))

    def test_a_secret_goes_with_its_method(self):
        for changes in ({"auth_method": "none", "secret": new_proof()}, {"auth_method": "client_secret_post"}):
            with self.assertRaises(AssertionError) as caught:
                self.register(**changes)
            self.assertIn("invalid_client_metadata", str(caught.exception))

    def test_no_other_client_id_and_no_other_grant(self):
        fault = self.refused(lambda: self.register(client_id="https://claude.ai/client.json"))
        self.assert_fault(fault, "bad_request", at="client_id")
        ref = self.register(grant_types=["client_credentials", "password"])
        self.assertEqual(self.client(ref).grant_types, "authorization_code refresh_token")

    def test_a_name_is_one_line_that_can_be_read(self):
        ref = self.register(name="Cl\u202eaude\n\tAdministrator\u200b  ")
        self.assertEqual(self.client(ref).name, "Cl aude Administrator")
        self.assertEqual(self.client(self.register(name="\u202e")).name, "AI tool")


@tagged("-at_install", "post_install")
class TestClientAuthentication(OauthCase):
    def assert_token_refused(self, ref, reason):
        for answer in (
            self.exchange(ref, new_proof()),
            self.refresh(ref, new_proof()),
            self.ask("oauth_revoke", {"client": ref, "token": new_proof()}),
            self.ask("oauth_introspect", {"client": ref, "token": new_proof()}),
            self.ask(
                "oauth_client_credentials",
                {"client": ref, "scope": None, "resource": None, "access": new_proof(), "ip": None},
            ),
        ):
            self.assert_refused(answer, "invalid_client", reason)

    def test_unknown(self):
        self.assert_token_refused({"client_id": "unknown", "secret": None, "auth_method": "none"}, "unknown")

    def test_secrets(self):
        secret = credentials.generate("client_secret")
        ref = self.register(secret=proof_of_text(secret))
        self.assert_token_refused({**ref, "secret": new_proof()}, "secret")
        self.assert_token_refused({**ref, "secret": None}, "method")
        self.assert_token_refused({**ref, "secret": None, "auth_method": "none"}, "method")
        for method in ("client_secret_basic", "client_secret_post"):
            self.assert_refused(self.refresh({**ref, "auth_method": method}, new_proof()), "invalid_grant", "unknown")

    def test_the_secret_of_a_public_client_is_ignored(self):
        ref = self.register()
        for method in ("client_secret_basic", "client_secret_post"):
            shown = {**ref, "secret": new_proof(), "auth_method": method}
            self.assert_refused(self.refresh(shown, new_proof()), "invalid_grant", "unknown")

    def test_archived(self):
        ref = self.register()
        access, refresh, _connection = self.log_in(ref)
        self.client(ref).active = False
        self.assert_token_refused(ref, "archived")
        self.assert_dead(access)
        self.assert_refused(self.begin(ref)[2], "invalid_client", "archived")
        self.client(ref).active = True
        self.assert_refused(self.refresh(ref, refresh), "invalid_grant", "unknown")
        self.assertTrue(self.log_in(ref))


@tagged("-at_install", "post_install")
class TestMetadataDocuments(OauthCase):
    REDIRECT = {"redirect_uri": "http://127.0.0.1:33418/callback"}

    def begin_with(self, document=None, **changes):
        ref = {"client_id": DOCUMENT_URL, "secret": None, "auth_method": "none"}
        return self.begin(ref, document={**DOCUMENT, **(document or {})}, **{**self.REDIRECT, **changes})

    def document_client(self):
        return self.client({"client_id": DOCUMENT_URL})

    def test_a_document_makes_a_client_and_keeps_it_current(self):
        self.assertEqual(self.begin_with()[2], {"expires_in": 600})
        client = self.document_client()
        self.assertEqual((client.kind, client.name, client.auth_method), ("document", "Tool", "none"))
        self.begin_with({"name": "Tool 2", "redirect_uris": ["http://127.0.0.1/callback"]})
        self.assertEqual(self.document_client(), client)
        self.assertEqual((client.name, client.redirect_uris), ("Tool 2", "http://127.0.0.1/callback"))
        # a copy that is still warm: the document is not sent again
        ref = {"client_id": DOCUMENT_URL, "secret": None, "auth_method": "none"}
        self.assertEqual(self.begin(ref, **self.REDIRECT)[2], {"expires_in": 600})

    def test_its_redirect_uris_are_judged(self):
        answer = self.begin_with({"redirect_uris": ["data:text/html,x"]})[2]
        self.assert_refused(answer, "invalid_redirect_uri", "redirect_uri")
        mixed = {"redirect_uris": ["data:text/html,x", "http://127.0.0.1/callback"]}
        self.assertEqual(self.begin_with(mixed)[2], {"expires_in": 600})
        self.assertEqual(self.document_client().redirect_uris, "http://127.0.0.1/callback")
        answer = self.begin_with(mixed, redirect_uri="data:text/html,x")[2]
        self.assert_refused(answer, "invalid_request", "redirect_uri")
        answer = self.begin_with(redirect_uri="https://evil.example/callback")[2]
        self.assert_refused(answer, "invalid_request", "redirect_uri")

    def test_no_document_takes_over_another_client(self):
        ref = self.register()
        answer = self.begin(ref, document={**DOCUMENT, "redirect_uris": ["https://evil.example/cb"]})[2]
        self.assert_refused(answer, "invalid_client", "unknown")
        self.assertEqual(self.client(ref).redirect_uris, "https://claude.ai/api/mcp/auth_callback")

    def test_an_archived_one_stays_so(self):
        self.begin_with()
        self.document_client().active = False
        self.assert_refused(self.begin_with()[2], "invalid_client", "archived")


@tagged("-at_install", "post_install")
class TestSweep(OauthCase):
    def test_what_nobody_allowed_goes_after_a_day(self):
        unused, used, young, asking = (self.register() for _ in range(4))
        made, _ref = self.manual()
        self.log_in(used)
        clients = {name: self.client(ref) for name, ref in (("unused", unused), ("used", used), ("asking", asking))}
        for client in (*clients.values(), made):
            self.age(client, 25 * 3600, "create_date")
        self.begin(asking)
        self.env["mcp.oauth.client"]._sweep()
        self.assertFalse(clients["unused"].exists())
        self.assertTrue(all(c.exists() for c in (clients["used"], clients["asking"], made, self.client(young))))

    def test_requests_and_tokens_go_after_they_expired(self):
        _access, _refresh, connection = self.log_in()
        requests = self.env["mcp.oauth.request"].search([("connection_id", "=", connection.id)])
        self.age(requests, 600 + 3500, "expires_at")
        self.env["mcp.oauth.client"]._sweep()
        self.assertTrue(requests.exists())
        self.age(requests, 200, "expires_at")
        self.age(self.tokens(connection, "access_token"), 2 * 86400, "expires_at")
        key = self.env["mcp.connection"].create_api_key("Key", self.admin.id)
        self.env["mcp.oauth.client"]._sweep()
        self.assertFalse(requests.exists())
        self.assertEqual(self.tokens(connection).mapped("kind"), ["refresh_token"])
        self.assertTrue(self.resolve(key))
