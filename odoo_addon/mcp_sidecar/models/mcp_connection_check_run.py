from odoo import fields, models


class McpConnectionCheckRun(models.TransientModel):
    """Part of one sidecar in a connection check, with the key that it was given for it."""

    _name = "mcp.connection.check.run"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Connection Check of one Sidecar"

    check_id = fields.Many2one(
        "mcp.connection.check", required=True, readonly=True, index=True, ondelete="cascade", help="The check."
    )
    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The id of the sidecar.")
    connection_id = fields.Many2one(
        "mcp.connection",
        readonly=True,
        ondelete="set null",
        help="The connection of the key that the sidecar reads the session with. It is deleted with the report.",
    )
    done = fields.Boolean(readonly=True, help="Whether the sidecar has reported.")

    _replica_unique = models.UniqueIndex("(check_id, replica)", "This sidecar takes part already.")

    def _end(self):
        # sudo: the service account may delete nothing; the key was made for this check only
        self.sudo().connection_id.unlink()
        self.sudo().write({"done": True})
