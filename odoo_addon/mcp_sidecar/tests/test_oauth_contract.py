"""The samples of the authorization server: real requests that mean the same are answered in the same form."""

from odoo.tests import tagged

from ..gateway.auth import credentials
from .oauth_common import REDIRECT, OauthCase, new_proof, proof_of_text
from .test_oauth_clients import DOCUMENT, DOCUMENT_URL
from .test_rpc_contract import cases, form


@tagged("-at_install", "post_install")
class TestOauthContract(OauthCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.samples = {(method, case["name"]): case for method, case in cases() if method.startswith("oauth_")}
        cls.compared = set()

    def compare(self, method, name, answer):
        """An answer has the form of the sample; a refusal is the same to the letter, except for whose it is."""
        agreed = self.samples[method, name]["answer"]
        self.assertEqual(form(answer), form(agreed), name)
        if "refused" in agreed:
            for member in ("error", "reason", "description"):
                self.assertEqual(answer["refused"][member], agreed["refused"][member], name)
        self.compared.add((method, name))

    def switched(self, **values):
        self.settings.write(values)
        self.env.flush_all()

    def test_all_samples(self):
        self._clients()
        self._requests()
        self._codes()
        self._refresh_tokens()
        self._others()
        self.assertEqual(sorted(self.samples.keys() - self.compared), [])

    def _clients(self):
        names = {
            "a client that registered itself": self.register(),
            "a client made by an administrator": self.manual()[1],
            "an unknown client": {"client_id": "mcp_client_0000000000000000000000"},
        }
        self.begin({"client_id": DOCUMENT_URL}, document=DOCUMENT, redirect_uri="http://127.0.0.1:1/callback")
        names["a client that is described by a document"] = {"client_id": DOCUMENT_URL}
        for name, ref in names.items():
            self.compare("oauth_client", name, self.ask("oauth_client", {"client_id": ref["client_id"]}))
        for name in ("a public client", "a confidential client", "a redirect URI that is not accepted"):
            asked = self.samples["oauth_register", name]["request"]
            self.compare("oauth_register", name, self.ask("oauth_register", asked))
        self.switched(allow_dynamic_registration=False)
        name = "registration is switched off"
        asked = self.samples["oauth_register", name]["request"]
        self.compare("oauth_register", name, self.ask("oauth_register", asked))
        self.switched(allow_dynamic_registration=True)

    def _requests(self):
        # the client of these samples has registered by now
        for (method, name), case in self.samples.items():
            if method == "oauth_begin" and name != "OAuth is switched off":
                self.compare(method, name, self.ask(method, case["request"]))
        self.switched(enable_oauth=False)
        name = "OAuth is switched off"
        self.compare("oauth_begin", name, self.ask("oauth_begin", self.samples["oauth_begin", name]["request"]))
        self.switched(enable_oauth=True)
        ref = self.register()
        handle, cookie, _answer = self.begin(ref)
        self.compare("oauth_resume", "not decided yet", self.resume(handle, cookie, None))
        approval = self.decide(handle)
        self.compare("oauth_resume", "another browser", self.resume(handle, credentials.random_text(), approval))
        self.compare("oauth_resume", "approved", self.resume(handle, cookie, approval))
        self.exchange(ref, proof_of_text(f"code {handle}"))
        self.compare("oauth_resume", "the code is used", self.resume(handle, cookie, approval))
        handle, cookie, _answer = self.begin(ref)
        approval = self.decide(handle, "deny")
        self.compare("oauth_resume", "denied", self.resume(handle, cookie, approval))
        handle, cookie, _answer = self.begin(ref)
        self.age(self.env["mcp.oauth.request"].search([], order="id desc", limit=1), 601, "expires_at")
        self.compare("oauth_resume", "expired", self.resume(handle, cookie, None))

    def _codes(self):
        ref, made = self.register(), self.manual()[1]
        code = self.code_for(ref)
        request = self.env["mcp.oauth.request"].search([], order="id desc", limit=1)
        unknown = {**ref, "client_id": "mcp_client_0000000000000000000000"}
        for name, client, changes in (
            ("an unknown code", ref, {"code": new_proof()}),
            ("another redirect URI", ref, {"redirect_uri": f"{REDIRECT}/x"}),
            ("a wrong verifier", ref, {"code_challenge": "A" * 43}),
            ("no verifier", ref, {"code_challenge": None}),
            ("a code of another client", made, {}),
            ("another resource", ref, {"resource": "https://odoo.example.com/other"}),
            ("an unknown client", unknown, {}),
            ("a wrong secret", {**made, "secret": new_proof()}, {}),
            ("no secret", {**made, "secret": None, "auth_method": "none"}, {}),
        ):
            self.compare("oauth_token", name, self.exchange(client, changes.pop("code", code), **changes))
        connection = request.connection_id
        self.leave_mcp(self.user)
        self.compare("oauth_token", "a user that may no longer be acted as", self.exchange(ref, code))
        self.join_mcp(self.user)
        connection.action_revoke()
        self.compare("oauth_token", "a revoked connection", self.exchange(ref, code))
        connection.action_reactivate()
        self.compare("oauth_token", "a code", self.exchange(ref, code))
        self.compare("oauth_token", "a code that was used before", self.exchange(ref, code))
        code = self.code_for(ref)
        request = self.env["mcp.oauth.request"].search([], order="id desc", limit=1)
        self.age(request, 61, "code_expires_at")
        self.compare("oauth_token", "a code that has expired", self.exchange(ref, code))

    def _refresh_tokens(self):
        ref = self.register()
        _access, token, connection = self.log_in(ref)
        self.compare("oauth_refresh", "an unknown token", self.refresh(ref, new_proof()))
        self.compare("oauth_refresh", "a refresh token", self.refresh(ref, token))
        self.compare("oauth_refresh", "the same one again within the grace", self.refresh(ref, token))
        second = proof_of_text(f"refresh {token}")
        self.compare("oauth_refresh", "for less", self.refresh(ref, second, scope=["mcp:read"]))
        self.compare("oauth_refresh", "a token that was used before", self.refresh(ref, token))
        _access, token, connection = self.log_in(ref)
        self.age(self.tokens(connection, "refresh_token"), 31 * 86400, "expires_at")
        self.compare("oauth_refresh", "a token that has expired", self.refresh(ref, token))

    def _others(self):
        made = self.manual(client_credentials_user=self.user)[1]
        asked = {"client": made, "scope": None, "resource": None, "access": new_proof(), "ip": None}
        answer = self.ask("oauth_client_credentials", asked)
        self.compare("oauth_client_credentials", "a client that is bound to a user", answer)
        ref = self.register()
        answer = self.ask("oauth_client_credentials", {**asked, "client": ref})
        self.compare("oauth_client_credentials", "a client without this grant", answer)
        first, second = self.log_in(ref), self.log_in(ref)
        unknown = {**ref, "client_id": "mcp_client_0000000000000000000000"}
        for name, client, token in (
            ("a refresh token", ref, first[1]),
            ("an access token", ref, second[0]),
            ("an unknown token", ref, new_proof()),
            ("an unknown client", unknown, first[1]),
        ):
            self.compare("oauth_revoke", name, self.ask("oauth_revoke", {"client": client, "token": token}))
        for name, client, token in (
            ("a live token", made, asked["access"]),
            ("an unknown token", made, new_proof()),
            ("a public client", ref, asked["access"]),
        ):
            self.compare("oauth_introspect", name, self.ask("oauth_introspect", {"client": client, "token": token}))
