from odoo.tests import tagged

from .oauth_common import ISSUER, REDIRECT, RESOURCE, OauthCase, challenge, new_proof, proof_of_text


@tagged("-at_install", "post_install")
class TestCode(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()

    def newest_request(self):
        return self.env["mcp.oauth.request"].search([], order="id desc", limit=1)

    def test_a_code_gives_a_pair_that_works(self):
        code = self.code_for(self.ref)
        answer = self.exchange(self.ref, code)
        [connection] = self.env["mcp.connection"].search([("oauth_client_id", "=", self.client(self.ref).id)])
        self.assertEqual(
            answer,
            {
                "granted": {
                    "scope": ["mcp:read", "mcp:write"],
                    "expires_in": 3600,
                    "refresh": True,
                    "client_name": "Claude",
                    "connection": connection.id,
                    "user": self.user.id,
                }
            },
        )
        document = self.authenticate(proof_of_text(f"access {code}"))
        self.assertEqual((document["connection"]["kind"], document["user"]["id"]), ("oauth", self.user.id))
        self.assertEqual(document["audience"], RESOURCE)
        self.assertTrue(document["expires_at"])
        self.assertEqual((connection.token_count, connection.method_level), (2, "buttons"))
        result = self.execute({"op": "session"}, proof=proof_of_text(f"access {code}"))
        self.assertEqual(result[0]["user"]["id"], self.user.id)
        self.assertTrue(self.client(self.ref).last_used)

    def test_only_digests_are_stored(self):
        code = self.code_for(self.ref)
        self.exchange(self.ref, code)
        self.env.flush_all()
        self.env.cr.execute("SELECT string_agg(mcp_credential::text, ' ') FROM mcp_credential")
        rows = self.env.cr.fetchone()[0]
        for proof in (code, proof_of_text(f"access {code}"), proof_of_text(f"refresh {code}")):
            self.assertNotIn(proof, rows)

    def test_a_refresh_token_and_a_code_open_no_call(self):
        code = self.code_for(self.ref)
        self.assert_dead(code)
        self.exchange(self.ref, code)
        refresh = proof_of_text(f"refresh {code}")
        self.assert_dead(refresh)
        self.assert_fault(self.fault({"op": "session"}, proof=refresh), "unauthenticated", reason="unknown")
        self.assert_dead(code)

    def test_a_code_that_is_used_again_revokes_what_came_of_it(self):
        access, refresh, connection = self.log_in(self.ref)
        other = self.log_in(self.ref)
        code = self.code_for(self.ref)
        self.exchange(self.ref, code)
        # with the same pair as well: there is no grace for a code
        self.assert_refused(self.exchange(self.ref, code), "invalid_grant", "reused")
        self.assert_dead(proof_of_text(f"access {code}"))
        self.assert_refused(self.refresh(self.ref, proof_of_text(f"refresh {code}")), "invalid_grant", "unknown")
        # other logins go on
        for proof in (access, other[0]):
            self.assertTrue(self.authenticate(proof))
        self.assertIn("granted", self.refresh(self.ref, refresh))
        self.assertTrue(connection.active)

    def test_reuse_names_whose_it_is(self):
        code = self.code_for(self.ref)
        granted = self.exchange(self.ref, code)["granted"]
        refused = self.exchange(self.ref, code)["refused"]
        self.assertEqual((refused["connection"], refused["user"]), (granted["connection"], granted["user"]))

    def test_refusals_that_leave_the_code_good(self):
        code = self.code_for(self.ref)
        other = self.register()
        made, made_ref = self.manual()
        for changes, error, reason in (
            ({"code": new_proof()}, "invalid_grant", "unknown"),
            ({"client": other}, "invalid_grant", "client"),
            ({"client": made_ref}, "invalid_grant", "client"),
            ({"redirect_uri": f"{REDIRECT}/"}, "invalid_grant", "redirect_uri"),
            ({"redirect_uri": "http://127.0.0.1/"}, "invalid_grant", "redirect_uri"),
            ({"code_challenge": challenge("another verifier")}, "invalid_grant", "code_verifier"),
            ({"code_challenge": None}, "invalid_grant", "code_verifier"),
            ({"resource": ISSUER}, "invalid_target", "resource"),
            ({"resource": "https://evil.example/odoo/mcp"}, "invalid_target", "resource"),
        ):
            with self.subTest(changes):
                asked = {"code": code, **changes}
                client = asked.pop("client", self.ref)
                self.assert_refused(self.exchange(client, asked.pop("code"), **asked), error, reason)
        self.assertIn("granted", self.exchange(self.ref, code, redirect_uri=None, resource=None))
        self.assertTrue(made)

    def test_the_port_of_this_machine_may_differ(self):
        ref = self.register(["http://127.0.0.1/cb"])
        code = self.code_for(ref, redirect_uri="http://127.0.0.1:33418/cb")
        answer = self.exchange(ref, code, redirect_uri="http://localhost:33418/cb")
        self.assert_refused(answer, "invalid_grant", "redirect_uri")
        self.assertIn("granted", self.exchange(ref, code, redirect_uri="http://127.0.0.1:33419/cb"))

    def test_a_code_lives_for_a_minute(self):
        code = self.code_for(self.ref)
        self.age(self.newest_request(), 59, "code_expires_at")
        code_2 = self.code_for(self.ref)
        self.age(self.newest_request(), 61, "code_expires_at")
        self.assertIn("granted", self.exchange(self.ref, code))
        self.assert_refused(self.exchange(self.ref, code_2), "invalid_grant", "expired")

    def test_what_was_taken_back_meanwhile(self):
        code = self.code_for(self.ref)
        connection = self.env["mcp.connection"].search([("oauth_client_id", "=", self.client(self.ref).id)])
        self.leave_mcp(self.user)
        self.assert_refused(self.exchange(self.ref, code), "invalid_grant", "user")
        self.join_mcp(self.user)
        connection.action_revoke()
        self.assert_refused(self.exchange(self.ref, code), "invalid_grant", "revoked")
        self.settings.enable_oauth = False
        self.settings.flush_recordset()
        self.assert_refused(self.exchange(self.ref, code), "access_denied", "oauth_disabled")
        self.settings.enabled = False
        self.settings.flush_recordset()
        self.assert_fault(self.refused(lambda: self.exchange(self.ref, code)), "disabled")


@tagged("-at_install", "post_install")
class TestRefresh(OauthCase):
    def setUp(self):
        super().setUp()
        self.ref = self.register()
        self.access, self.token, self.connection = self.log_in(self.ref)

    def used(self):
        return self.env["mcp.credential"].search([("used_at", "!=", False)], order="id desc", limit=1)

    def test_rotation(self):
        answer = self.refresh(self.ref, self.token)
        self.assertEqual((answer["granted"]["expires_in"], answer["granted"]["refresh"]), (3600, True))
        self.assertTrue(self.authenticate(proof_of_text(f"access {self.token}")))
        second = proof_of_text(f"refresh {self.token}")
        self.assertIn("granted", self.refresh(self.ref, second))
        self.assertTrue(self.authenticate(proof_of_text(f"access {second}")))
        # a call under way ends with the token that it began with
        self.assertTrue(self.authenticate(self.access))

    def test_repeated_within_the_grace(self):
        first = self.refresh(self.ref, self.token)
        self.age(self.tokens(self.connection), 20, "used_at", "expires_at")
        for _again in range(10):
            answer = self.refresh(self.ref, self.token)
            self.assertAlmostEqual(answer["granted"]["expires_in"], 3580, delta=8)
            answer["granted"]["expires_in"] = 3600
            self.assertEqual(answer, first)
        self.assertEqual(len(self.tokens(self.connection)), 4)
        self.assertTrue(self.authenticate(proof_of_text(f"access {self.token}")))

    def assert_reused(self, token=None):
        self.assert_refused(self.refresh(self.ref, token or self.token), "invalid_grant", "reused")
        self.assertFalse(self.tokens(self.connection))
        self.assert_dead(self.access)
        self.assert_dead(proof_of_text(f"access {self.token}"))
        # the person can log in again
        self.assertTrue(self.connection.active)
        self.assertTrue(self.log_in(self.ref))

    def test_used_again_after_the_grace(self):
        self.refresh(self.ref, self.token)
        self.age(self.used(), 61, "used_at")
        self.assert_reused()

    def test_of_an_older_generation_within_the_grace(self):
        self.refresh(self.ref, self.token)
        self.refresh(self.ref, proof_of_text(f"refresh {self.token}"))
        self.assert_reused()

    def test_without_grace(self):
        self.settings.refresh_token_grace = 0
        self.settings.flush_recordset()
        self.assertIn("granted", self.refresh(self.ref, self.token))
        self.assertIn("granted", self.refresh(self.ref, proof_of_text(f"refresh {self.token}")))
        self.assert_reused(proof_of_text(f"refresh {self.token}"))

    def test_the_grace_is_that_of_the_settings(self):
        self.settings.refresh_token_grace = 300
        self.settings.flush_recordset()
        self.refresh(self.ref, self.token)
        self.age(self.used(), 299, "used_at")
        self.assertIn("granted", self.refresh(self.ref, self.token))

    def test_repeated_with_another_pair(self):
        """A sidecar with another key can't give what the first one gave."""
        for name in ("access", "refresh"):
            with self.subTest(name):
                ref = self.register()
                _access, token, connection = self.log_in(ref)
                self.refresh(ref, token)
                answer = self.refresh(ref, token, **{name: new_proof()})
                self.assert_refused(answer, "invalid_grant", "reused")
                self.assertFalse(self.tokens(connection))

    def test_reuse_ends_one_login_and_no_other(self):
        other = self.log_in(self.ref)
        self.refresh(self.ref, self.token)
        self.age(self.used(), 61, "used_at")
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "reused")
        self.assertTrue(self.authenticate(other[0]))
        self.assertIn("granted", self.refresh(self.ref, other[1]))

    def test_narrowing(self):
        answer = self.refresh(self.ref, self.token, scope=["mcp:read"])
        self.assertEqual(answer["granted"]["scope"], ["mcp:read"])
        document = self.authenticate(proof_of_text(f"access {self.token}"))["connection"]
        self.assertEqual((document["scope"], document["method_level"]), ("read_only", "none"))
        # the client may have all of it back
        second = proof_of_text(f"refresh {self.token}")
        answer = self.refresh(self.ref, second, scope=["mcp:read", "mcp:write"])
        self.assertEqual(answer["granted"]["scope"], ["mcp:read", "mcp:write"])
        third = proof_of_text(f"refresh {second}")
        self.assertEqual(self.refresh(self.ref, third, scope=["openid"])["granted"]["scope"], ["mcp:read", "mcp:write"])

    def test_never_more_than_was_allowed(self):
        narrowed = self.log_in(scope="read_only")
        reading = self.log_in(scope="full", wanted=["mcp:read"])
        for _access, token, connection in (narrowed, reading):
            ref = {**self.ref, "client_id": connection.oauth_client_id.client_id}
            answer = self.refresh(ref, token, scope=["mcp:read", "mcp:write"])
            self.assertEqual(answer["granted"]["scope"], ["mcp:read"])

    def test_refusals_that_leave_the_token_good(self):
        other = self.register()
        for changes, error, reason in (
            ({"token": new_proof()}, "invalid_grant", "unknown"),
            ({"token": self.access}, "invalid_grant", "unknown"),
            ({"ref": other}, "invalid_grant", "client"),
            ({"resource": "https://evil.example/odoo/mcp"}, "invalid_target", "resource"),
        ):
            with self.subTest(changes):
                asked = {"ref": self.ref, "token": self.token, **changes}
                answer = self.refresh(asked.pop("ref"), asked.pop("token"), **asked)
                self.assert_refused(answer, error, reason)
        self.assertIn("granted", self.refresh(self.ref, self.token, resource=RESOURCE))

    def test_expired(self):
        self.age(self.tokens(self.connection, "refresh_token"), 30 * 86400 + 1, "expires_at")
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "expired")

    def test_users_that_may_not(self):
        self.leave_mcp(self.user)
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "user")
        self.assert_dead(self.access, "user")
        self.join_mcp(self.user)
        self.user.active = False
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "user")
        self.assert_dead(self.access, "user")
        self.user.active = True
        self.assertIn("granted", self.refresh(self.ref, self.token))
        self.slip_into_service(self.user)
        self.assert_refused(self.refresh(self.ref, proof_of_text(f"refresh {self.token}")), "invalid_grant", "user")
        self.assert_dead(self.access, "user")

    def test_switched_off(self):
        self.settings.enable_oauth = False
        self.settings.flush_recordset()
        self.assert_refused(self.refresh(self.ref, self.token), "access_denied", "oauth_disabled")
        self.assert_dead(self.access, "revoked")
        # keys go on
        self.assertTrue(self.authenticate(self.user_proof))
        self.settings.enable_oauth = True
        self.settings.flush_recordset()
        self.assertTrue(self.authenticate(self.access))
        self.assertIn("granted", self.refresh(self.ref, self.token))

    def test_lifetimes_follow_the_settings_at_once(self):
        self.settings.write({"access_token_timeout": 120, "refresh_token_timeout": 600})
        self.env.flush_all()
        expiry = self.authenticate(self.access)["expires_at"]
        token = self.tokens(self.connection, "access_token")
        self.assertEqual((token.expires_at - token.create_date).total_seconds(), 120)
        self.assertEqual(expiry, token.expires_at.isoformat(timespec="seconds") + "Z")
        self.age(self.tokens(self.connection, "refresh_token"), 601, "create_date", "expires_at")
        self.assert_refused(self.refresh(self.ref, self.token), "invalid_grant", "expired")
        code = self.code_for(self.ref)
        self.assertEqual(self.exchange(self.ref, code)["granted"]["expires_in"], 120)
        refresh = proof_of_text(f"refresh {code}")
        # a longer life is for new ones
        self.settings.access_token_timeout = 3600
        self.env.flush_all()
        self.assertEqual(self.refresh(self.ref, refresh)["granted"]["expires_in"], 3600)

    def test_a_shorter_life_is_published(self):
        noted = self.notes()
        self.settings.access_token_timeout = 60
        self.assertIn(("connection", self.connection.id), noted)


@tagged("-at_install", "post_install")
class TestClientCredentials(OauthCase):
    def setUp(self):
        super().setUp()
        self.made, self.ref = self.manual(redirect_uris=None, client_credentials_user=self.user)

    def token(self, ref=None, **changes):
        asked = {"client": ref or self.ref, "scope": None, "resource": None, "access": new_proof(), "ip": None}
        self.access = (asked | changes)["access"]
        return self.ask("oauth_client_credentials", {**asked, **changes})

    def test_a_token_that_works(self):
        answer = self.token()
        [connection] = self.made.connection_ids
        self.assertEqual(
            answer["granted"],
            {
                "scope": ["mcp:read", "mcp:write"],
                "expires_in": 3600,
                "refresh": False,
                "client_name": "n8n",
                "connection": connection.id,
                "user": self.user.id,
            },
        )
        document = self.authenticate(self.access)
        self.assertEqual((document["audience"], document["user"]["id"]), (RESOURCE, self.user.id))
        self.assertEqual(self.token(scope=["mcp:read"])["granted"]["scope"], ["mcp:read"])
        self.assertEqual(self.authenticate(self.access)["connection"]["scope"], "read_only")

    def test_resources(self):
        for resource in ("https://evil.example/odoo/mcp", ISSUER, f"{RESOURCE}/"):
            self.assert_refused(self.token(resource=resource), "invalid_target", "resource")
        self.assertIn("granted", self.token(resource=RESOURCE))

    def test_clients_without_this_grant(self):
        for ref in (self.register(), self.manual()[1], self.register(secret=new_proof())):
            self.assert_refused(self.token(ref), "unauthorized_client", "grant_type")

    def test_revoked_and_users_that_may_not(self):
        self.token()
        self.made.connection_ids.action_revoke()
        self.assert_dead(self.access)
        self.assert_refused(self.token(), "invalid_grant", "revoked")
        self.made.connection_ids.action_reactivate()
        self.leave_mcp(self.user)
        self.assert_refused(self.token(), "invalid_grant", "user")

    def test_it_is_offered_where_there_is_such_a_client(self):
        offers = self.env["mcp.oauth.client"]._offers_client_credentials
        self.assertTrue(offers())
        self.made.active = False
        self.assertFalse(offers())
