import time

from odoo.tests import tagged

from ..gateway.auth import credentials
from .oauth_common import RESOURCE, OauthCase, new_proof, proof_of_text


@tagged("-at_install", "post_install")
class TestRevocation(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()
        self.access, self.token, self.connection = self.log_in(self.ref)

    def revoke(self, token, ref=None):
        return self.ask("oauth_revoke", {"client": ref or self.ref, "token": token})

    def test_either_token_ends_the_login(self):
        for number in range(3):
            other = self.log_in(self.ref)
            pair = self.log_in(self.ref)
            self.refresh(self.ref, pair[1])
            newest = proof_of_text(f"refresh {pair[1]}")
            token = (pair[0], pair[1], newest)[number]
            noted = self.notes()
            whose = {"connection": self.connection.id, "user": self.user.id}
            self.assertEqual(self.revoke(token), {"revoked": True, **whose})
            self.assertIn(("connection", self.connection.id), noted)
            for proof in (pair[0], proof_of_text(f"access {pair[1]}")):
                self.assert_dead(proof)
            self.assert_refused(self.refresh(self.ref, newest), "invalid_grant", "unknown")
            self.assertTrue(self.authenticate(other[0]))

    def test_what_is_not_there_or_not_its_own(self):
        nothing = {"revoked": False, "connection": None, "user": None}
        other = self.register()
        key_proof = self.user_proof
        for token, ref in ((new_proof(), self.ref), (self.access, other), (self.token, other), (key_proof, self.ref)):
            self.assertEqual(self.revoke(token, ref), nothing)
        self.assertTrue(self.authenticate(self.access))
        self.assertTrue(self.authenticate(key_proof))

    def test_while_oauth_is_off(self):
        self.settings.enable_oauth = False
        self.settings.flush_recordset()
        self.assertTrue(self.revoke(self.token)["revoked"])

    def test_a_token_of_client_credentials(self):
        made, ref = self.manual(redirect_uris=None, client_credentials_user=self.user)
        proofs = [new_proof(), new_proof()]
        for proof in proofs:
            asked = {"client": ref, "scope": None, "resource": None, "access": proof, "ip": None}
            self.ask("oauth_client_credentials", asked)
        self.assertTrue(self.revoke(proofs[0], ref)["revoked"])
        self.assert_dead(proofs[0])
        self.assertTrue(self.authenticate(proofs[1]))
        self.assertTrue(made.active)


@tagged("-at_install", "post_install")
class TestIntrospection(OauthCase):
    def setUp(self):
        super().setUp()
        self.secret = proof_of_text(credentials.generate("client_secret"))
        self.ref = self.register(secret=self.secret)
        self.access, self.token, self.connection = self.log_in(self.ref)

    def introspect(self, token, ref=None):
        return self.ask("oauth_introspect", {"client": ref or self.ref, "token": token})

    def test_a_live_token(self):
        answer = self.introspect(self.access)
        exp, iat = answer.pop("exp"), answer.pop("iat")
        # issued with the test's transaction, which began a while ago
        self.assertAlmostEqual(exp - iat, 3600, delta=600)
        self.assertAlmostEqual(iat, time.time(), delta=3600)
        self.assertEqual(
            answer,
            {
                "active": True,
                "scope": ["mcp:read", "mcp:write"],
                "client_id": self.ref["client_id"],
                "username": self.user.login,
                "aud": RESOURCE,
                "sub": str(self.user.id),
            },
        )
        self.assertTrue(self.introspect(self.token)["active"])

    def test_all_others_are_just_not_active(self):
        other = self.register(secret=self.secret)
        dead = {"active": False}
        for token, ref in ((new_proof(), self.ref), (self.access, other), (self.user_proof, self.ref)):
            self.assertEqual(self.introspect(token, ref), dead)
        self.refresh(self.ref, self.token)
        self.assertEqual(self.introspect(self.token), dead)
        self.age(self.tokens(self.connection, "access_token"), 3601, "expires_at")
        self.assertEqual(self.introspect(self.access), dead)

    def test_of_a_user_that_may_not_and_of_a_revoked_connection(self):
        self.leave_mcp(self.user)
        self.assertEqual(self.introspect(self.access), {"active": False})
        self.join_mcp(self.user)
        self.assertTrue(self.introspect(self.access)["active"])
        self.settings.enable_oauth = False
        self.settings.flush_recordset()
        self.assertEqual(self.introspect(self.access), {"active": False})

    def test_a_public_client_may_not(self):
        public = self.register()
        access = self.log_in(public)[0]
        self.assert_refused(self.introspect(access, public), "invalid_client", "method")
