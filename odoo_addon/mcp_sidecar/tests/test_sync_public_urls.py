"""A stolen service key announces another address: AI tools are given the confirmed one until a person decides."""

import uuid

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..gateway.sync import public_urls
from .audit_common import OTHER, REPLICA
from .gateway_common import GatewayCase, call, write

FIRST, SECOND = "https://odoo.example.com", "https://evil.example"


@tagged("-at_install", "post_install")
class TestPublicUrl(GatewayCase):
    def setUp(self):
        super().setUp()
        self.env["mcp.replica"].search([]).unlink()
        self.settings.write({"public_url": False, "refused_public_urls": False})

    def announce(self, url, replica=REPLICA):
        told = {"contract": 1, "replica": replica, "version": "1", "public_url": url}
        state = self.ask("hello", {**told, "wake_url": None, "wake_secret": None})["public_url_state"]
        self.env.invalidate_all()
        return state

    def endpoint(self):
        self.env.invalidate_all()
        return self.env["mcp.replica"].with_user(self.admin)._endpoint()

    def shown(self, person=None):
        return self.settings.with_user(person or self.admin)

    def test_the_first_address_is_taken(self):
        self.assertEqual(self.announce(f"{FIRST}/"), "confirmed")
        self.assertEqual(self.announce(FIRST), "confirmed")
        self.assertEqual(self.announce("HTTPS://Odoo.Example.com", OTHER), "confirmed")
        self.assertEqual((self.settings.public_url, self.settings.pending_public_url), (FIRST, False))
        self.assertEqual(self.endpoint(), (f"{FIRST}/odoo/mcp", "one"))

    def test_another_one_waits_for_an_administrator(self):
        self.announce(FIRST)
        for replica in (OTHER, REPLICA):
            self.assertEqual(self.announce(SECOND, replica), "pending")
            self.assertEqual(self.endpoint()[0], f"{FIRST}/odoo/mcp")
            self.assertEqual(self.settings.pending_public_url, SECOND)
        self.assertEqual(self.endpoint()[1], "lost")
        self.announce(FIRST)
        self.assertEqual(self.endpoint()[1], "several")
        page = self.env["mcp.credential.show"].with_user(self.admin).with_context(default_key="mcp_ak_x")
        page = page.default_get(["endpoint_url", "curl", "claude_code"])
        self.assertNotIn("evil", str(page))
        self.shown().action_confirm_public_url()
        self.assertEqual((self.settings.public_url, self.endpoint()[0]), (SECOND, f"{SECOND}/odoo/mcp"))
        self.assertEqual(self.announce(SECOND, OTHER), "confirmed")

    def test_a_refused_one_is_not_shown_again(self):
        self.announce(FIRST)
        self.announce(SECOND, OTHER)
        self.shown().action_refuse_public_url()
        self.assertEqual(self.announce(f"{SECOND}/", str(uuid.uuid4())), "refused")
        self.assertFalse(self.settings.pending_public_url)
        self.assertEqual(self.endpoint(), (f"{FIRST}/odoo/mcp", "one"))
        self.settings.refused_public_urls = False
        self.assertEqual(self.announce(SECOND, OTHER), "pending")
        self.shown().action_confirm_public_url()
        self.assertEqual(self.settings.public_url, SECOND)

    def test_what_was_on_the_screen_is_what_is_confirmed(self):
        self.announce(FIRST)
        self.announce("https://new.example.com", OTHER)
        on_screen = self.shown().with_context(mcp_public_url="https://new.example.com")
        self.announce(SECOND, OTHER)
        for action in (on_screen.action_confirm_public_url, on_screen.action_refuse_public_url):
            with self.assertRaisesRegex(UserError, "not announced any more"):
                action()
        self.assertEqual(self.settings.public_url, FIRST)

    def test_only_administrators_decide_and_no_ai_tool(self):
        self.announce(FIRST)
        self.announce(SECOND, OTHER)
        for person in (self.user, self.employee, self.service, self.settings_admin):
            with self.assertRaises(AccessError):
                self.shown(person).action_confirm_public_url()
        proof = self.proof_of(self.system)
        for step in (
            write("mcp.server.settings", self.settings.ids, public_url=SECOND),
            call("mcp.server.settings", "action_confirm_public_url", self.settings.ids),
        ):
            self.assertEqual(self.fault(step, mode="run", proof=proof).code, "access_denied")
        self.assertEqual(self.settings.public_url, FIRST)

    def test_what_is_no_address_is_not_taken(self):
        for url in (
            "javascript:alert(1)",
            "ftp://odoo.example.com",
            "https://user:pw@odoo.example.com",
            "https://@evil.example",
            "https://odoo.example.com\\@evil.example",
            "https://odoo.example.com/?x=1",
            "https://odoo.example.com#x",
            "https://",
            "odoo.example.com",
            "https://odoo .example.com",
            "",
        ):
            with self.subTest(url):
                self.assertEqual(self.announce(url), "refused")
                self.assertFalse(self.settings.public_url)
                if url:
                    with self.assertRaises(ValidationError), self.env.cr.savepoint():
                        self.settings.public_url = url
        self.assertEqual(self.endpoint(), (False, "none"))
        self.assertEqual(public_urls.normalized("http://localhost:8765"), "http://localhost:8765")

    def test_the_seventeenth_sidecar_decides_nothing(self):
        self.env.cr.execute(
            "INSERT INTO mcp_replica (replica, last_seen) SELECT 'r' || n, now() AT TIME ZONE 'UTC'"
            " FROM generate_series(1, 16) n"
        )
        self.assertEqual(self.announce(FIRST), "pending")
        self.assertFalse(self.settings.public_url)

    def test_an_administrator_may_enter_it(self):
        self.shown().public_url = FIRST
        self.assertEqual(self.announce(SECOND), "pending")
        self.assertEqual(self.announce(FIRST, OTHER), "confirmed")
