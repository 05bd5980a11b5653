"""Writes happen once, over several transactions."""

import json
import threading
from unittest.mock import patch

from psycopg2 import errors

from odoo import api
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import mcp_call
from .gateway_common import CommittedCase, GatewayCase, create, request, search


@tagged("-at_install", "post_install")
class TestGatewayOnce(GatewayCase):
    def once(self, name="mcp-once", proof=None, **changes):
        asked = request(proof or self.proof, create("res.partner", {"name": name}), mode="write", **changes)
        return asked, self.ask("execute", asked)

    def made(self, name="mcp-once"):
        return self.env["res.partner"].search_count([("name", "=", name)])

    def test_a_repeated_call_answers_what_it_answered(self):
        asked, first = self.once()
        again = self.ask("execute", asked)
        self.assertEqual((first["replayed"], again["replayed"]), (False, True))
        self.assertEqual(first["results"], again["results"])
        self.assertEqual(self.made(), 1)

    def test_a_repeated_key_answers_what_it_answered(self):
        _asked, first = self.once(idempotency_key="order-4711")
        second, again = self.once(idempotency_key="order-4711")
        self.assertEqual((again["results"], again["replayed"]), (first["results"], True))
        self.assertEqual(again["call_id"], second["call_id"])
        self.assertEqual(self.made(), 1)

    def test_a_key_with_other_arguments_is_refused(self):
        asked, _first = self.once(idempotency_key="k")
        for changed in (
            {**asked, "call_id": "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d", "tool": "other"},
            {**asked, "steps": [create("res.partner", {"name": "other"})]},
            {**asked, "context": {"active_test": False}},
        ):
            fault = self.refused(lambda changed=changed: self.ask("execute", changed))
            self.assertEqual(fault.code, "idempotency_conflict")
        self.assertEqual(self.made(), 1)

    def test_keys_of_other_connections_are_others(self):
        self.once(idempotency_key="k")
        other = self.proof_of(self.settings_admin)
        _asked, answer = self.once(proof=other, idempotency_key="k")
        self.assertFalse(answer["replayed"])
        self.assertEqual(self.made(), 2)

    def test_a_failed_call_may_be_tried_again(self):
        asked = request(self.proof, create("res.partner", {"nmae": "x"}), mode="write", idempotency_key="k")
        self.assertEqual(self.refused(lambda: self.ask("execute", asked)).code, "unknown_field")
        _asked, answer = self.once(idempotency_key="k")
        self.assertFalse(answer["replayed"])

    def test_what_became_of_a_call(self):
        asked, first = self.once()
        other = self.proof_of(self.settings_admin)
        # this test's transaction is not committed: look where it is to be seen
        reading = patch.object(type(self.env.registry), "cursor", lambda registry: _Borrowed(self.env.cr))
        with reading:
            status = self.ask("call_status", {"proof": self.proof, "call_id": asked["call_id"]})
            self.assertEqual(status, {"state": "done", "answer": first})
            for proof, call_id in ((other, asked["call_id"]), (self.proof, "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d")):
                status = self.ask("call_status", {"proof": proof, "call_id": call_id})
                self.assertEqual(status, {"state": "unknown", "answer": None})

    def test_rows_are_kept_for_a_week(self):
        asked, _first = self.once()
        self.env["mcp.call"]._gc_calls()
        self.assertTrue(self.ask("execute", asked)["replayed"])
        self.env.cr.execute("UPDATE mcp_call SET created = created - interval '8 days'")
        self.env["mcp.call"]._gc_calls()
        self.assertFalse(self.ask("execute", asked)["replayed"])

    # === Answers are forgotten sooner ===

    def age(self, interval):
        self.env.cr.execute("UPDATE mcp_call SET created = created - %s::interval", [interval])
        self.env["mcp.call"]._forget_answers()

    def kept(self, asked):
        self.env.cr.execute("SELECT results FROM mcp_call WHERE call_id = %s", [asked["call_id"]])
        return self.env.cr.fetchone()[0]

    def test_an_answer_is_kept_for_an_hour_and_with_a_key_for_a_day(self):
        plain, _first = self.once()
        keyed, _first = self.once(idempotency_key="k")
        self.age("55 minutes")
        self.assertTrue(self.kept(plain) and self.kept(keyed))
        self.age("10 minutes")
        self.assertIsNone(self.kept(plain))
        self.assertTrue(self.kept(keyed))
        self.age("22 hours")
        self.assertTrue(self.ask("execute", keyed)["replayed"])
        self.age("1 hour")
        self.assertIsNone(self.kept(keyed))

    def test_what_was_forgotten_is_not_done_again(self):
        plain, _first = self.once()
        keyed, _first = self.once(idempotency_key="k")
        self.age("25 hours")
        for asked, at in (
            (plain, "call_id"),
            (keyed, "idempotency_key"),
            ({**keyed, "call_id": "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d"}, "idempotency_key"),
        ):
            fault = self.refused(lambda asked=asked: self.ask("execute", asked))
            self.assert_fault(fault, "bad_request", at=at)
        self.assertEqual(self.made(), 2)

    def test_what_was_forgotten_is_known_to_be_done(self):
        asked, _first = self.once()
        self.age("2 hours")
        with patch.object(type(self.env.registry), "cursor", lambda registry: _Borrowed(self.env.cr)):
            status = self.ask("call_status", {"proof": self.proof, "call_id": asked["call_id"]})
        self.assertEqual(status, {"state": "done", "answer": None})

    def test_a_very_long_answer_is_not_kept(self):
        with patch.object(mcp_call, "LONGEST_ANSWER", 10):
            asked, first = self.once()
        self.assertTrue(first["results"])
        self.assertIsNone(self.kept(asked))

    def test_a_scheduled_action_forgets(self):
        cron = self.env.ref("mcp_sidecar.ir_cron_forget_answers")
        self.assertEqual((cron.active, cron.interval_number, cron.interval_type), (True, 15, "minutes"))
        asked, _first = self.once()
        self.env.cr.execute("UPDATE mcp_call SET created = created - interval '2 hours'")
        cron.ir_actions_server_id.run()
        self.assertIsNone(self.kept(asked))

    def test_reads_are_not_remembered(self):
        asked = request(self.proof, search("res.partner"))
        for _again in range(2):
            self.assertFalse(self.ask("execute", asked)["replayed"])


class _Borrowed:
    def __init__(self, cr):
        self._cr = cr

    def __enter__(self):
        return self._cr

    def __exit__(self, *exc):
        return None


@tagged("-at_install", "post_install")
class TestGatewayOnceCommitted(CommittedCase):
    def setUp(self):
        super().setUp()
        self.asked = request(self.committed_proof, create("res.partner", {"name": "mcp-committed"}), mode="write")
        self.addCleanup(self._delete_partners)

    def _delete_partners(self):
        with self.transaction() as env:
            env["res.partner"].search([("name", "=", "mcp-committed")]).unlink()

    def dispatched(self, method="execute", asked=None):
        """A call with Odoo's own commit and retry around it."""
        with self.cursor() as cr:
            arguments = [json.dumps(asked or self.asked)]
            return json.loads(execute_cr(cr, self.service_id(), "mcp.gateway", method, arguments, {}))

    def state(self):
        asked = {"proof": self.committed_proof, "call_id": self.asked["call_id"]}
        return self.dispatched("call_status", asked)["state"]

    def test_what_commits_is_done(self):
        self.assertEqual(self.state(), "unknown")
        answer = self.dispatched()
        status = self.dispatched("call_status", {"proof": self.committed_proof, "call_id": self.asked["call_id"]})
        self.assertEqual(status, {"state": "done", "answer": answer})
        self.assertTrue(self.dispatched()["replayed"])

    def test_a_call_under_way_is_running(self):
        with self.cursor() as cr:
            env = api.Environment(cr, self.service_id(), {})
            self.ask("execute", self.asked, env=env)
            self.assertEqual(self.state(), "running")
            cr.rollback()
            self.assertEqual(self.state(), "unknown")

    def test_a_call_that_ends_while_it_is_asked_for_is_not_unknown(self):
        """The snapshot of the asking transaction is older than the commit."""
        with self.cursor() as asking:
            env = api.Environment(asking, self.service_id(), {})
            asking.execute("SELECT 1 FROM mcp_call")
            self.dispatched()
            told = {"proof": self.committed_proof, "call_id": self.asked["call_id"]}
            self.assertEqual(self.ask("call_status", told, env=env)["state"], "done")

    def test_the_same_call_twice_at_once_is_done_once(self):
        answers = []
        with self.cursor() as cr:
            env = api.Environment(cr, self.service_id(), {})
            first = self.ask("execute", self.asked, env=env)
            with patch("odoo.service.model.random.uniform", return_value=0.01), mute_logger("odoo.sql_db"):
                second = threading.Thread(target=lambda: answers.append(self.dispatched()))
                second.start()
                second.join(0.5)
                self.assertTrue(second.is_alive(), "the second has to wait for the first")
                cr.commit()  # pylint: disable=invalid-commit
                second.join(20)
        self.assertEqual((answers[0]["results"], answers[0]["replayed"]), (first["results"], True))
        with self.transaction() as env:
            self.assertEqual(env["res.partner"].search_count([("name", "=", "mcp-committed")]), 1)

    def test_what_another_transaction_has_just_done_is_told_by_odoos_retry(self):
        with self.cursor() as cr, mute_logger("odoo.sql_db"):
            env = api.Environment(cr, self.service_id(), {})
            cr.execute("SELECT 1 FROM mcp_call")
            self.dispatched()
            with self.assertRaises(errors.SerializationFailure):
                self.ask("execute", self.asked, env=env)
            cr.rollback()
