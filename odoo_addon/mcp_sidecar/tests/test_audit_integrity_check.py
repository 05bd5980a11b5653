"""What server code can do to the audit log, and how a sidecar finds out: the database side of the detection."""

import hashlib
import uuid

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..gateway.audit import hash_chain, integrity_check
from .audit_common import OTHER, REPLICA, entry
from .gateway_common import call, write
from .test_audit_hash_chain import LogCase


class AlarmCase(LogCase):
    def check(self, seen=None, after=0, alarms=(), replica=REPLICA):
        asked = {"replica": replica, "seen": seen, "after": after, "alarms": list(alarms)}
        return self.ask("check_audit", asked)

    def alarm(self, **changes):
        return {
            "id": hashlib.sha256(uuid.uuid4().bytes).hexdigest()[:32],
            "kind": "missing",
            "sequence": 3,
            "missing": 1,
            "time": "2026-11-22T13:30:00.125Z",
            **changes,
        }

    def tip(self):
        return self.check()["chain"]["tip"]

    def delete_by_flag(self, which, replica=REPLICA):
        """Server code that sets the flag of the retention."""
        self.env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
        self.env.cr.execute(f"DELETE FROM mcp_audit_log WHERE replica = %s AND {which}", [replica])
        self.env.cr.execute("SELECT set_config('mcp_sidecar.retention', '', true)")

    def without_trigger(self, statement, *values):
        self.env.cr.execute("ALTER TABLE mcp_audit_log DISABLE TRIGGER mcp_audit_guard")
        self.env.cr.execute(statement, values)
        self.env.cr.execute("ALTER TABLE mcp_audit_log ENABLE TRIGGER mcp_audit_guard")

    def rebuild(self, replica=REPLICA):
        """Hashes a chain anew, checkpoint included, as server code that read this addon can."""
        columns = ", ".join(hash_chain.COLUMNS)
        link = self.env["mcp.audit.checkpoint"]._ends(replica)[0]
        self.env.cr.execute(f"SELECT id, {columns} FROM mcp_audit_log WHERE replica = %s ORDER BY sequence", [replica])
        names = [column.name for column in self.env.cr.description]
        for values in self.env.cr.fetchall():
            row = dict(zip(names, values, strict=True))
            row_id = row.pop("id")
            link = hash_chain.append(link, row)
            statement = "UPDATE mcp_audit_log SET sequence = %s, hash = %s WHERE id = %s"
            self.without_trigger(statement, row["sequence"], row["hash"], row_id)
        self.env["mcp.audit.checkpoint"]._move_tip(replica, link)


@tagged("-at_install", "post_install")
class TestCheck(AlarmCase):
    def setUp(self):
        super().setUp()
        self.stored(5)
        self.stored(2, replica=OTHER)
        self.kept = self.tip()

    def test_a_chain_that_nothing_was_done_to(self):
        answer = self.check(5)
        self.assertEqual(answer["chain"]["seen"], self.kept["hash"])
        self.assertEqual(answer["chain"]["newest"], self.kept)
        self.assertEqual((answer["gap"], answer["window"]), (None, {"changed": None, "next": 0}))
        self.stored(3)
        answer = self.check(5)
        self.assertEqual((answer["chain"]["seen"], answer["chain"]["tip"]["sequence"]), (self.kept["hash"], 8))
        self.assertIsNone(answer["gap"])
        self.assertEqual(self.check(replica=str(uuid.uuid4()))["chain"]["tip"], {"sequence": 0, "hash": ""})

    def test_deleting_with_the_flag_of_the_retention(self):
        for which, gap in (
            ("sequence = 1", {"sequence": 1, "missing": 1}),
            ("sequence = 3", {"sequence": 3, "missing": 1}),
            ("sequence IN (2, 4)", {"sequence": 2, "missing": 2}),
        ):
            with self.subTest(which):
                savepoint = self.env.cr.savepoint()
                self.delete_by_flag(which)
                self.assertEqual(self.check(5)["gap"], gap)
                self.assertIsNone(self.check(2, replica=OTHER)["gap"])
                savepoint.close(rollback=True)

    def test_deleting_the_newest_ones(self):
        for which, newest in (("sequence = 5", 4), ("sequence > 2", 2), ("true", 0)):
            with self.subTest(which):
                savepoint = self.env.cr.savepoint()
                self.delete_by_flag(which)
                state = self.check(5)["chain"]
                self.assertEqual((state["newest"]["sequence"], state["seen"]), (newest, None))
                savepoint.close(rollback=True)

    def test_deleting_the_newest_ones_and_the_checkpoint(self):
        self.delete_by_flag("sequence > 2")
        self.env.cr.execute("DELETE FROM mcp_audit_checkpoint WHERE replica = %s", [REPLICA])
        self.assertEqual(self.check(5)["chain"]["tip"]["sequence"], 0)

    def test_disabling_or_dropping_the_trigger(self):
        for statement in (
            "DELETE FROM mcp_audit_log WHERE replica = %s AND sequence = 2",
            "UPDATE mcp_audit_log SET sequence = 77 WHERE replica = %s AND sequence = 2",
        ):
            with self.subTest(statement):
                savepoint = self.env.cr.savepoint()
                self.without_trigger(statement, REPLICA)
                self.assertEqual(self.check(5)["gap"]["sequence"], 2)
                savepoint.close(rollback=True)
        savepoint = self.env.cr.savepoint()
        self.env.cr.execute("DROP TRIGGER mcp_audit_guard ON mcp_audit_log; TRUNCATE mcp_audit_log")
        self.assertEqual(self.check(5)["chain"]["newest"]["sequence"], 0)
        savepoint.close(rollback=True)

    def test_changing_an_entry(self):
        self.without_trigger("UPDATE mcp_audit_log SET tool = 'x' WHERE replica = %s AND sequence = 2", REPLICA)
        answer = self.check(5)
        self.assertEqual(answer["chain"]["seen"], self.kept["hash"])
        self.assertEqual(answer["window"], {"changed": 2, "next": 2})
        self.assertEqual(self.check(5, after=2)["window"], {"changed": None, "next": 0}, "the rest is as it was")

    def test_making_the_whole_chain_anew(self):
        self.without_trigger("UPDATE mcp_audit_log SET tool = 'x' WHERE replica = %s AND sequence = 2", REPLICA)
        self.rebuild()
        self.assertEqual(self.verified()[REPLICA], None, "Verify Log alone is deceived")
        state = self.check(5)["chain"]
        self.assertNotEqual(state["seen"], self.kept["hash"])

    def test_making_it_anew_before_the_next_entry(self):
        self.delete_by_flag("sequence = 4")
        self.rebuild()
        self.stored(3)
        self.assertNotEqual(self.check(5)["chain"]["seen"], self.kept["hash"])
        entries = {"replica": REPLICA, "seen": 5, "entries": [entry()]}
        self.assertNotEqual(self.ask("append_audit", entries)["chain"]["seen"], self.kept["hash"])

    def test_windows_go_over_the_whole_chain(self):
        self.patch(integrity_check, "MAX_HASHED_ENTRIES", 2)
        self.without_trigger("UPDATE mcp_audit_log SET tool = 'x' WHERE replica = %s AND sequence = 4", REPLICA)
        self.assertEqual(self.check(5)["window"], {"changed": None, "next": 2})
        self.assertEqual(self.check(5, after=2)["window"], {"changed": 4, "next": 4})
        self.assertEqual(self.check(5, after=4)["window"], {"changed": None, "next": 0})

    def test_retention_leaves_no_gap(self):
        self.env["mcp.audit.log"]._delete_batch(REPLICA, fields.Datetime.now())
        answer = self.check(5)
        self.assertEqual(answer["chain"]["start"], self.kept)
        self.assertEqual((answer["gap"], answer["chain"]["seen"]), (None, None))
        self.stored(2)
        answer = self.check(5)
        self.assertEqual((answer["gap"], answer["chain"]["newest"]["sequence"]), (None, 7))
        self.assertEqual(answer["window"], {"changed": None, "next": 0})

    def test_the_switch_does_not_keep_it_from_being_asked(self):
        self.settings.enabled = False
        self.assertIsNone(self.check(5)["gap"])


@tagged("-at_install", "post_install")
class TestAlarm(AlarmCase):
    def raised(self, **changes):
        told = self.alarm(**changes)
        self.check(alarms=[told])
        return told, self.env["mcp.audit.alarm"].search([("reference", "=", told["id"])])

    def test_an_alarm_is_stored_once_and_shown(self):
        told, alarm = self.raised()
        self.check(alarms=[told])
        self.assertEqual(self.env["mcp.audit.alarm"].search_count([("reference", "=", told["id"])]), 1)
        self.assertIn("1 entries are missing, the first one is number 3", alarm.found)
        settings = self.settings.with_user(self.admin)
        settings.invalidate_recordset()
        self.assertEqual(settings.alarm_count, 1)
        self.assertEqual(settings.action_open_alarms()["res_model"], "mcp.audit.alarm")
        verify = self.env["mcp.audit.log"].with_user(self.admin).action_verify()
        verify = self.env["mcp.audit.verify"].with_user(self.admin).browse(verify["res_id"])
        self.assertEqual(verify.alarm_count, 1)
        self.assertEqual(verify.action_open_alarms()["res_model"], "mcp.audit.alarm")

    def test_each_kind_has_a_sentence(self):
        for kind in ("lowered", "changed", "missing", "deleted"):
            self.assertIn("3", self.raised(kind=kind)[1].found)

    def test_a_deleted_alarm_comes_back(self):
        told, _alarm = self.raised()
        self.env.cr.execute("DELETE FROM mcp_audit_alarm")
        self.check(alarms=[told])
        self.assertEqual(self.env["mcp.audit.alarm"].search_count([("reference", "=", told["id"])]), 1)

    def test_an_administrator_acknowledges_with_a_note(self):
        told, alarm = self.raised()
        alarm = alarm.with_user(self.admin)
        for note in (False, "  "):
            alarm.note = note
            with self.assertRaisesRegex(UserError, "Write a note"):
                alarm.action_acknowledge()
        self.assertEqual(self.check(alarms=[told])["acknowledged"], [])
        alarm.note = "The backup was restored."
        alarm.action_acknowledge()
        self.assertEqual((alarm.acknowledged_by, bool(alarm.acknowledged_on)), (self.admin.name, True))
        answer = self.check(alarms=[told])["acknowledged"]
        self.assertEqual(answer, [{"id": told["id"], "by": self.admin.name, "note": "The backup was restored."}])
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.alarm_count, 0)
        with self.assertRaises(UserError):
            alarm.note = "Something else"

    def test_nobody_else_does(self):
        _told, alarm = self.raised()
        alarm.note = "x"
        for person in (self.user, self.employee, self.settings_admin, self.service):
            with self.assertRaises(AccessError):
                alarm.with_user(person).action_acknowledge()
        for person in (self.admin, self.env.user):
            own = alarm.with_user(person)
            for deed in (
                lambda a=own: a.unlink(),
                lambda a=own: a.create({"reference": "x" * 20}),
                lambda a=own: a.write({"acknowledged_on": fields.Datetime.now()}),
                lambda a=own: a.write({"kind": "deleted"}),
            ):
                with self.assertRaises(UserError):
                    deed()
        self.assertFalse(alarm.acknowledged_on)

    def test_no_ai_tool_touches_it(self):
        _told, alarm = self.raised()
        alarm.note = "x"
        proof = self.proof_of(self.system)
        for step in (
            write("mcp.audit.alarm", alarm.ids, note="fine"),
            call("mcp.audit.alarm", "action_acknowledge", alarm.ids),
            {"op": "unlink", "model": "mcp.audit.alarm", "ids": alarm.ids},
        ):
            self.assertEqual(self.fault(step, mode="run", proof=proof).code, "access_denied")
        alarm.invalidate_recordset()
        self.assertEqual((alarm.note, alarm.acknowledged_on), ("x", False))
