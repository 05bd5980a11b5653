from odoo.exceptions import ValidationError
from odoo.tests import BaseCase, tagged

from ..gateway.auth import address_rules, credentials
from .gateway_common import GatewayCase, create, request

OFFICE = """
# the office
203.0.113.0/24   # all of it
2001:db8:1::/48

::ffff:198.51.100.7
"""


@tagged("-at_install", "post_install")
class TestAddresses(BaseCase):
    def admits(self, allowed, blocked, address):
        return address_rules.is_allowed(address_rules.networks(allowed), address_rules.networks(blocked), address)

    def test_lines(self):
        self.assertEqual(
            [str(network) for network in address_rules.networks(OFFICE)],
            ["203.0.113.0/24", "2001:db8:1::/48", "198.51.100.7/32"],
        )
        self.assertEqual([str(network) for network in address_rules.networks("::ffff:10.0.0.0/104")], ["10.0.0.0/8"])
        for text in (None, False, "", "\n  \n# nothing\r\n"):
            self.assertEqual(address_rules.networks(text), [])

    def test_invalid_lines(self):
        for bad in ("localhost", "1.2.3", "1.2.3.4/33", "::1/129", "1.2.3.4 5.6.7.8", "1.2.3.4,", "fe80::1%eth0", "/8"):
            with self.assertRaises(address_rules.InvalidLine) as caught:
                address_rules.networks(f"10.0.0.1\n\n{bad}  # no\n::1")
            self.assertEqual((caught.exception.number, caught.exception.line), (3, bad))
            self.assertIsNone(caught.exception.hint)
        with self.assertRaises(address_rules.InvalidLine) as caught:
            address_rules.networks("192.168.1.5/24")
        self.assertEqual(caught.exception.hint, "192.168.1.0/24")

    def test_both_families(self):
        for address, inside in (
            ("203.0.113.9", True),
            ("::ffff:203.0.113.9", True),
            ("203.0.114.9", False),
            ("2001:db8:1:2::3", True),
            ("2001:db8:2::3", False),
            ("198.51.100.7", True),
        ):
            self.assertEqual(self.admits(OFFICE, "", address), inside, address)
            self.assertEqual(self.admits("", OFFICE, address), not inside, address)

    def test_blocked_wins_and_nothing_allowed_is_everything(self):
        self.assertTrue(self.admits("", "", "192.0.2.1"))
        self.assertFalse(self.admits("203.0.113.9", "203.0.113.0/24", "203.0.113.9"))
        self.assertTrue(self.admits("", "::/0", "203.0.113.9"))

    def test_nowhere_passes_no_rule(self):
        for nowhere in (None, "", "somewhere"):
            self.assertTrue(self.admits("", "", nowhere))
            self.assertFalse(self.admits("203.0.113.0/24", "", nowhere))
            self.assertFalse(self.admits("", "203.0.113.0/24", nowhere))


@tagged("-at_install", "post_install")
class TestAddressRules(GatewayCase):
    def setUp(self):
        super().setUp()
        self.connection, key = self.connect(self.settings_admin)
        self.key = credentials.proof(key)

    def test_invalid_lines_are_refused_when_saving(self):
        for name in ("allowed_ips", "blocked_ips"):
            with self.assertRaisesRegex(ValidationError, "line 2: “nowhere”"), self.env.cr.savepoint():
                self.connection[name] = "10.0.0.0/8\nnowhere"
            with self.assertRaisesRegex(ValidationError, "10.0.0.0/8"), self.env.cr.savepoint():
                self.connection[name] = "10.0.0.1/8"
            self.connection[name] = OFFICE

    def test_every_call_is_judged(self):
        self.connection.blocked_ips = "203.0.113.9"
        values = {"name": "mcp-address", "ref": "mcp-address"}
        step = create("res.partner", values)
        asked = [
            ("authenticate", {"proof": self.key, "ip": "203.0.113.9"}),
            ("execute", request(self.key, {"op": "session"})),
            ("execute", request(self.key, step, mode="write", idempotency_key="mcp-address")),
            ("execute", request(self.key, {"op": "session"}, ip=None)),
        ]
        for method, what in asked:
            fault = self.refused(lambda method=method, what=what: self.ask(method, what))
            self.assert_fault(fault, "address_denied")
        self.assertFalse(self.env["res.partner"].search([("ref", "=", "mcp-address")]))
        self.assertTrue(self.ask("authenticate", {"proof": self.key, "ip": "203.0.113.10"}))

    def test_a_stored_answer_is_not_told_to_a_blocked_address(self):
        asked = request(self.key, create("res.partner", {"name": "mcp-replay"}), mode="write", idempotency_key="k")
        self.ask("execute", asked)
        self.assertTrue(self.ask("execute", asked)["replayed"])
        self.connection.allowed_ips = "10.0.0.0/8"
        self.assert_fault(self.refused(lambda: self.ask("execute", asked)), "address_denied")
        self.assertTrue(self.ask("execute", {**asked, "ip": "::ffff:10.1.2.3"})["replayed"])

    def test_a_batch_refuses_the_calls_of_a_blocked_address_alone(self):
        self.connection.allowed_ips = "10.0.0.0/8"
        calls = [request(self.key, {"op": "session"}, ip=ip) for ip in ("10.0.0.1", "203.0.113.9", "10.0.0.2")]
        answers = self.ask("execute_batch", {"calls": calls})["answers"]
        self.assertEqual(["results" in answer for answer in answers], [True, False, True])
        self.assertEqual(answers[1]["error"]["code"], "address_denied")
