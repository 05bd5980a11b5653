"""The outbox: nothing lost, nothing from what was rolled back, whatever order transactions end in."""

import contextlib
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.tests import BaseCase, tagged

from ..gateway.sync import outbox_cursor
from .gateway_common import CommittedCase

REPLICA = "5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70"


@tagged("-at_install", "post_install")
class TestChanges(CommittedCase):
    def setUp(self):
        super().setUp()
        self.startPatcher(patch("odoo.addons.mcp_sidecar.gateway.sync.wakeup.announce"))
        self.cursor_now = self.news(None)["cursor"]

    def news(self, cursor):
        with self.transaction() as env:
            return self.ask("changes", {"replica": REPLICA, "cursor": cursor}, env=env)

    def heard(self):
        """The connections told since the last time."""
        answer = self.news(self.cursor_now)
        self.assertFalse(answer["reset"])
        self.cursor_now = answer["cursor"]
        return answer["connections"]

    @contextlib.contextmanager
    def noting(self, *refs):
        """An open transaction that has written its events."""
        with self.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            for ref in refs:
                env["mcp.event"]._publish("connection", ref)
            cr.flush()
            yield cr

    # === The selection rule ===

    def test_what_commits_is_told_once(self):
        self.assertEqual(self.heard(), [])
        with self.noting(3, 8, 3):
            self.assertEqual(self.heard(), [], "not committed yet")
        self.assertEqual(self.heard(), [3, 8])
        self.assertEqual(self.heard(), [])

    def test_what_is_rolled_back_is_never_told(self):
        with self.noting(3) as cr:
            cr.rollback()
        self.assertEqual(self.heard(), [])
        with self.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env["mcp.event"]._publish("connection", 1)
            with contextlib.suppress(ZeroDivisionError), cr.savepoint():
                env["mcp.event"]._publish("connection", 2)
                cr.flush()
                raise ZeroDivisionError
        self.assertEqual(self.heard(), [1])

    def test_transactions_that_end_in_another_order(self):
        with self.noting(1) as first:
            with self.noting(2):
                pass
            self.assertEqual(self.heard(), [2], "the later id, committed first")
            with self.noting(3):
                pass
            first.commit()
            self.assertEqual(self.heard(), [1, 3], "the earlier id, committed later")
        self.assertEqual(self.heard(), [])

    def test_a_long_transaction_hides_nothing(self):
        with self.noting(1) as long:
            for ref in range(10, 15):
                with self.noting(ref):
                    pass
                self.assertEqual(self.heard(), [ref])
            long.commit()
            self.assertEqual(self.heard(), [1])

    def test_one_reader_that_was_away_hears_it_all(self):
        before = self.cursor_now
        for ref in range(5):
            with self.noting(ref + 1):
                pass
            self.heard()
        self.assertEqual(self.news(before)["connections"], [1, 2, 3, 4, 5])

    def test_one_insert_a_transaction(self):
        with self.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            for ref in range(50):
                env["mcp.event"]._publish("connection", ref % 5 + 1)
            before = cr.sql_log_count
            cr.flush()
            self.assertEqual(cr.sql_log_count - before, 1)
        self.assertEqual(self.heard(), [1, 2, 3, 4, 5])

    # === What is told ===

    def test_settings_connections_and_schemas(self):
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").rate_limit_minute = 77
            env["mcp.connection"].browse(self.connection_id).action_revoke()
        answer = self.news(self.cursor_now)
        self.assertEqual(answer["settings"]["rate_limit_minute"], 77)
        self.assertEqual(answer["connections"], [self.connection_id])
        self.assertFalse(answer["schema"])
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").rate_limit_minute = 60
        with self.transaction() as env:
            access = env["ir.model.access"].search([], limit=1)
            access.name = access.name
        answer = self.news(answer["cursor"])
        self.assertTrue(answer["schema"])
        self.assertEqual(self.news(answer["cursor"])["settings"], None)

    def test_a_persons_groups_are_part_of_their_connections(self):
        with self.transaction() as env:
            admin = env.ref("base.user_admin")
            group = env["res.groups"].create({"name": "mcp-group"})
            admin.group_ids += group
        self.assertIn(self.connection_id, self.heard())
        with self.transaction() as env:
            env["res.groups"].search([("name", "=", "mcp-group")]).unlink()
        self.assertIn(self.connection_id, self.heard())

    # === Starting anew ===

    def test_a_cursor_from_elsewhere_starts_anew(self):
        version, uuid, cluster, *snapshot = self.cursor_now.split(":")
        sysid, oid, taken = cluster.split(".")
        last = int(snapshot[1])
        for parts in (
            None,
            "",
            "x" * 100,
            ["2", uuid, cluster, *snapshot],
            [version, "other", cluster, *snapshot],
            [version, uuid, f"1.{oid}.{taken}", *snapshot],
            [version, uuid, f"{sysid}.1.{taken}", *snapshot],
            [version, uuid, f"{sysid}.{oid}.{int(taken) - 25 * 3600}", *snapshot],
            [version, uuid, cluster, str(last + 1000), str(last + 1000), ""],
            [version, uuid, cluster, "5", "4", ""],
            [version, uuid, cluster, "1", "9", "5,3"],
            [version, uuid, cluster, "1", "9", "10"],
            [version, uuid, cluster, "1", "9", "x'; DROP TABLE mcp_event; --"],
        ):
            cursor = ":".join(parts) if isinstance(parts, list) else parts
            with self.subTest(cursor=cursor):
                answer = self.news(cursor)
                self.assertTrue(answer["reset"] and answer["schema"] and answer["settings"])
                self.assertEqual(answer["connections"], [])
                self.assertFalse(self.news(answer["cursor"])["reset"])

    def test_rows_outlive_every_cursor_that_needs_them(self):
        self.assertGreater(outbox_cursor.ROW_HOURS, outbox_cursor.CURSOR_HOURS)
        with self.noting(1):
            pass
        with self.transaction() as env:
            env["mcp.event"]._gc_events()
        self.assertEqual(self.heard(), [1])
        with self.transaction() as env:
            env.cr.execute(
                "UPDATE mcp_event SET created = created - %s * interval '1 hour'", [outbox_cursor.ROW_HOURS + 1]
            )
            env["mcp.event"]._gc_events()
            env.cr.execute("SELECT count(*) FROM mcp_event")
            self.assertEqual(env.cr.fetchone(), (0,))


@tagged("-at_install", "post_install")
class TestCursorText(BaseCase):
    def test_a_cursor_says_what_it_was_made_of(self):
        source = outbox_cursor.Source("u", "7.5", "740:741:740", 1_000_000)
        cursor = outbox_cursor.encode_cursor(source)
        self.assertEqual(cursor, "1:u:7.5.1000000:740:741:740")
        self.assertEqual(outbox_cursor.decode_cursor(cursor, source), "740:741:740")
        self.assertEqual(outbox_cursor.decode_cursor(cursor, source._replace(now=1_000_000 + 23 * 3600)), "740:741:740")
        self.assertIsNone(outbox_cursor.decode_cursor(cursor, source._replace(now=1_000_000 + 24 * 3600)))
