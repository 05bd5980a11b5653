"""Sessions: who is at work, who no longer is, and ending them."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..models.mcp_replica import SESSIONS_LIVE_FOR
from ..models.mcp_session import KEPT_FOR
from .audit_common import OTHER, REPLICA, AuditAsking, session
from .gateway_common import CommittedCase, GatewayCase


class SessionCase(AuditAsking, GatewayCase):
    def setUp(self):
        super().setUp()
        self.connection = self.env["mcp.connection"].search([("user_id", "=", self.user.id)], limit=1)
        self.register()

    def told(self, **changes):
        return session(self.connection, **changes)

    def rows(self, *sessions):
        self.env.invalidate_all()
        found = self.env["mcp.session"].with_context(active_test=False).search([])
        by_id = {row.session_id: row for row in found}
        return [by_id.get(told["session"]) for told in sessions]

    def row(self, told):
        return self.rows(told)[0]

    def begin(self, **changes):
        """A session that the sidecar has told of, and its row."""
        told = self.told(**changes)
        self.assertEqual(self.sync(told), [])
        return told, self.row(told)

    def now(self, **offset):
        return (fields.Datetime.now() + timedelta(**offset)).isoformat() + "Z"


@tagged("-at_install", "post_install")
class TestSync(SessionCase):
    def test_a_session_is_stored_as_told(self):
        told, row = self.begin(client=None)
        self.assertEqual((row.connection_id, row.user_id, row.client), (self.connection, self.user, False))
        self.assertEqual((row.ip_address, row.era, row.request_count), ("203.0.113.9", "legacy", 12))
        self.assertEqual(row.created, fields.Datetime.to_datetime("2026-01-15 13:00:00"))
        self.assertEqual(row.last_activity, fields.Datetime.to_datetime("2026-01-15 13:30:00"))
        self.assertTrue(row.active and row.live)
        later = {
            **told,
            "client": "new 2",
            "ip": "2001:db8::1",
            "requests": 13,
            "last_activity": "2026-01-15T14:00:00Z",
        }
        self.assertEqual(self.sync(later), [])
        self.assertEqual(self.row(told), row)
        self.assertEqual((row.client, row.ip_address, row.request_count), ("new 2", "2001:db8::1", 13))
        self.assertEqual(row.last_activity, fields.Datetime.to_datetime("2026-01-15 14:00:00"))

    def test_the_last_word_on_a_session_counts(self):
        told = self.told()
        self.assertEqual(self.sync(told, {**told, "live": False}), [])
        self.assertFalse(self.row(told).active)

    def test_a_session_that_ended_is_shown_as_such(self):
        told, row = self.begin()
        self.sync({**told, "live": False})
        self.assertFalse(self.row(told).active or row.live or row.ended_at)
        self.assertEqual(self.sync(told), [], "nobody has ended it in Odoo")
        self.assertTrue(self.row(told).active)

    def test_complete_ends_what_is_left_from_before(self):
        one, two = self.told(), self.told()
        other = self.told()
        self.sync(one, two)
        self.sync(other, replica=OTHER)
        self.sync({**two, "requests": 13}, complete=True)
        self.assertEqual([row.active for row in self.rows(one, two, other)], [False, True, True])
        self.sync(complete=True)
        self.assertEqual([row.active for row in self.rows(one, two, other)], [False, False, True])

    def test_sessions_of_nobody_are_ended_at_once(self):
        stranger = self.connect(self.admin)[0]
        mixed = self.told(user=self.admin.id)
        gone = {**session(stranger)}
        stranger.unlink()
        revoked_connection = self.connect(self.admin)[0]
        revoked = session(revoked_connection)
        revoked_connection.action_revoke()
        self.assertEqual(self.sync(mixed, gone, revoked), [told["session"] for told in (mixed, gone, revoked)])
        self.assertEqual(self.rows(mixed, gone), [None, None])
        self.assertFalse(self.row(revoked).active)

    def test_a_session_does_not_change_hands(self):
        told, row = self.begin()
        other = self.connect(self.admin)[0]
        self.sync(session(other, session=told["session"], client="thief"))
        self.assertEqual((row.connection_id, row.client), (self.connection, "claude-code 2.1.0"))

    def test_what_can_not_be_stored_is_mended(self):
        told = self.told(client="\x00" + "é" * 300, ip="x" * 200, requests=2**40)
        self.assertEqual(self.sync(told), [])
        row = self.row(told)
        self.assertEqual((row.client, len(row.ip_address)), ("\ufffd" + "é" * 199, 100))
        self.assertEqual(row.request_count, 2**31 - 1)

    def test_what_breaks_the_contract_is_refused(self):
        for at, change in (
            ("sessions.0.era", {"era": "stone"}),
            ("sessions.0.live", {"live": None}),
            ("sessions.0.user", {"user": None}),
            ("sessions.0.more", {"more": 1}),
            ("sessions.0.created", {"created": "now"}),
            ("sessions.0.session", {"session": ""}),
        ):
            fault = self.refused(lambda change=change: self.sync(self.told(**change)))
            self.assert_fault(fault, "bad_request", at=at)

    def test_many_sessions_take_few_statements(self):
        sessions = [self.told() for _ in range(1000)]
        self.sync(self.told())
        before = self.env.cr.sql_log_count
        self.sync(*sessions, complete=True)
        self.assertLess(self.env.cr.sql_log_count - before, 12)


@tagged("-at_install", "post_install")
class TestLive(SessionCase):
    def silent(self, seconds, replica=REPLICA):
        """Lets a sidecar have been silent for as long."""
        self.env.cr.execute(
            "UPDATE mcp_replica SET sessions_seen = sessions_seen - %s * interval '1 s' WHERE replica = %s",
            [seconds, replica],
        )
        self.env.invalidate_all()

    def count(self):
        self.settings.invalidate_recordset()
        return self.settings.session_count

    def test_sessions_live_as_long_as_their_sidecar_tells_of_them(self):
        before = self.count()
        _told, row = self.begin()
        self.register(OTHER)
        self.sync(self.told(), replica=OTHER)
        self.assertEqual(self.count(), before + 2)
        self.silent(SESSIONS_LIVE_FOR.seconds + 1)
        self.assertEqual(self.count(), before + 1)
        self.assertEqual((row.live, row.active), (False, True))
        self.sync()
        self.assertEqual(self.count(), before + 2, "an empty list says that nothing has changed")
        self.assertTrue(self.row(_told).live)

    def test_the_search_agrees_with_the_field(self):
        live, dead, ended = self.told(), self.told(), self.told(live=False)
        self.register(OTHER)
        self.sync(live, ended)
        self.sync(dead, replica=OTHER)
        self.silent(60, OTHER)
        sessions = self.env["mcp.session"].with_context(active_test=False)
        everything = sessions.search([])
        for value in (True, False):
            found = sessions.search([("live", "=", value)])
            self.assertEqual(found, everything.filtered(lambda row, value=value: row.live == value))
        self.assertEqual([row.live for row in self.rows(live, dead, ended)], [True, False, False])
        self.assertEqual(sessions.search([("live", "in", [True, False])]), everything)

    def test_the_counter_opens_what_it_counts(self):
        self.sync(self.told(), self.told(live=False))
        settings = self.settings.with_user(self.admin)
        settings.invalidate_recordset()
        action = settings.action_open_sessions()
        found = self.env[action["res_model"]].with_context(**action["context"]).search_count(action["domain"])
        self.assertEqual((found, settings.session_count), (1, 1))
        self.assertEqual(action["id"], self.env.ref("mcp_sidecar.mcp_session_action").id)

    def test_old_sessions_are_swept_once_a_day(self):
        cron = self.env.ref("mcp_sidecar.ir_cron_delete_ended_sessions")
        self.assertEqual((cron.interval_number, cron.interval_type, cron.active), (1, "days", True))
        old, new = self.now(seconds=-KEPT_FOR.total_seconds() - 60), self.now(seconds=60 - KEPT_FOR.total_seconds())
        idle = self.told(last_activity=old)
        ended, kept = self.told(last_activity=old, live=False), self.told(last_activity=new, live=False)
        dead = self.told(last_activity=old)
        self.sync(idle, ended, kept)
        self.sync(dead, replica=OTHER)
        cron.ir_actions_server_id.run()
        self.assertEqual([bool(row) for row in self.rows(idle, ended, kept, dead)], [True, False, True, False])


@tagged("-at_install", "post_install")
class TestEnding(SessionCase):
    def assert_ended(self, row, noted):
        self.env.invalidate_all()
        self.assertFalse(row.active or row.live)
        self.assertTrue(row.ended_at)
        self.assertIn(("session", row.id), noted)

    def test_users_end_own_sessions_and_administrators_all(self):
        _told, own = self.begin()
        other_told = session(self.connect(self.settings_admin)[0])
        self.sync(other_told)
        other = self.row(other_told)
        for person in (self.user, self.employee, self.settings_admin, self.portal, self.service):
            for row in (own, other):
                if (person, row) == (self.user, own):
                    continue
                with self.subTest(person=person.login, own=row == own), self.assertRaises(AccessError):
                    row.with_user(person).action_deactivate()
        self.assertTrue(own.active and other.active)
        noted = self.notes()
        own.with_user(self.user).action_deactivate()
        self.assert_ended(own, noted)
        other.with_user(self.admin).action_deactivate()
        self.assert_ended(other, noted)
        ended_at = own.ended_at
        self.env.cr.execute("UPDATE mcp_session SET ended_at = ended_at - interval '1 h'")
        self.env.invalidate_all()
        own.with_user(self.user).action_deactivate()
        self.assertLess(own.ended_at, ended_at, "an ended session isn't ended again")
        self.assertEqual(len(noted), 2)

    def test_nothing_else_of_a_session_can_be_changed(self):
        _told, own = self.begin()
        for person in (self.user, self.admin, self.system):
            for deed in (
                lambda p=person: own.with_user(p).write({"active": True}),
                lambda p=person: own.with_user(p).unlink(),
                lambda p=person: own.with_user(p).copy(),
            ):
                with self.assertRaises(AccessError):
                    deed()

    def test_a_legacy_session_never_comes_back(self):
        told, row = self.begin()
        row.action_deactivate()
        for later in (told, {**told, "last_activity": self.now(hours=1), "requests": 99}):
            self.assertEqual(self.sync(later), [told["session"]])
            self.assertFalse(self.row(told).active)
        self.assertEqual(self.sync({**told, "live": False}), [])

    def test_a_modern_one_comes_back_when_it_is_used_again(self):
        told, row = self.begin(era="modern")
        row.action_deactivate()
        self.env.cr.execute("UPDATE mcp_session SET ended_at = ended_at - interval '1 minute'")
        self.assertEqual(self.sync(told), [told["session"]], "what is told late is no use")
        self.assertFalse(self.row(told).active)
        self.assertEqual(self.sync({**told, "last_activity": self.now(seconds=-1)}), [])
        self.assertTrue(self.row(told).active)
        self.assertFalse(row.ended_at)

    def test_a_clock_that_is_ahead_revives_nothing(self):
        told, row = self.begin(era="modern")
        row.action_deactivate()
        self.assertEqual(self.sync({**told, "last_activity": self.now(hours=5)}), [told["session"]])
        self.assertFalse(self.row(told).active)

    def test_revoking_a_connection_ends_its_sessions(self):
        told, row = self.begin(era="modern")
        other = session(self.connect(self.user)[0])
        self.sync(other)
        noted = self.notes()
        self.connection.with_user(self.admin).action_revoke()
        self.assert_ended(row, noted)
        self.assertTrue(self.row(other).active)
        self.assertEqual(self.sync({**told, "last_activity": self.now()}), [told["session"]])
        self.connection.action_reactivate()
        self.assertFalse(self.row(told).active)

    def test_changing_a_connection_ends_none(self):
        _told, row = self.begin()
        self.connection.write({"notes": "x", "scope": "read_only", "active": True})
        self.env.invalidate_all()
        self.assertTrue(row.active)

    def test_deleting_a_connection_deletes_its_sessions(self):
        told, _row = self.begin()
        self.connection.unlink()
        self.assertEqual(self.rows(told), [None])
        self.assertEqual(self.sync(told), [told["session"]])

    def test_archiving_the_user_ends_its_sessions(self):
        _told, row = self.begin()
        noted = self.notes()
        self.user.active = False
        self.assert_ended(row, noted)

    def test_a_session_that_is_told_of_after_its_user_was_archived_has_ended(self):
        self.user.active = False
        self.env.flush_all()
        told = self.told()
        self.assertEqual(self.sync(told), [told["session"]])
        self.assertFalse(self.row(told).active)

    def test_taking_the_users_rights_away_ends_its_sessions(self):
        _told, row = self.begin()
        noted = self.notes()
        self.user.group_ids = self.env.ref("base.group_portal")
        self.assert_ended(row, noted)

    def test_a_user_who_becomes_a_service_account_has_none(self):
        _told, row = self.begin()
        noted = self.notes()
        self.user.group_ids = self.env.ref("mcp_sidecar.group_service")
        self.assert_ended(row, noted)

    def test_taking_the_user_out_of_a_group_ends_its_sessions(self):
        _told, row = self.begin()
        noted = self.notes()
        self.env.ref("mcp_sidecar.group_user").user_ids -= self.user
        self.assert_ended(row, noted)

    def test_other_changes_of_the_user_end_none(self):
        _told, row = self.begin()
        self.user.write({"lang": "en_US", "tz": "UTC", "name": "New"})
        self.env.invalidate_all()
        self.assertTrue(row.active)


@tagged("-at_install", "post_install")
class TestEndedSessionsAreTold(AuditAsking, CommittedCase):
    def setUp(self):
        super().setUp()
        self.announced = self.startPatcher(patch("odoo.addons.mcp_sidecar.gateway.sync.wakeup.announce"))

    def news(self, cursor):
        with self.transaction() as env:
            return self.ask("changes", {"replica": REPLICA, "cursor": cursor}, env=env)

    def test_changes_names_what_was_ended(self):
        with self.transaction() as env:
            told = session(env["mcp.connection"].browse(self.connection_id))
            self.sync(told, env=env)
        cursor = self.news(None)["cursor"]
        self.assertEqual(self.news(cursor)["sessions"], [])
        self.announced.reset_mock()
        with self.transaction() as env:
            env["mcp.session"].search([("session_id", "=", told["session"])]).action_deactivate()
        self.announced.assert_called_once()
        answer = self.news(cursor)
        self.assertEqual((answer["sessions"], answer["connections"]), ([told["session"]], []))
        self.assertEqual(self.news(answer["cursor"])["sessions"], [])
        with self.transaction() as env:
            self.assertEqual(self.sync(told, env=env), [told["session"]])
