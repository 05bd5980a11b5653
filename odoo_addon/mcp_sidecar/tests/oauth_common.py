"""What the tests of the authorization server share: a login from the client's redirect to its tokens."""

import hashlib
import itertools
from base64 import urlsafe_b64encode
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from ..gateway.auth import credentials
from ..gateway.oauth import consent
from .gateway_common import GatewayCase

ISSUER = "https://odoo.example.com"
RESOURCE = f"{ISSUER}/odoo/mcp"
REDIRECT = "https://claude.ai/api/mcp/auth_callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
IP = "203.0.113.9"
_numbers = itertools.count(1)


def challenge(verifier=VERIFIER):
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def proof_of_text(text):
    return credentials.proof(text)


def new_proof():
    return credentials.proof(credentials.random_text())


class OauthCommon:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings.public_url = ISSUER
        cls.env.flush_all()

    def setUp(self):
        super().setUp()
        # the page itself is tested with its controller; here is what it calls
        self.own_page = self.startPatcher(patch.object(consent, "is_own_page", return_value=True))

    # === Clients ===

    def register(self, redirect_uris=(REDIRECT,), secret=None, **changes):
        """A client that has registered itself: how it refers to itself at the token endpoint."""
        client_id = f"mcp_client_{next(_numbers):022d}"
        method = "client_secret_basic" if secret else "none"
        asked = {
            "client_id": client_id,
            "name": "Claude",
            "redirect_uris": list(redirect_uris),
            "auth_method": method,
            "secret": secret,
            "grant_types": ["authorization_code", "refresh_token"],
            "client_uri": None,
            "software_id": None,
            "ip": IP,
        }
        answer = self.ask("oauth_register", {**asked, **changes})
        self.assertIn("registered", answer, answer)
        return {"client_id": client_id, "secret": secret, "auth_method": method}

    def client(self, ref):
        return (
            self.env["mcp.oauth.client"].with_context(active_test=False).search([("client_id", "=", ref["client_id"])])
        )

    def manual(self, **values):
        """A client that an administrator has made, and how it refers to itself."""
        user = values.pop("by", self.system)
        clients = self.env["mcp.oauth.client"].with_user(user)
        client, secret = clients._create_manual(
            values.pop("name", "n8n"), values.pop("redirect_uris", REDIRECT), values.pop("confidential", True), **values
        )
        ref = {"client_id": client.client_id, "secret": (secret and proof_of_text(secret)) or None}
        return client.sudo(), {**ref, "auth_method": client.auth_method}

    # === A login, step by step ===

    def begin(self, ref, **changes):
        """An authorization request: handle and cookie, and what was answered."""
        handle, cookie = credentials.random_text(), credentials.random_text()
        asked = {
            "request": proof_of_text(handle),
            "browser": proof_of_text(cookie),
            "client_id": ref["client_id"],
            "document": None,
            "redirect_uri": REDIRECT,
            "state": "af0ifjsldkj",
            "code_challenge": challenge(),
            "scope": ["mcp:read", "mcp:write"],
            "resource": RESOURCE,
            "issuer": ISSUER,
            "ip": IP,
            **changes,
        }
        answer = self.ask("oauth_begin", asked)
        return handle, cookie, answer

    def decide(self, handle, decision="allow", scope="full", user=None):
        """The approval that the page leads back with."""
        url = self.env["mcp.oauth.request"].with_user(user or self.user)._decide(handle, decision, scope)
        return parse_qs(urlsplit(url).query)["approval"][0]

    def resume(self, handle, cookie, approval, code=None):
        return self.ask(
            "oauth_resume",
            {
                "request": proof_of_text(handle),
                "browser": proof_of_text(cookie),
                "approval": approval and proof_of_text(approval),
                "code": code or proof_of_text(f"code {handle}"),
            },
        )

    def code_for(self, ref, scope="full", user=None, wanted=("mcp:write",), **changes):
        """The proof of a code that the client was sent, which has wanted these scopes."""
        handle, cookie, answer = self.begin(ref, scope=wanted and list(wanted), **changes)
        self.assertEqual(answer, {"expires_in": 600})
        answer = self.resume(handle, cookie, self.decide(handle, scope=scope, user=user))
        self.assertEqual(answer["state"], "approved")
        return proof_of_text(f"code {handle}")

    def exchange(self, ref, code, **changes):
        asked = {
            "client": ref,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_challenge": challenge(),
            "resource": RESOURCE,
            "access": proof_of_text(f"access {code}"),
            "refresh": proof_of_text(f"refresh {code}"),
            "ip": IP,
        }
        return self.ask("oauth_token", {**asked, **changes})

    def refresh(self, ref, token, **changes):
        asked = {
            "client": ref,
            "token": token,
            "scope": None,
            "resource": None,
            "access": proof_of_text(f"access {token}"),
            "refresh": proof_of_text(f"refresh {token}"),
            "ip": IP,
        }
        return self.ask("oauth_refresh", {**asked, **changes})

    def log_in(self, ref=None, **changes):
        """The proofs of the access and refresh token of a login, and its connection."""
        ref = ref or self.register()
        code = self.code_for(ref, **changes)
        answer = self.exchange(ref, code, redirect_uri=changes.get("redirect_uri", REDIRECT))
        self.assertIn("granted", answer, answer)
        connection = self.env["mcp.connection"].browse(answer["granted"]["connection"])
        return proof_of_text(f"access {code}"), proof_of_text(f"refresh {code}"), connection

    def leave_mcp(self, user):
        """An internal user still, who may no longer connect AI tools."""
        user.group_ids = self.env.ref("base.group_user")
        self.env.flush_all()

    def join_mcp(self, user):
        user.group_ids = self.env.ref("mcp_sidecar.group_user")
        self.env.flush_all()

    # === Judging ===

    def authenticate(self, proof):
        return self.ask("authenticate", {"proof": proof, "ip": IP})

    def assert_refused(self, answer, error, reason):
        self.assertEqual((answer.get("refused") or {}).get("error"), error, answer)
        self.assertEqual(answer["refused"]["reason"], reason)
        self.assertTrue(answer["refused"]["description"].endswith("."))

    def assert_dead(self, proof, reason="unknown"):
        self.assert_fault(self.refused(lambda: self.authenticate(proof)), "unauthenticated", reason=reason)

    def age(self, records, seconds, *names):
        """Lets these instants be so many seconds earlier."""
        self.env.flush_all()
        for name in names:
            self.env.cr.execute(
                f"UPDATE {records._table} SET {name} = {name} - %s * interval '1 second' WHERE id = ANY(%s)",
                [seconds, records.ids],
            )
        self.env.invalidate_all()

    def tokens(self, connection, kind=None):
        found = self.env["mcp.credential"].search([("connection_id", "=", connection.id)])
        return found.filtered(lambda token: not kind or token.kind == kind)

    def acts(self):
        """Methods of the acts of people in the audit log, oldest first."""
        return self.env["mcp.audit.log"].search([("replica", "=", "odoo")], order="sequence").mapped("method")


class OauthCase(OauthCommon, GatewayCase):
    pass
