from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..exceptions import GatewayError
from ..gateway.auth import credentials
from ..gateway.rpc import contract
from .audit_common import REPLICA
from .gateway_common import GatewayCase, call, request
from .test_rpc_contract import sample

OTHER_REPLICA = "6e2d3b45-af9c-4d7e-9021-3c4d5e6f7081"


@tagged("-at_install", "post_install")
class TestConnectionCheck(GatewayCase):
    def setUp(self):
        super().setUp()
        action = self.env["mcp.server.settings"].with_user(self.admin).get_settings().action_check_connection()
        self.check = self.env["mcp.connection.check"].browse(action["res_id"])

    def begin(self, replica=REPLICA):
        """Takes part with a new key; answers whether it was accepted, and the key."""
        key = credentials.generate("api_key")
        asked = {"check": self.check.reference, "replica": replica, "proof": credentials.proof(key)}
        return self.ask("begin_check", asked)["accepted"], key

    def report(self, results, replica=REPLICA):
        return self.ask("report_check", {"check": self.check.reference, "replica": replica, "results": results})

    def as_admin(self):
        self.check.invalidate_recordset()
        return self.check.with_user(self.admin)

    def age(self, seconds):
        self.check.requested_at = fields.Datetime.now() - timedelta(seconds=seconds)
        self.env.flush_all()

    def test_a_check_is_pending_for_a_while(self):
        checks = self.env["mcp.connection.check"].with_user(self.service)
        self.assertEqual(checks._pending(), self.check.reference)
        self.age(16)
        self.assertIsNone(checks._pending())

    def test_the_key_reads_the_session_of_the_user_and_nothing_else(self):
        accepted, key = self.begin()
        self.assertTrue(accepted)
        principal = self.resolve(key)
        self.assertEqual((principal.user_id, principal.scope), (self.admin.id, "read_only"))
        self.assertEqual(list(principal.allowed_tools), ["get_session"])
        self.assertLessEqual(principal.expires_at, self.check.requested_at + timedelta(seconds=60))

    def test_the_key_ends_with_the_report(self):
        _accepted, key = self.begin()
        self.report([])
        with self.assertRaisesRegex(GatewayError, "not known"):
            self.resolve(key)

    def test_the_key_ends_with_the_check(self):
        _accepted, key = self.begin()
        self.check.sudo().unlink()
        with self.assertRaisesRegex(GatewayError, "not known"):
            self.resolve(key)

    def test_a_sidecar_takes_part_once(self):
        self.assertEqual([self.begin()[0], self.begin()[0], self.begin(OTHER_REPLICA)[0]], [True, False, True])
        self.report([])
        self.assertFalse(self.begin()[0], "not after its report either")

    def test_a_check_that_is_over_or_unknown_is_refused(self):
        self.age(61)
        self.assertFalse(self.begin()[0])
        asked = {"check": OTHER_REPLICA, "replica": REPLICA, "proof": credentials.proof("x")}
        self.assertFalse(self.ask("begin_check", asked)["accepted"])

    def test_states(self):
        self.assertEqual(self.as_admin().state, "waiting")
        self.begin()
        self.begin(OTHER_REPLICA)
        self.report([])
        self.assertEqual(self.as_admin().state, "running")
        self.report([], OTHER_REPLICA)
        self.assertEqual(self.as_admin().state, "done")

    def test_silence(self):
        self.age(16)
        self.assertEqual(self.as_admin().state, "silent", "no sidecar")
        self.age(1)
        self.begin()
        self.age(61)
        self.assertEqual(self.as_admin().state, "silent", "no report")

    def test_results_are_sentences_that_say_what_to_do(self):
        self.begin()
        [case] = sample("report_check")["cases"]
        self.assertEqual(self.report(case["request"]["results"]), case["answer"])
        check = self.as_admin()
        self.assertEqual(check.verdict, "failed")
        self.assertEqual(check.line_ids.mapped("name"), list(contract.CHECKED), "in the order of the report")
        results = dict(zip(check.line_ids.mapped("name"), check.line_ids.mapped("result"), strict=True))
        self.assertIn("https://odoo.example.com", results["address"])
        self.assertIn("web page", results["server_metadata"])
        self.assertIn("95", results["clock"])
        self.assertIn("proxy_buffering off", results["stream"])
        self.report(case["request"]["results"])
        self.assertEqual(len(self.as_admin().line_ids), len(contract.CHECKED), "a second report is dropped")

    def test_each_code_has_a_sentence_of_its_own(self):
        line = self.env["mcp.connection.check.line"]
        sentences = [*line._problems().values(), *line._common().values()]
        self.assertEqual(len(set(sentences)), len(sentences))
        unknown = line.new(
            {"name": "stream", "status": "failed", "code": "of_a_later_version", "data": {"detail": "x"}}
        )
        self.assertIn("x", unknown.result)

    def test_what_others_answered_is_shown_plainly(self):
        self.begin()
        found = {"found": "a\u202eb " + "x" * 1000, "script": "<b>", "seconds": [1]}
        self.report([{"name": "challenge", "status": "failed", "code": "not_ours", "data": found}])
        [line] = self.as_admin().line_ids
        self.assertNotIn("\u202e", line.result)
        self.assertEqual(line.data.keys(), {"found"})
        self.assertLess(len(line.data["found"]), 320)

    def test_the_selection_is_that_of_the_contract(self):
        selection = self.env["mcp.connection.check.line"]._fields["name"].selection
        self.assertEqual(tuple(name for name, _label in selection), contract.CHECKED)

    def test_only_administrators_start_one(self):
        for person in (self.user, self.employee):
            with self.assertRaises(AccessError):
                self.env["mcp.connection.check"].with_user(person)._action_start()

    def test_no_tool_starts_one(self):
        connection, key = self.connect(self.admin)
        connection.method_level = "any"
        step = call("mcp.server.settings", "action_check_connection", self.settings.ids)
        before = self.env["mcp.connection.check"].search_count([])
        refusal = self.refused(
            lambda: self.ask("execute", request(credentials.proof(key), step, mode="run", tool="execute_method"))
        )
        self.assertIn(refusal.code, ("access_denied", "method_denied"))
        self.assertEqual(self.env["mcp.connection.check"].search_count([]), before)
