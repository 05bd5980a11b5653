from odoo.tests import tagged

from ..gateway.auth import credentials
from .oauth_common import ISSUER, REDIRECT, RESOURCE, OauthCase, new_proof, proof_of_text


@tagged("-at_install", "post_install")
class TestBegin(OauthCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ref_uris = [REDIRECT, "http://127.0.0.1/cb", "cursor://a/cb"]

    def setUp(self):
        super().setUp()
        self.ref = self.register(self.ref_uris)

    def test_digests_only_and_the_state_byte_for_byte(self):
        state = "".join(chr(code) for code in range(0x20, 0x7F)) + "ü€😀" + "x" * 2000
        handle, cookie, answer = self.begin(self.ref, state=state)
        self.assertEqual(answer, {"expires_in": 600})
        self.env.flush_all()
        self.env.cr.execute("SELECT mcp_oauth_request::text FROM mcp_oauth_request ORDER BY id DESC LIMIT 1")
        row = self.env.cr.fetchone()[0]
        for secret in (handle, cookie, proof_of_text(handle), proof_of_text(cookie)):
            self.assertNotIn(secret, row)
        answer = self.resume(handle, cookie, self.decide(handle))
        self.assertEqual(answer["client_state"], state)

    def test_an_empty_state_and_none(self):
        for state in ("", None):
            handle, cookie, _answer = self.begin(self.ref, state=state)
            self.assertEqual(self.resume(handle, cookie, self.decide(handle))["client_state"], state)

    def test_redirect_uris(self):
        for uri in (REDIRECT, "http://127.0.0.1:33418/cb", "cursor://a/cb"):
            self.assertEqual(self.begin(self.ref, redirect_uri=uri)[2], {"expires_in": 600}, uri)
        for uri in ("http://localhost/cb", f"{REDIRECT}/", f"{REDIRECT}?x", "https://evil.example/cb", "cursor://b/cb"):
            self.assert_refused(self.begin(self.ref, redirect_uri=uri)[2], "invalid_request", "redirect_uri")

    def test_the_issuer_is_confirmed_or_was_before(self):
        self.settings.previous_public_urls = "https://old.example.com\nhttp://127.0.0.1:8765"
        self.settings.flush_recordset()
        for issuer in (ISSUER, "https://old.example.com", "http://127.0.0.1:8765"):
            answer = self.begin(self.ref, issuer=issuer, resource=f"{issuer}/odoo/mcp")[2]
            self.assertEqual(answer, {"expires_in": 600}, issuer)
        for issuer in (f"{ISSUER}/", f"{ISSUER}/x", "https://evil.example", "http://odoo.example.com", "x"):
            answer = self.begin(self.ref, issuer=issuer, resource=f"{issuer}/odoo/mcp")[2]
            self.assert_refused(answer, "invalid_request", "issuer")

    def test_without_a_public_url_there_is_no_issuer(self):
        self.settings.public_url = False
        self.settings.flush_recordset()
        self.assert_refused(self.begin(self.ref)[2], "invalid_request", "issuer")

    def test_the_resource_is_that_of_the_issuer(self):
        for resource in (ISSUER, f"{RESOURCE}/", "https://evil.example/odoo/mcp"):
            self.assert_refused(self.begin(self.ref, resource=resource)[2], "invalid_target", "resource")

    def test_the_challenge_has_the_form_of_s256(self):
        self.assert_refused(self.begin(self.ref, code_challenge="*" * 43)[2], "invalid_request", "code_challenge")
        fault = self.refused(lambda: self.begin(self.ref, code_challenge="x"))
        self.assert_fault(fault, "bad_request", at="code_challenge")

    def test_a_client_that_logs_nobody_in(self):
        _client, ref = self.manual(redirect_uris=None, client_credentials_user=self.user)
        self.assert_refused(self.begin(ref)[2], "unauthorized_client", "grant_type")

    def test_the_switches(self):
        self.settings.enable_oauth = False
        self.settings.flush_recordset()
        self.assert_refused(self.begin(self.ref)[2], "access_denied", "oauth_disabled")
        self.settings.enabled = False
        self.settings.flush_recordset()
        self.assert_fault(self.refused(lambda: self.begin(self.ref)), "disabled")


@tagged("-at_install", "post_install")
class TestResume(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()
        self.handle, self.cookie, _answer = self.begin(self.ref)

    def state(self, approval=None, **changes):
        handle, cookie = changes.get("handle", self.handle), changes.get("cookie", self.cookie)
        return self.resume(handle, cookie, approval, changes.get("code"))["state"]

    def request(self):
        digest = credentials.digest(proof_of_text(self.handle))
        return self.env["mcp.oauth.request"].search([("request_digest", "=", digest)])

    def test_the_way_of_a_login(self):
        self.assertEqual(self.state(), "pending")
        approval = self.decide(self.handle)
        answer = self.resume(self.handle, self.cookie, approval)
        connection = self.env["mcp.connection"].search([("oauth_client_id", "=", self.client(self.ref).id)])
        self.assertEqual(
            answer,
            {
                "state": "approved",
                "redirect_uri": REDIRECT,
                "client_state": "af0ifjsldkj",
                "client_name": "Claude",
                "issuer": ISSUER,
                "user": self.user.id,
                "connection": connection.id,
            },
        )
        # the page is loaded again: the same code
        self.assertEqual(self.state(approval), "approved")
        self.exchange(self.ref, proof_of_text(f"code {self.handle}"))
        self.assertEqual(self.state(approval), "used")

    def test_only_the_browser_that_began_goes_on(self):
        """Another one is answered nothing: neither that there is such a login nor where it leads."""
        approval = self.decide(self.handle)
        for answer in (
            self.resume(self.handle, credentials.random_text(), approval),
            self.resume(credentials.random_text(), self.cookie, approval),
            # an attacker's own login that the victim's decision is put into
            self.resume(self.begin(self.ref)[0], self.cookie, approval),
            self.resume(self.handle, self.cookie, credentials.random_text()),
            self.resume(self.handle, self.cookie, None),
        ):
            self.assertEqual(answer.pop("state"), "unknown")
            self.assertFalse(any(answer.values()))
        self.assertEqual(self.state(approval), "approved")

    def test_the_newest_approval_counts(self):
        first, second = self.decide(self.handle), self.decide(self.handle)
        self.assertEqual(self.state(first), "unknown")
        self.assertEqual(self.state(second), "approved")
        # a third click, on the way back: the same code again
        self.assertEqual(self.state(self.decide(self.handle)), "approved")

    def test_another_code_is_not_taken(self):
        approval = self.decide(self.handle)
        self.assertEqual(self.state(approval), "approved")
        self.assertEqual(self.state(approval, code=new_proof()), "unknown")

    def test_denied(self):
        approval = self.decide(self.handle, "deny")
        answer = self.resume(self.handle, self.cookie, approval)
        self.assertEqual((answer["state"], answer["redirect_uri"], answer["connection"]), ("denied", REDIRECT, None))
        self.assertFalse(self.env["mcp.connection"].search([("oauth_client_id", "!=", False)]))

    def test_expired(self):
        self.age(self.request(), 601, "expires_at")
        self.assertEqual(self.state(), "expired")
        self.handle, self.cookie, _answer = self.begin(self.ref)
        approval = self.decide(self.handle)
        self.age(self.request(), 601, "expires_at")
        self.assertEqual(self.state(approval), "expired")

    def test_a_code_that_waited_too_long(self):
        approval = self.decide(self.handle)
        self.assertEqual(self.state(approval), "approved")
        self.age(self.request(), 61, "code_expires_at")
        self.assertEqual(self.state(approval), "expired")

    def test_what_was_taken_back_meanwhile(self):
        for take_back in (
            lambda connection: connection.action_revoke(),
            lambda connection: connection.user_id.write(
                {"group_ids": [(3, self.env.ref("mcp_sidecar.group_user").id)]}
            ),
            lambda connection: connection.oauth_client_id.write({"active": False}),
        ):
            ref = self.register()
            self.join_mcp(self.user)
            handle, cookie, _answer = self.begin(ref)
            approval = self.decide(handle)
            take_back(self.env["mcp.connection"].search([("oauth_client_id", "=", self.client(ref).id)]))
            self.assertEqual(self.resume(handle, cookie, approval)["state"], "denied")
