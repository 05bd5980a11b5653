"""Appending to the audit log: each entry once, in an unbroken chain, whatever it says."""

import json
import threading
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from odoo import api, fields
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.audit import hash_chain
from .audit_common import OTHER, REPLICA, AuditAsking, entry
from .gateway_common import CommittedCase, GatewayCase, create, request


@tagged("-at_install", "post_install")
class TestAppend(AuditAsking, GatewayCase):
    def setUp(self):
        super().setUp()
        self.connection = self.env["mcp.connection"].search([("user_id", "=", self.user.id)], limit=1)

    def mine(self, **changes):
        return entry(connection=self.connection.id, user=self.user.id, **changes)

    # === What is stored ===

    def test_an_entry_is_stored_as_told(self):
        told = self.mine(
            session="a3f1c2d4",
            res_ids=[7, 2**40],
            status="error",
            reason="not_found",
            error="No such record.",
            count=3,
            request='{"a": 1}',
            response='{"b": 2}',
        )
        self.assertEqual(self.append(told), {"stored": 1, "pending": []})
        [log] = self.log(told)
        same = ("method", "tool", "model", "client", "status", "reason", "error", "duration_ms", "count")
        self.assertEqual({name: log[name] for name in same}, {name: told[name] for name in same})
        self.assertEqual(log.create_date, datetime(2026, 1, 15, 13, 30, 0, 125000))
        self.assertEqual((log.user_id, log.user_name), (self.user.id, self.user.name))
        self.assertEqual((log.connection_id, log.connection_name), (self.connection.id, self.connection.name))
        self.assertEqual((log.session_id, log.ip_address, log.replica), ("a3f1c2d4", "203.0.113.9", REPLICA))
        self.assertEqual(
            (log.res_ids, log.request_payload, log.response_summary), (f"[7, {2**40}]", '{"a": 1}', '{"b": 2}')
        )

    def test_an_entry_is_stored_once(self):
        one, two = self.mine(), self.mine()
        self.assertEqual(self.append(one, two, one)["stored"], 2)
        self.assertEqual(self.append(two, {**one, "id": one["id"].upper()})["stored"], 0)
        three = self.mine()
        self.assertEqual(self.append(one, three, replica=OTHER)["stored"], 1, "known from another sidecar")
        self.assertEqual([log.sequence for log in self.log(one, two, three)], [1, 2, 1])
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.request_count, 3)

    def test_names_are_those_of_the_time(self):
        told = self.mine()
        self.append(told)
        self.user.name = "Somebody else"
        self.connection.name = "Another name"
        later = self.mine()
        self.append(later)
        old, new = self.log(told, later)
        self.assertEqual((old.user_name, old.connection_name), ("mcp_test_user", "Test tool"))
        self.assertEqual((new.user_name, new.connection_name), ("Somebody else", "Another name"))

    def test_nothing_that_is_gone_keeps_an_entry_out(self):
        gone = self.mine(), entry(connection=2**31 - 1, user=2**31 - 1)
        self.connection.unlink()
        self.user.unlink()
        self.assertEqual(self.append(*gone)["stored"], 2)
        log, never = self.log(*gone)
        self.assertEqual((log.user_name, log.connection_name), (False, False))
        self.assertEqual(never.user_id, 2**31 - 1)

    def test_a_deleted_user_leaves_the_log_as_it_is(self):
        told = self.mine()
        self.append(told)
        self.connection.unlink()
        self.user.unlink()
        [log] = self.log(told)
        self.assertEqual((log.user_name, log.connection_name), ("mcp_test_user", "Test tool"))

    def test_what_can_not_be_stored_is_mended(self):
        told = entry(
            method="m" * 300,
            tool="\x00\ud800x",
            client="é" * 300,
            error="e" * 3000,
            request="r" * 20000,
            response="\ufffe" * 5000,
            res_ids=list(range(200)),
            duration_ms=2**40,
            count=2**40,
        )
        self.assertEqual(self.append(told)["stored"], 1)
        [log] = self.log(told)
        self.assertEqual((len(log.method), log.tool, len(log.client)), (200, "\ufffd\ufffdx", 200))
        self.assertEqual((len(log.error), len(log.request_payload), len(log.response_summary)), (2000, 16000, 4000))
        self.assertEqual((log.duration_ms, log.count), (2**31 - 1, 2**31 - 1))
        self.assertEqual(log.res_ids.count(","), 99)

    def test_what_breaks_the_contract_is_refused(self):
        for at, asked in (
            ("entries.0.extra", {"entries": [entry(extra=1)]}),
            ("entries.0.status", {"entries": [entry(status="fine")]}),
            ("entries.0.time", {"entries": [entry(time="2026-02-31T00:00:00Z")]}),
            ("entries.0.time", {"entries": [entry(time="yesterday")]}),
            ("entries.0.id", {"entries": [entry(id="1")]}),
            ("entries.0.connection", {"entries": [entry(connection=0)]}),
            ("entries", {"entries": []}),
            ("entries", {"entries": [entry()] * 501}),
        ):
            fault = self.refused(lambda asked=asked: self.ask("append_audit", {"replica": REPLICA, **asked}))
            self.assert_fault(fault, "bad_request", at=at)
        self.assertFalse(self.env["mcp.audit.log"].search([("replica", "=", REPLICA)]))

    def test_entries_come_in_while_the_switch_is_off(self):
        self.settings.enabled = False
        self.assertEqual(self.append(entry(status="refused", reason="disabled"))["stored"], 1)

    def test_an_entry_from_the_future_is_one_of_now(self):
        told = entry(time="2126-01-15T13:30:00Z")
        self.append(told)
        self.assertLessEqual(self.log(told)[0].create_date, fields.Datetime.now())

    def test_only_the_service_account_appends(self):
        for person in (self.portal, self.user, self.system):
            gateway = self.env["mcp.gateway"].with_user(person)
            for method in ("append_audit", "sync_sessions"):
                fault = self.refused(lambda gateway=gateway, method=method: getattr(gateway, method)("{}"))
                self.assertEqual(fault.code, "not_service")

    def test_a_batch_takes_few_statements(self):
        entries = [self.mine() for _ in range(500)]
        self.append(entry())
        before = self.env.cr.sql_log_count
        self.append(*entries)
        self.assertLess(self.env.cr.sql_log_count - before, 15)
        self.assertEqual(self.env["mcp.audit.log"].search_count([("connection_id", "=", self.connection.id)]), 500)

    # === The counters ===

    def test_the_counters_match_the_log(self):
        other = self.connect(self.admin)[0]
        version = self.connection.write_date
        noted = self.notes()
        self.append(
            self.mine(time="2026-01-15T13:30:00Z"),
            self.mine(time="2026-01-15T13:32:00Z", ip="2001:db8::1", client="new 2"),
            self.mine(time="2026-01-15T13:31:00Z", status="error", client=None),
            self.mine(time="2026-01-15T14:00:00Z", status="refused", count=118, ip="198.51.100.7"),
            entry(status="refused", count=1000),
        )
        self.append(self.mine(time="2026-01-15T12:00:00Z"))
        (self.connection + other).invalidate_recordset()
        self.assertEqual((self.connection.request_count, self.connection.refusal_count), (122, 118))
        self.assertEqual(self.connection.last_used, datetime(2026, 1, 15, 13, 32))
        self.assertEqual((self.connection.last_ip, self.connection.last_client), ("203.0.113.9", "claude-code 2.1.0"))
        self.assertEqual((other.request_count, other.refusal_count, other.last_used), (0, 0, False))
        self.env.cr.execute(
            "SELECT sum(count), sum(count) FILTER (WHERE status = 'refused') FROM mcp_audit_log"
            " WHERE connection_id = %s",
            [self.connection.id],
        )
        self.assertEqual(self.env.cr.fetchone(), (122, 118))
        self.assertEqual((noted, self.connection.write_date), ([], version))

    def test_a_refusal_is_no_use(self):
        self.append(self.mine(status="refused"))
        self.connection.invalidate_recordset()
        self.assertEqual((self.connection.last_used, self.connection.last_ip), (False, False))
        self.assertEqual(self.connection.status, "awaiting")

    def test_a_later_use_is_not_forgotten(self):
        now = fields.Datetime.now()
        self.connection.last_used = now
        self.env.flush_all()
        self.append(self.mine())
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.last_used, now)

    def test_a_counter_that_is_full_keeps_no_entry_out(self):
        self.append(self.mine(count=2**31 - 1), self.mine(count=2**31 - 1))
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.request_count, 2**31 - 1)


@tagged("-at_install", "post_install")
class TestAppendCommitted(AuditAsking, CommittedCase):
    def lost(self, asked):
        """The entry of a write whose outcome nobody saw."""
        told = {"connection": self.connection_id, "call_id": asked["call_id"], "status": "abandoned"}
        return entry(**told, reason="unknown", error="The sidecar was stopped before Odoo answered.")

    def test_what_became_of_a_lost_write(self):
        asked = request(self.committed_proof, create("res.partner.category", {"name": "mcp-lost"}), mode="write")
        self.addCleanup(self._delete)
        told = self.lost(asked)
        never = self.lost({"call_id": "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d"})
        with self.cursor() as running:
            self.ask("execute", asked, env=self.env(cr=running))
            with self.cursor() as cr:
                answer = self.append(told, never, env=self.env(cr=cr))
                self.assertEqual(answer, {"stored": 1, "pending": [told["id"]]})
                cr.rollback()
            running.commit()
        with self.cursor() as cr:
            env = self.env(cr=cr)
            self.assertEqual(self.append(told, never, env=env), {"stored": 2, "pending": []})
            logs = env["mcp.audit.log"].search([("replica", "=", REPLICA)], order="sequence")
            self.assertEqual(logs.mapped("status"), ["success", "abandoned"])
            self.assertEqual(logs.mapped("reason"), [False, "unknown"])
            self.assertEqual(logs.mapped("error"), [False, "The sidecar was stopped before Odoo answered."])
            cr.rollback()

    def test_a_lost_write_may_still_be_in_the_queue(self):
        unknown = {"call_id": "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d"}
        young, old = self.lost(unknown), self.lost(unknown)
        now = datetime.now(UTC)
        young["time"] = f"{now - timedelta(seconds=50):%Y-%m-%dT%H:%M:%S}.000Z"
        old["time"] = f"{now - timedelta(seconds=70):%Y-%m-%dT%H:%M:%S}.000Z"
        with self.cursor() as cr:
            answer = self.append(young, old, env=self.env(cr=cr))
            self.assertEqual(answer, {"stored": 1, "pending": [young["id"]]})
            cr.rollback()

    def _delete(self):
        with self.transaction() as env:
            env["res.partner.category"].search([("name", "=", "mcp-lost")]).unlink()

    def dispatched(self, *entries):
        """A request with Odoo's own commit and retry around it."""
        with self.cursor() as cr:
            arguments = [json.dumps({"replica": REPLICA, "entries": list(entries)})]
            return json.loads(execute_cr(cr, self.service_id(), "mcp.gateway", "append_audit", arguments, {}))

    def test_the_same_batch_twice_at_once_is_stored_once(self):
        """The second can't see what the first one stored: it has to begin anew, and not to fork the chain."""
        both, later = entry(), entry()
        self.addCleanup(self._take_back)
        answers = []
        with self.cursor() as cr:
            self.append(both, env=api.Environment(cr, self.service_id(), {}))
            with patch("odoo.service.model.random.uniform", return_value=0.01), mute_logger("odoo.sql_db"):
                second = threading.Thread(target=lambda: answers.append(self.dispatched(both, later)))
                second.start()
                second.join(0.5)
                self.assertTrue(second.is_alive(), "the second has to wait for the first")
                cr.commit()  # pylint: disable=invalid-commit
                second.join(20)
        self.assertEqual([(answer["stored"], answer["pending"]) for answer in answers], [(1, [])])
        with self.transaction() as env:
            logs = env["mcp.audit.log"].search([("replica", "=", REPLICA)], order="sequence")
            self.assertEqual(logs.mapped("request_id"), [both["id"], later["id"]])
            self.assertEqual(logs.mapped("sequence"), [1, 2])
            start, tip = env["mcp.audit.checkpoint"]._ends(REPLICA)
            self.assertIsNone(hash_chain.first_break(env, REPLICA, start, tip))

    def _take_back(self):
        with self.transaction() as env:
            env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
            env.cr.execute("DELETE FROM mcp_audit_log; DELETE FROM mcp_audit_checkpoint")
