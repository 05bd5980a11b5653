"""What a call may do to its transaction."""

import time
from unittest.mock import patch

from odoo.exceptions import ConcurrencyError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.operations import executor
from ..gateway.rpc import faults
from ..gateway.transaction import Deadline, call_started
from .gateway_common import GatewayCase, create, request, search, write

COUNT = {"op": "search_count", "model": "res.partner", "domain": []}


def operation(replacement):
    return patch.dict(executor._OPERATIONS, {"search_count": replacement})


@tagged("-at_install", "post_install")
class TestGatewayTransaction(GatewayCase):
    def _setting(self, name):
        self.env.cr.execute(f"SHOW {name}")  # pylint: disable=sql-injection
        return self.env.cr.fetchone()[0]

    # === Reads are read-only in the database ===

    def test_a_reading_call_can_not_write(self):
        def writes(env, step):
            env.cr.execute("UPDATE res_partner SET comment = 'written by a read'")
            return {"count": 0}

        with operation(writes), mute_logger("odoo.sql_db"):
            fault = self.fault(COUNT)
        self.assert_fault(fault, "method_denied", model="res.partner", method="search_count")

    def test_a_reading_call_can_not_leave_a_write_behind(self):
        def leaves(env, step):
            env["res.partner"].search([], limit=1).sudo().comment = "pending"
            return {"count": 0}

        with operation(leaves), mute_logger("odoo.sql_db"):
            self.assert_fault(self.fault(COUNT), "method_denied")

    def test_the_transaction_is_as_before_afterwards(self):
        before = self._setting("statement_timeout")
        self.execute(COUNT)
        self.assertEqual(self._setting("transaction_read_only"), "off")
        self.assertEqual(self._setting("statement_timeout"), before)
        self.execute(create("res.partner", {"name": "x"}), mode="write")
        self.assertEqual(self._setting("statement_timeout"), before)
        self.fault(search("res.partner", fields=["nmae"]))
        self.assertEqual(self._setting("transaction_read_only"), "off")
        self.assertEqual(self._setting("statement_timeout"), before)
        self.env["res.partner"].create({"name": "writable again"}).flush_recordset()

    # === Round trips ===

    def test_a_read_takes_three_queries_more_than_odoo_itself(self):
        steps = search("res.partner", fields=["name", "email"], limit=20)
        self.execute(steps)
        self.env.invalidate_all()
        with self.assertQueryCount(5):
            # open the savepoint and ask for the switch, resolve the proof, companies for the record rules, the rows,
            # close the savepoint
            self.execute(steps)

    # === Deadlines ===

    def test_a_statement_that_takes_too_long_is_stopped(self):
        def sleeps(env, step):
            env.cr.execute("SELECT pg_sleep(20)")

        began = time.monotonic()
        with operation(sleeps), mute_logger("odoo.sql_db"):
            fault = self.fault(COUNT, deadline_ms=200)
        self.assertLess(time.monotonic() - began, 10)
        self.assert_fault(fault, "deadline", deadline_ms=200)

    def test_a_write_that_took_too_long_is_not_kept(self):
        def slow(env, step):
            env["res.partner"].create({"name": "mcp-late"})
            time.sleep(0.2)
            return {"count": 1}

        with operation(slow):
            fault = self.fault(COUNT, mode="write", deadline_ms=150)
        self.assert_fault(fault, "deadline", deadline_ms=150)
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-late")]))

    def test_a_deadline_counts_from_the_first_try(self):
        with self.assertRaises(ConcurrencyError), call_started(self.env.cr) as first:
            raise ConcurrencyError
        with call_started(self.env.cr) as second:
            self.assertEqual(first, second)
        with call_started(self.env.cr) as other:
            self.assertGreater(other, first)
        deadline = Deadline(100, time.monotonic() - 1)
        with self.assertRaises(faults.GatewayError):
            deadline.check()

    # === Nobody but Odoo ends the transaction ===

    def test_code_that_commits_or_rolls_back_is_stopped(self):
        for way in ("commit", "rollback"):

            def ends(env, step, way=way):
                env["res.partner"].create({"name": "mcp-committed"})
                getattr(env.cr, way)()
                return {"count": 0}

            with self.subTest(way=way), operation(ends):
                fault = self.fault(COUNT, mode="write")
                self.assert_fault(fault, "method_denied", model="res.partner", method="search_count")
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-committed")]))
        self.assertNotEqual(vars(self.env.cr).get("commit"), faults.CommitRefused)

    # === Flush inside the call ===

    def test_what_shows_only_when_written_belongs_to_its_step(self):
        one, other = self.env["res.currency"].with_context(active_test=False).search([], limit=2)
        with mute_logger("odoo.sql_db"):
            fault = self.fault(write("res.currency", one.ids, name=other.name), COUNT, mode="write")
        self.assert_fault(fault, "invalid")

    # === Dry runs ===

    def test_a_dry_run_tells_and_stores_nothing(self):
        fault = self.fault(create("res.partner", {"name": "mcp-dry"}), mode="write", dry_run=True)
        self.assertEqual(fault.code, "dry_run")
        self.assertEqual(fault.data["results"][0]["records"][0]["display_name"], "mcp-dry")
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-dry")]))

    def test_a_dry_run_finds_what_the_database_refuses(self):
        one, other = self.env["res.currency"].with_context(active_test=False).search([], limit=2)
        with mute_logger("odoo.sql_db"):
            fault = self.fault(write("res.currency", one.ids, name=other.name), mode="write", dry_run=True)
        self.assertEqual(fault.code, "invalid")

    def test_a_dry_run_claims_no_key(self):
        step = create("res.partner", {"name": "mcp-dry"})
        asked = request(self.proof, step, mode="write", dry_run=True, idempotency_key="k")
        self.assertEqual(self.refused(lambda: self.ask("execute", asked)).code, "dry_run")
        self.assertFalse(self.ask("execute", {**asked, "dry_run": False})["replayed"])
