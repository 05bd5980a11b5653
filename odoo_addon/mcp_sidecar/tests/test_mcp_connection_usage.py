from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from odoo import fields
from odoo.tests import tagged

from .audit_common import REPLICA, entry, session
from .gateway_common import GatewayCase


def instant(moment):
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@tagged("-at_install", "post_install")
class TestConnectionStatistics(GatewayCase):
    """The numbers on a connection's form, and the lists they open."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["mcp.replica"].create({"replica": REPLICA, "last_seen": fields.Datetime.now()})
        cls.connection = cls.env["mcp.connection"].create({"name": "Counted", "user_id": cls.user.id})
        cls.other = cls.env["mcp.connection"].create({"name": "Other", "user_id": cls.admin.id})

    def log(self, connection, when=None, **changes):
        told = {"connection": connection.id, "user": connection.user_id.id, "time": instant(when or datetime.now(UTC))}
        self.ask("append_audit", {"replica": REPLICA, "entries": [entry(**told | changes)]})

    def open_session(self, connection, live=True):
        now = instant(datetime.now(UTC))
        told = session(connection, created=now, last_activity=now, live=live)
        self.ask("sync_sessions", {"replica": REPLICA, "complete": False, "sessions": [told]})

    def found(self, action, person):
        return self.env[action["res_model"]].with_user(person).with_context(action["context"]).search(action["domain"])

    def test_today_begins_where_the_company_is(self):
        for tz in ("Asia/Tokyo", "America/New_York"):
            self.env.ref("base.main_company").partner_id.tz = tz
            connection = self.env["mcp.connection"].create({"name": tz, "user_id": self.user.id})
            midnight = datetime.now(ZoneInfo(tz)).replace(hour=0, minute=0, second=0, microsecond=0)
            self.log(connection, midnight - timedelta(seconds=1), count=100)
            self.log(connection, midnight, count=2)
            self.log(connection, status="refused", reason="limit", count=3)
            self.assertEqual(connection.requests_today, 5)
            self.assertEqual((connection.request_count, connection.refusal_count), (105, 3))

    def test_logs_are_those_of_the_connection(self):
        self.assertEqual(self.connection.log_count, 0)
        for connection in (self.connection, self.connection, self.other):
            self.log(connection)
        for person in (self.user, self.admin):
            connection = self.connection.with_user(person)
            connection.invalidate_recordset()
            self.assertEqual(connection.log_count, 2)
            entries = self.found(connection.action_open_logs(), person)
            self.assertEqual(entries.mapped("connection_id"), [self.connection.id] * 2)

    def test_sessions_are_the_live_ones_of_the_connection(self):
        self.open_session(self.connection)
        self.open_session(self.connection, live=False)
        self.open_session(self.other)
        for person in (self.user, self.admin):
            connection = self.connection.with_user(person)
            connection.invalidate_recordset()
            self.assertEqual(connection.session_count, 1)
            sessions = self.found(connection.action_open_sessions(), person)
            self.assertEqual(sessions.connection_id.id, self.connection.id)
            self.assertEqual(len(sessions), 1)
        self.connection.with_user(self.admin).action_revoke()
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.session_count, 0)

    def test_many_are_counted_in_as_few_queries_as_one(self):
        many = self.connection | self.other
        self.env.flush_all()
        counted = []
        # the first round fills the caches of access rights
        for connections in (many, self.connection, many):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            for name in ("log_count", "session_count", "requests_today"):
                connections.mapped(name)
            counted.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counted[1], counted[2])

    def test_a_new_connection_has_no_numbers(self):
        new = self.env["mcp.connection"].new({"name": "x", "user_id": self.user.id})
        self.assertEqual((new.log_count, new.session_count, new.requests_today), (0, 0, 0))
