"""Steps that may happen once, done by two workers of Odoo at the same time."""

import contextlib
from unittest.mock import patch

from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..gateway.auth import credentials
from ..gateway.oauth import consent
from ..gateway.rpc import faults
from .gateway_common import CommittedCase
from .oauth_common import ISSUER, REDIRECT, RESOURCE, challenge, new_proof, proof_of_text

CLIENT = {"client_id": "mcp_client_" + "r" * 22, "secret": None, "auth_method": "none"}


@tagged("-at_install", "post_install")
class TestRaces(CommittedCase):
    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(consent, "is_own_page", return_value=True))
        with self.transaction() as env:
            settings = env.ref("mcp_sidecar.settings")
            self.public_url, settings.public_url = settings.public_url, ISSUER
            self.person_id = new_test_user(env, "mcp_test_racer", "mcp_sidecar.group_user").id
        asked = {"name": "Racer", "redirect_uris": [REDIRECT], "grant_types": [], "client_uri": None, "ip": None}
        asked |= {"client_id": CLIENT["client_id"], "auth_method": "none", "secret": None, "software_id": None}
        self.ask_committed("oauth_register", asked)
        self.addCleanup(self._forget)

    def _forget(self):
        with self.transaction() as env:
            env["mcp.oauth.client"].search([("client_id", "=", CLIENT["client_id"])]).unlink()
            env["res.users"].browse(self.person_id).unlink()
            settings = env.ref("mcp_sidecar.settings")
            settings.write({"public_url": self.public_url, "refresh_token_grace": 60})
            # what was done here stands in the log, which others count
            env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
            env.cr.execute("DELETE FROM mcp_audit_log WHERE replica = 'odoo'")
            env.cr.execute("DELETE FROM mcp_audit_checkpoint WHERE replica = 'odoo'")

    def ask_committed(self, method, asked):
        with self.cursor() as cr:
            return self.ask(method, asked, env=self.env(cr=cr))

    @contextlib.contextmanager
    def retried(self):
        """What runs in the block is repeated by Odoo."""
        try:
            yield
        except faults.RETRIED:
            return
        self.fail("Odoo would not have repeated it")

    @mute_logger("odoo.sql_db")
    def raced(self, method, first, second=None):
        """The answers of two requests, the second of which had begun before the first was done."""
        with self.cursor() as cr, self.cursor() as late:
            late.execute("SELECT 1")  # its snapshot is older than what the first one stores
            answer = self.ask(method, first, env=self.env(cr=cr))
            cr.commit()  # pylint: disable=invalid-commit
            with self.retried():
                self.ask(method, second or first, env=self.env(cr=late))
            late.rollback()
            # as Odoo does, again
            return answer, self.ask(method, second or first, env=self.env(cr=late))

    def code(self):
        """The proof of a code, and what exchanges it."""
        handle, cookie = credentials.random_text(), credentials.random_text()
        asked = {"request": proof_of_text(handle), "browser": proof_of_text(cookie), "client_id": CLIENT["client_id"]}
        asked |= {"document": None, "redirect_uri": REDIRECT, "state": None, "code_challenge": challenge(), "ip": None}
        asked |= {"scope": None, "resource": RESOURCE, "issuer": ISSUER}
        self.ask_committed("oauth_begin", asked)
        with self.transaction() as env:
            url = env["mcp.oauth.request"].with_user(self.person_id)._decide(handle, "allow", "full")
        resumed = {"request": asked["request"], "browser": asked["browser"], "code": new_proof()}
        resumed["approval"] = proof_of_text(url.rpartition("=")[2])
        self.assertEqual(self.ask_committed("oauth_resume", resumed)["state"], "approved")
        exchanged = {"client": CLIENT, "code": resumed["code"], "redirect_uri": REDIRECT, "ip": None}
        return {**exchanged, **self.pair(), "code_challenge": challenge(), "resource": None}

    def pair(self):
        return {"access": new_proof(), "refresh": new_proof()}

    def refreshing(self):
        exchanged = self.code()
        self.ask_committed("oauth_token", exchanged)
        asked = {"client": CLIENT, "token": exchanged["refresh"], "scope": None, "resource": None, "ip": None}
        return {**asked, **self.pair()}

    def test_two_workers_refresh_at_once(self):
        asked = self.refreshing()
        first, second = self.raced("oauth_refresh", asked)
        self.assertEqual(first["granted"] | {"expires_in": 0}, second["granted"] | {"expires_in": 0})
        with self.transaction() as env:
            tokens = env["mcp.credential"].search([("connection_id", "=", first["granted"]["connection"])])
            self.assertEqual(len(tokens), 4)
            self.assertTrue(env["mcp.credential"]._resolve(asked["access"]))

    def test_without_grace_the_second_one_revokes(self):
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").refresh_token_grace = 0
        asked = self.refreshing()
        first, second = self.raced("oauth_refresh", asked)
        self.assertIn("granted", first)
        self.assertEqual(second["refused"]["reason"], "reused")

    def test_two_workers_exchange_a_code_at_once(self):
        asked = self.code()
        first, second = self.raced("oauth_token", asked, {**asked, **self.pair()})
        self.assertIn("granted", first)
        self.assertEqual(second["refused"]["reason"], "reused")

    def test_what_a_reuse_revokes_is_committed(self):
        asked = self.code()
        self.ask_committed("oauth_token", asked)
        self.assertEqual(self.ask_committed("oauth_token", asked)["refused"]["reason"], "reused")
        fault = self.refused(lambda: self.ask_committed("authenticate", {"proof": asked["access"], "ip": None}))
        self.assert_fault(fault, "unauthenticated", reason="unknown")

    @mute_logger("odoo.sql_db")
    def test_revoked_while_a_worker_refreshes(self):
        asked = self.refreshing()
        with self.cursor() as cr, self.cursor() as late:
            late.execute("SELECT 1")
            env = self.env(cr=cr)
            connections = env["mcp.connection"].search([("oauth_client_id.client_id", "=", CLIENT["client_id"])])
            connections.action_revoke()
            cr.commit()  # pylint: disable=invalid-commit
            with self.retried():
                self.ask("oauth_refresh", asked, env=self.env(cr=late))
            late.rollback()
            answer = self.ask("oauth_refresh", asked, env=self.env(cr=late))
            self.assertEqual(answer["refused"]["reason"], "unknown")

    @mute_logger("odoo.sql_db")
    def test_two_windows_allow_the_same_client_at_once(self):
        handles = []
        for _window in range(2):
            handle = credentials.random_text()
            asked = {"request": proof_of_text(handle), "browser": new_proof(), "client_id": CLIENT["client_id"]}
            asked |= {"document": None, "redirect_uri": REDIRECT, "state": None, "code_challenge": challenge()}
            self.ask_committed(
                "oauth_begin", asked | {"scope": None, "resource": RESOURCE, "issuer": ISSUER, "ip": None}
            )
            handles.append(handle)
        with self.cursor() as cr, self.cursor() as late:
            late.execute("SELECT 1")
            self.env(cr=cr)["mcp.oauth.request"].with_user(self.person_id)._decide(handles[0], "allow", "full")
            cr.commit()  # pylint: disable=invalid-commit
            requests = self.env(cr=late)["mcp.oauth.request"].with_user(self.person_id)
            with self.retried():
                requests._decide(handles[1], "allow", "full")
            late.rollback()
            self.env(cr=late).transaction.clear()
            self.assertTrue(requests._decide(handles[1], "allow", "full"))
            late.commit()  # pylint: disable=invalid-commit
        with self.transaction() as env:
            found = [("oauth_client_id.client_id", "=", CLIENT["client_id"])]
            self.assertEqual(env["mcp.connection"].search_count(found), 1)
