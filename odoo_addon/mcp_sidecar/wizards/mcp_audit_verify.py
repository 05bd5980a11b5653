from odoo import api, fields, models

from ..gateway.audit import hash_chain


class McpAuditVerify(models.TransientModel):
    """Verification of the audit log, and its result."""

    _name = "mcp.audit.verify"
    _description = "Verification of the MCP Audit Log"

    line_ids = fields.One2many(
        "mcp.audit.verify.line", "verify_id", string="Sidecars", readonly=True, help="What was found, by sidecar."
    )
    entry_count = fields.Integer(string="Entries", readonly=True, help="How many entries were checked.")
    alarm_count = fields.Integer(
        compute="_compute_alarm_count", help="How many alarms of the sidecars are not acknowledged yet."
    )
    intact = fields.Boolean(readonly=True, help="Whether everything is as it was stored.")

    def _compute_alarm_count(self):
        self.alarm_count = self.env["mcp.audit.alarm"]._open_count()

    def action_open_alarms(self):
        return self.env["mcp.audit.alarm"]._action_open()

    @api.model
    def _action_verify(self):
        # before the work, which takes seconds with a large log
        self.browse().check_access("create")
        lines = [self._line(replica) for replica in self.env["mcp.audit.log"]._replicas()]
        verify = self.create(
            {
                "line_ids": [fields.Command.create(line) for line in lines],
                "entry_count": sum(line["entry_count"] for line in lines),
                "intact": not any(line["kind"] for line in lines),
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Verify Log"),
            "res_model": self._name,
            "res_id": verify.id,
            "views": [(False, "form")],
            "target": "new",
        }

    def _line(self, replica):
        start, tip = self.env["mcp.audit.checkpoint"]._ends(replica)
        broken = hash_chain.first_break(self.env, replica, start, tip)
        self.env.cr.execute("SELECT count(*) FROM mcp_audit_log WHERE replica = %s", [replica])
        [count] = self.env.cr.fetchone()
        line = {"replica": replica, "entry_count": count, "deleted_count": start.sequence, "kind": False}
        if broken:
            line |= {"kind": broken.kind, "sequence": broken.sequence, "entry_id": broken.entry_id or False}
        return line
