from odoo import api, fields, models
from odoo.exceptions import UserError

from ..gateway.audit import ingest

_RAISE = """
    INSERT INTO mcp_audit_alarm (reference, replica, kind, sequence, missing, found_at)
    VALUES %s
        ON CONFLICT (replica, reference) DO NOTHING
"""


class McpAuditAlarm(models.Model):
    """Tamper alarm of a sidecar about the audit log. A record that is deleted comes back with the next check."""

    _name = "mcp.audit.alarm"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Audit Alarm"
    _log_access = False
    _rec_name = "found"
    _order = "acknowledged_on desc nulls first, found_at desc, id desc"

    reference = fields.Char(required=True, readonly=True, help="What the sidecar knows this alarm by.")
    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The id of the sidecar that found it.")
    kind = fields.Selection(
        [
            ("lowered", "Newest Entries Gone"),
            ("changed", "Entry Changed"),
            ("missing", "Entries Missing"),
            ("deleted", "Deleted Too Early"),
        ],
        required=True,
        readonly=True,
        help="What was found. Newest entries gone: the log ends before the newest entry that was stored. Entry "
        "changed: it or one before it is not as it was stored. Entries missing: there is a gap. Deleted too early: "
        "entries are gone that the retention would have kept.",
    )
    sequence = fields.Integer(
        string="Number", readonly=True, aggregator=None, help="The number of the entry where it was found."
    )
    missing = fields.Integer(readonly=True, aggregator=None, help="How many entries are missing.")
    found_at = fields.Datetime(string="Found on", required=True, readonly=True, help="When the sidecar found it.")
    found = fields.Char(compute="_compute_found", help="What was found, in a sentence.")
    note = fields.Text(help="What the alarm was about, such as the restore of a backup. Needed to acknowledge it.")
    # a name: a foreign key would keep the user from being deleted
    acknowledged_by = fields.Char(readonly=True, help="The administrator who acknowledged the alarm.")
    acknowledged_on = fields.Datetime(readonly=True, help="When the alarm was acknowledged. Empty: it is open.")

    _reference_unique = models.UniqueIndex("(replica, reference)")

    @api.depends("kind", "sequence", "missing")
    def _compute_found(self):
        sentences = {
            "lowered": self.env._("The log ends before entry %(sequence)s, which was stored."),
            "changed": self.env._("Entry %(sequence)s is not as it was stored: it or one before it was changed."),
            "missing": self.env._("%(missing)s entries are missing, the first one is number %(sequence)s."),
            "deleted": self.env._("Entries up to number %(sequence)s were deleted before the retention allows it."),
        }
        for alarm in self:
            values = {"sequence": alarm.sequence, "missing": alarm.missing}
            alarm.found = sentences[alarm.kind] % values if alarm.kind else False

    # === Only a sidecar raises, only a person acknowledges ===

    @api.model_create_multi
    def create(self, vals_list):
        self._mcp_refuse(self.env._("Alarms are raised by the sidecars only."))
        return super().create(vals_list)

    def write(self, vals):
        if vals.keys() - {"note"} or any(alarm.acknowledged_on for alarm in self):
            raise UserError(self.env._("Of an alarm only the note can be changed, and only until it is acknowledged."))
        return super().write(vals)

    def unlink(self):
        self._mcp_refuse(self.env._("Alarms can't be deleted: acknowledge them."))
        return super().unlink()

    def _mcp_refuse(self, sentence):
        raise UserError(sentence)

    def action_acknowledge(self):
        """Closes the alarm: the sidecar goes on from the log as it is now."""
        self.check_access("write")
        self._mcp_refuse_to_tools("write")
        for alarm in self:
            if not (alarm.note or "").strip():
                raise UserError(self.env._("Write a note first: what was the alarm about?"))
        self.flush_recordset()
        self.env.cr.execute(
            """
            UPDATE mcp_audit_alarm
               SET acknowledged_on = date_trunc('second', now() AT TIME ZONE 'UTC'), acknowledged_by = %s
             WHERE id = ANY(%s) AND acknowledged_on IS NULL
            """,
            [self.env.user.name, self.ids],
        )
        self.invalidate_recordset(flush=False)
        return True

    # === What the sidecars ask ===

    @api.model
    def _raise(self, replica, alarms):
        """Stores what a sidecar found; what is stored already stays as it is."""
        if not alarms:
            return
        rows = [
            (
                alarm["id"],
                replica,
                alarm["kind"],
                alarm["sequence"],
                alarm["missing"],
                ingest.parse_instant(alarm["time"]),
            )
            for alarm in alarms
        ]
        # SQL, as the ORM adds nothing to this table
        self.env.cr.execute_values(_RAISE, rows)
        self.invalidate_model(flush=False)

    @api.model
    def _acknowledged_of(self, replica, references):
        """Those of the alarms that were acknowledged, by whom and why."""
        if not references:
            return []
        self.env.cr.execute(
            """
            SELECT reference, acknowledged_by, note FROM mcp_audit_alarm
             WHERE replica = %s AND reference = ANY(%s) AND acknowledged_on IS NOT NULL
             ORDER BY reference
            """,
            [replica, references],
        )
        found = self.env.cr.fetchall()
        return [{"id": reference, "by": by, "note": (note or "")[:500]} for reference, by, note in found]

    # === Banners ===

    @api.model
    def _open_count(self):
        # sudo: users who may read the settings or verify the log may read the count of alarms
        return self.sudo().search_count([("acknowledged_on", "=", False)])

    @api.model
    def _action_open(self):
        return self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_audit_alarm_action")
