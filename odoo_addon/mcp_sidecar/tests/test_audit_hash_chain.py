"""The audit log itself: nobody changes it, the retention alone deletes, and tampering shows."""

from datetime import timedelta

from lxml import etree
from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger
from odoo.tools.safe_eval import safe_eval

from ..gateway.audit import hash_chain
from ..hooks import uninstall_hook
from ..models import mcp_audit_log
from .audit_common import OTHER, REPLICA, AuditAsking, entry
from .gateway_common import GatewayCase


class LogCase(AuditAsking, GatewayCase):
    def stored(self, count=5, replica=REPLICA, **changes):
        entries = [entry(**changes) for _ in range(count)]
        self.append(*entries, replica=replica)
        return entries

    def entry_of(self, sequence, replica=REPLICA):
        return self.env["mcp.audit.log"].search([("replica", "=", replica), ("sequence", "=", sequence)])

    def verified(self):
        """What the action finds, by sidecar, as kind and number; None where all is well."""
        self.env.invalidate_all()
        action = self.env["mcp.audit.log"].with_user(self.admin).action_verify()
        verify = self.env[action["res_model"]].browse(action["res_id"])
        found = {line.replica: (line.kind, line.sequence) if line.kind else None for line in verify.line_ids}
        self.assertEqual(verify.intact, not any(found.values()))
        return found


@tagged("-at_install", "post_install")
class TestSealed(LogCase):
    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_every_change(self):
        self.stored()
        for statement in (
            "UPDATE mcp_audit_log SET tool = 'x'",
            "UPDATE mcp_audit_log SET tool = tool WHERE false",
            "DELETE FROM mcp_audit_log",
            "TRUNCATE mcp_audit_log",
            # the flag is for deleting
            "SELECT set_config('mcp_sidecar.retention', 'on', true); UPDATE mcp_audit_log SET tool = 'x'",
            "SELECT set_config('mcp_sidecar.retention', 'on', true); TRUNCATE mcp_audit_log",
        ):
            with self.subTest(statement), self.env.cr.savepoint(), self.assertRaises(IntegrityError) as caught:
                self.env.cr.execute(statement)
            self.assertIn("can only be added to", str(caught.exception))
        self.assertEqual(self.verified()[REPLICA], None)

    def test_the_orm_refuses_every_change(self):
        [told] = self.stored(1)
        [log] = self.log(told)
        checkpoint = self.env["mcp.audit.checkpoint"].search([("replica", "=", REPLICA)])
        for record in (log, checkpoint):
            values = {name: "x" for name, field in record._fields.items() if field.required and field.type == "char"}
            for deed in (
                lambda r=record, v=values: r.create(v),
                lambda r=record: r.write({"hash": "x"}),
                lambda r=record: r.unlink(),
                lambda r=record: r.copy(),
                lambda r=record: r.browse().create([{}]),
            ):
                with self.assertRaisesRegex(UserError, "only the MCP server itself adds to it"):
                    deed()
            result = record.load(["hash"], [["x"]])
            self.assertFalse(result["ids"])
            self.assertTrue(result["messages"])
            with self.assertRaises(AccessError):
                record.with_user(self.system).check_access("write")

    @mute_logger("odoo.sql_db")
    def test_the_flag_ends_with_the_batch(self):
        self.stored(1)
        self.env["mcp.audit.log"]._delete_batch(REPLICA, fields.Datetime.now())
        self.stored(1)
        with self.env.cr.savepoint(), self.assertRaises(IntegrityError):
            self.env.cr.execute("DELETE FROM mcp_audit_log")

    def test_the_addon_can_be_uninstalled(self):
        self.stored()
        savepoint = self.env.cr.savepoint()
        uninstall_hook(self.env)
        self.env.cr.execute("DROP TABLE mcp_audit_log CASCADE")
        self.env.cr.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'mcp_%'")
        self.assertEqual(self.env.cr.fetchone(), (0,))
        savepoint.close(rollback=True)

    def test_an_update_of_the_addon_rewrites_nothing(self):
        told = self.stored()
        before = [log.hash for log in self.log(*told)]
        log = self.env["mcp.audit.log"]
        log._auto_init()
        log.init()
        self.assertEqual([log.hash for log in self.log(*told)], before)
        self.test_the_database_refuses_every_change()


@tagged("-at_install", "post_install")
class TestChain(LogCase):
    def setUp(self):
        super().setUp()
        self.stored(5)
        self.stored(2, replica=OTHER)

    def tamper(self, statement, *values):
        """Does what the trigger forbids, as somebody who owns the database can."""
        self.env.cr.execute("ALTER TABLE mcp_audit_log DISABLE TRIGGER mcp_audit_guard")
        self.env.cr.execute(statement, values)
        self.env.cr.execute("ALTER TABLE mcp_audit_log ENABLE TRIGGER mcp_audit_guard")

    def test_a_chain_that_nobody_touched(self):
        self.assertEqual(self.verified(), {REPLICA: None, OTHER: None})
        self.assertEqual([self.entry_of(n).sequence for n in range(1, 7)], [1, 2, 3, 4, 5, 0])
        first, second = self.entry_of(1), self.entry_of(2)
        self.assertEqual(len({first.hash, second.hash}), 2)

    def test_odd_values_hash_alike_in_python_and_in_the_database(self):
        self.stored(
            1,
            error="line\r\nline\ttab “quotes” \U0001f600 \\ ' %s %% {}",
            client="",
            tool=" ",
            time="2024-02-29T23:59:59.999999Z",
            res_ids=[-5, 2**62],
            user=1,
            duration_ms=None,
            method=None,
        )
        for time in ("1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "2024-01-01T00:00:00.000001Z"):
            self.stored(1, time=time)
        self.assertEqual(self.verified(), {REPLICA: None, OTHER: None})
        # whatever the session of the database is set to
        self.env.cr.execute("SET LOCAL DateStyle TO 'German'; SET LOCAL TimeZone TO 'Asia/Tokyo'")
        self.assertIsNone(hash_chain.first_break(self.env, REPLICA, *self.env["mcp.audit.checkpoint"]._ends(REPLICA)))

    def test_each_column_is_part_of_the_hash(self):
        for name in hash_chain.COLUMNS:
            if name in ("sequence", "replica"):
                continue
            field = self.env["mcp.audit.log"]._fields[name]
            other = {"integer": "77", "datetime": "'2020-01-01'"}.get(field.type, "'other'")
            with self.subTest(name):
                savepoint = self.env.cr.savepoint()
                self.tamper(f"UPDATE mcp_audit_log SET {name} = {other} WHERE replica = %s AND sequence = 3", REPLICA)
                self.assertEqual(self.verified(), {REPLICA: ("changed", 3), OTHER: None})
                savepoint.close(rollback=True)
        stored = {name for name, field in self.env["mcp.audit.log"]._fields.items() if field.store}
        self.assertEqual(stored - set(hash_chain.COLUMNS), {"id", "hash"})

    def test_a_value_can_not_move_to_the_next_column(self):
        self.tamper("UPDATE mcp_audit_log SET tool = '', method = method || tool WHERE sequence = 2")
        self.assertEqual(self.verified(), {REPLICA: ("changed", 2), OTHER: ("changed", 2)})

    def test_deleted_entries_show(self):
        for which, found in (
            ("sequence = 3", ("missing", 3)),
            ("sequence = 1", ("missing", 1)),
            ("sequence = 5", ("missing", 5)),
            ("sequence >= 4", ("missing", 4)),
            ("true", ("missing", 1)),
        ):
            with self.subTest(which):
                savepoint = self.env.cr.savepoint()
                self.tamper(f"DELETE FROM mcp_audit_log WHERE replica = %s AND {which}", REPLICA)
                self.assertEqual(self.verified(), {REPLICA: found, OTHER: None})
                savepoint.close(rollback=True)

    def test_inserted_entries_show(self):
        names = ", ".join(name for name in (*hash_chain.COLUMNS, "hash") if name not in ("sequence", "request_id"))
        insert = f"""
            INSERT INTO mcp_audit_log (sequence, request_id, {names})
            SELECT %s, 'inserted', {names} FROM mcp_audit_log WHERE replica = %s AND sequence = 5
        """
        for sequence, found in ((6, ("changed", 6)), (7, ("missing", 6)), (0, ("extra", 0)), (3, ("extra", 3))):
            with self.subTest(sequence):
                savepoint = self.env.cr.savepoint()
                self.env.cr.execute("DROP INDEX mcp_audit_log_place_unique")
                self.tamper(insert, sequence, REPLICA)
                self.assertEqual(self.verified()[REPLICA], found)
                savepoint.close(rollback=True)

    def test_a_well_made_entry_after_the_newest_one_shows(self):
        self.env.cr.execute("SELECT sequence, hash FROM mcp_audit_checkpoint WHERE replica = %s", [REPLICA])
        tip = hash_chain.Link(*self.env.cr.fetchone())
        self.stored(1)
        self.env["mcp.audit.checkpoint"]._move_tip(REPLICA, tip)
        self.assertEqual(self.verified(), {REPLICA: ("extra", 6), OTHER: None})

    def test_reordered_entries_show(self):
        self.tamper(
            "UPDATE mcp_audit_log SET sequence = 7 - sequence + 100 WHERE replica = %s AND sequence IN (3, 4)", REPLICA
        )
        self.tamper("UPDATE mcp_audit_log SET sequence = sequence - 100 WHERE replica = %s AND sequence > 100", REPLICA)
        self.assertEqual(self.verified(), {REPLICA: ("changed", 3), OTHER: None})

    def test_a_chain_that_was_made_anew_shows(self):
        """Whoever hashes all anew from a change on has to change the checkpoint as well."""
        self.tamper("DELETE FROM mcp_audit_log WHERE replica = %s", REPLICA)
        self.env["mcp.audit.checkpoint"]._move_tip(REPLICA, hash_chain.START)
        kept = self.env["mcp.audit.checkpoint"]._ends(OTHER)[1]
        self.stored(5)
        self.env["mcp.audit.checkpoint"]._move_tip(REPLICA, kept._replace(sequence=5))
        self.assertEqual(self.verified(), {REPLICA: ("changed", 5), OTHER: None})

    def test_a_chain_of_a_sidecar_that_never_was_shows(self):
        self.env.cr.execute("DELETE FROM mcp_audit_checkpoint WHERE replica = %s", [OTHER])
        self.assertEqual(self.verified(), {REPLICA: None, OTHER: ("extra", 1)})

    def test_only_administrators_verify(self):
        for person in (self.user, self.settings_admin, self.employee):
            with self.assertRaises(AccessError):
                self.env["mcp.audit.log"].with_user(person).action_verify()
        action = self.settings.with_user(self.admin).action_verify_log()
        self.assertEqual(action["res_model"], "mcp.audit.verify")

    def test_the_first_wrong_entry_can_be_opened(self):
        self.tamper("UPDATE mcp_audit_log SET tool = 'x' WHERE replica = %s AND sequence = 3", REPLICA)
        action = self.env["mcp.audit.log"].with_user(self.admin).action_verify()
        lines = self.env["mcp.audit.verify"].with_user(self.admin).browse(action["res_id"]).line_ids
        wrong = lines.filtered("kind")
        self.assertIn("Entry 3", wrong.result)
        self.assertEqual((lines - wrong).result, "Intact")
        self.assertEqual(wrong.action_open_entry()["res_id"], self.entry_of(3).id)


@tagged("-at_install", "post_install")
class TestRetention(LogCase):
    def setUp(self):
        super().setUp()
        self.progress = []
        self.left = 1
        cron = type(self.env["ir.cron"])

        def commit_progress(_cron, processed=0, *, remaining=None):
            self.progress.append((processed, remaining))
            self.left -= 1
            return max(self.left, 0)

        self.patch(cron, "_commit_progress", commit_progress)
        self.left = 1000

    def days_ago(self, days, count, replica=REPLICA):
        time = (fields.Datetime.now() - timedelta(days=days)).isoformat() + "Z"
        return self.stored(count, replica=replica, time=time)

    def left_of(self, replica=REPLICA):
        found = self.env["mcp.audit.log"].search([("replica", "=", replica)], order="sequence")
        return found.mapped("sequence")

    def run_cron(self):
        self.env.flush_all()
        self.env.ref("mcp_sidecar.ir_cron_delete_old_audit_entries").ir_actions_server_id.run()
        self.env.invalidate_all()

    def test_old_entries_go_and_the_chain_still_verifies(self):
        self.patch(mcp_audit_log, "BATCH", 4)
        self.days_ago(91, 10)
        self.days_ago(89, 3)
        self.days_ago(200, 3, replica=OTHER)
        self.run_cron()
        self.assertEqual((self.left_of(), self.left_of(OTHER)), ([11, 12, 13], []))
        self.assertEqual(self.verified(), {REPLICA: None, OTHER: None})
        self.assertEqual([done for done, _left in self.progress], [4, 4, 2, 3, 0])
        self.assertEqual([left for _done, left in self.progress][-1], 0)
        self.stored(1, replica=OTHER)
        self.assertEqual((self.left_of(OTHER), self.verified()[OTHER]), ([4], None))
        self.run_cron()
        self.assertEqual(self.left_of(), [11, 12, 13])

    def test_it_stops_when_its_time_is_over_and_goes_on_later(self):
        self.patch(mcp_audit_log, "BATCH", 4)
        self.days_ago(91, 10)
        self.left = 1
        self.run_cron()
        self.assertEqual(len(self.left_of()), 6)
        self.assertEqual(self.progress, [(4, 1)], "Odoo has to hear that there is more")
        self.assertEqual(self.verified(), {REPLICA: None})
        self.left = 1000
        self.run_cron()
        self.assertEqual((self.left_of(), self.verified()), ([], {REPLICA: None}))

    def test_deleting_more_than_the_retention_did_shows(self):
        self.days_ago(91, 3)
        self.stored(3, time=fields.Datetime.now().isoformat() + "Z")
        self.run_cron()
        self.env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
        self.env.cr.execute("DELETE FROM mcp_audit_log WHERE sequence = 4")
        self.assertEqual(self.verified(), {REPLICA: ("missing", 4)})

    def test_an_old_entry_that_came_late_waits_for_those_before_it(self):
        self.days_ago(10, 1)
        self.days_ago(91, 2)
        self.run_cron()
        self.assertEqual(self.left_of(), [1, 2, 3])
        self.settings.audit_retention_days = 5
        self.run_cron()
        self.assertEqual(self.left_of(), [])

    def test_0_days_keep_everything(self):
        self.settings.audit_retention_days = 0
        self.days_ago(3000, 2)
        self.run_cron()
        self.assertEqual(self.left_of(), [1, 2])
        self.assertIn("0 keeps them forever", self.settings._fields["audit_retention_days"].help)

    def test_it_runs_once_a_day(self):
        cron = self.env.ref("mcp_sidecar.ir_cron_delete_old_audit_entries")
        self.assertEqual((cron.interval_number, cron.interval_type, cron.active), (1, "days", True))
        self.assertEqual(cron.user_id, self.env.ref("base.user_root"))


@tagged("-at_install", "post_install")
class TestLogScreens(LogCase):
    def open(self, log, method="action_open_records", person=None):
        return getattr(log.with_user(person or self.admin), method)()

    def test_a_user_sees_own_entries_only(self):
        own, other, nobody = entry(user=self.user.id), entry(user=self.employee.id), entry()
        self.append(own, other, nobody)
        logs = self.env["mcp.audit.log"].search([("replica", "=", REPLICA)])
        self.assertEqual(len(logs), 3)
        seen = self.env["mcp.audit.log"].with_user(self.user).search([])
        self.assertEqual(seen.mapped("request_id"), [own["id"]])
        with self.assertRaises(AccessError):
            self.log(other)[0].with_user(self.user).read(["tool"])
        self.assertEqual(self.env["mcp.audit.log"].with_user(self.admin).search_count([("id", "in", logs.ids)]), 3)

    def test_records_are_opened_as_far_as_they_may_be_seen(self):
        partners = self.env["res.partner"].create([{"name": "A"}, {"name": "B", "active": False}])
        both = entry(res_ids=[*partners.ids, 2**31 - 1])
        one = entry(res_ids=partners[0].ids)
        self.append(both, one)
        both, one = self.log(both, one)
        action = self.open(both)
        self.assertEqual(sorted(action["domain"][0][2]), sorted(partners.ids))
        self.assertEqual(self.open(one)["res_id"], partners[0].id)

    def test_records_that_can_not_be_opened_say_why(self):
        partner = self.env["res.partner"].create({"name": "A"})
        told = [
            (entry(model="no.such.model", res_ids=[1]), "model is gone"),
            (entry(model="ir.cron", res_ids=[1]), "may not see records"),
            (entry(model="mcp.gateway", res_ids=[1]), "model is gone"),
            (entry(res_ids=[2**31 - 1]), "deleted"),
            (entry(res_ids=[2**62]), "deleted"),
            (entry(res_ids=[]), "no records"),
            (entry(model="mcp.audit.log", res_ids=partner.ids), "deleted"),
        ]
        self.append(*(one for one, _text in told))
        for log, (_one, text) in zip(self.log(*(one for one, _text in told)), told, strict=True):
            with self.subTest(model=log.model), self.assertRaisesRegex(UserError, text):
                self.open(log)

    def test_the_connection_is_opened_while_it_is_there(self):
        connection = self.connect(self.user)[0]
        told = entry(connection=connection.id, user=self.user.id)
        self.append(told)
        [log] = self.log(told)
        connection.action_revoke()
        self.assertEqual(self.open(log, "action_open_connection", self.user)["res_id"], connection.id)
        connection.unlink()
        with self.assertRaisesRegex(UserError, "deleted"):
            self.open(log, "action_open_connection")

    def test_filters_find_what_they_say(self):
        now = fields.Datetime.now()
        ages = {0: "today", 6: "last_7_days", 29: "last_30_days", 31: None}
        entries = [entry(time=(now - timedelta(days=age)).isoformat() + "Z") for age in ages]
        entries.append(entry(status="error", method="tools/list", tool=None))
        entries.append(entry(status="refused", method=None, tool=None))
        entries.append(entry(status="abandoned"))
        self.append(*entries)
        view = self.env["mcp.audit.log"].get_view(self.env.ref("mcp_sidecar.mcp_audit_log_view_search").id)
        found = {
            name: self.env["mcp.audit.log"].search_count([*domain, ("replica", "=", REPLICA)])
            for name, domain in self._filters(view["arch"])
        }
        self.assertEqual(
            found,
            {
                "success": 4,
                "errors": 1,
                "refusals": 1,
                "abandoned": 1,
                "tool_calls": 5,
                "today": 1,
                "last_7_days": 2,
                "last_30_days": 3,
            },
        )

    def _filters(self, arch):
        for node in etree.fromstring(arch).iter("filter"):
            if node.get("domain"):
                yield node.get("name"), safe_eval(node.get("domain"))

    def test_the_log_is_exported(self):
        told = entry(error="Ünïcode")
        self.admin.group_ids += self.env.ref("base.group_allow_export")
        self.append(told)
        exported = (
            self.log(told)[0].with_user(self.admin).export_data(["create_date", "tool", "status", "error", "count"])
        )
        self.assertEqual(exported["datas"][0][1:], ["search_read", "Success", "Ünïcode", 1])

    def test_groups_and_measures(self):
        self.append(entry(count=3, duration_ms=10), entry(count=4, duration_ms=20), entry(tool="other", count=5))
        groups = self.env["mcp.audit.log"].formatted_read_group(
            [("replica", "=", REPLICA)], ["tool"], ["count:sum", "duration_ms:avg"]
        )
        self.assertEqual(
            [(g["tool"], g["count:sum"], g["duration_ms:avg"]) for g in groups],
            [("other", 5, 12), ("search_read", 7, 15)],
        )

    def test_an_entry_has_a_name(self):
        told = entry(), entry(tool=None, method="tools/list"), entry(tool=None, method=None)
        self.append(*told)
        names = [log.display_name for log in self.log(*told)]
        self.assertEqual(names, ["search_read", "tools/list", "Request that was not read"])


@tagged("-at_install", "post_install")
class TestCounters(LogCase):
    def test_the_log_counter_opens_what_it_counts(self):
        settings = self.settings.with_user(self.admin)
        before = settings.log_count_7d
        now = fields.Datetime.now()
        ages = (timedelta(0), timedelta(days=6, hours=23), timedelta(days=7, hours=1), timedelta(days=40))
        self.append(*(entry(time=(now - age).isoformat() + "Z", count=9) for age in ages))
        settings.invalidate_recordset()
        self.assertEqual(settings.log_count_7d, before + 2)
        action = settings.action_open_logs()
        self.assertEqual(self.env[action["res_model"]].search_count(action["domain"]), before + 2)
        self.assertEqual((action["id"], action["context"]), (self.env.ref("mcp_sidecar.mcp_audit_log_action").id, {}))
