from odoo import api, fields, models


class McpAuditVerifyLine(models.TransientModel):
    """Result of the verification for one sidecar."""

    _name = "mcp.audit.verify.line"
    _description = "Verification of one Sidecar's Audit Entries"
    _order = "kind, id"

    verify_id = fields.Many2one(
        "mcp.audit.verify", required=True, ondelete="cascade", help="The verification that this is part of."
    )
    replica = fields.Char(string="Sidecar", readonly=True, help="The id of the sidecar.")
    entry_count = fields.Integer(string="Entries", readonly=True, help="How many entries there are of it.")
    deleted_count = fields.Integer(string="Deleted", readonly=True, help="How many entries the retention has deleted.")
    kind = fields.Selection(
        [("changed", "Changed"), ("missing", "Missing"), ("extra", "Inserted")],
        readonly=True,
        help="What is wrong first. Empty: nothing.",
    )
    sequence = fields.Integer(string="Number", readonly=True, help="The number of the entry where it is wrong.")
    # plain: a foreign key would be asked for each entry that the retention deletes
    entry_id = fields.Integer(readonly=True, help="The id of that entry, if it is there.")
    result = fields.Char(compute="_compute_result", help="What was found.")

    @api.depends("kind", "sequence")
    def _compute_result(self):
        sentences = {
            False: self.env._("Intact"),
            "changed": self.env._("Entry %s is not as it was stored: it or one beside it was changed."),
            "missing": self.env._("Entries are missing, the first one is number %s."),
            "extra": self.env._("Entry %s was inserted later, not by the sidecar."),
        }
        for line in self:
            text = sentences[line.kind]
            line.result = text % line.sequence if line.kind else text

    def action_open_entry(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "mcp.audit.log",
            "res_id": self.entry_id,
            "views": [(False, "form")],
        }
