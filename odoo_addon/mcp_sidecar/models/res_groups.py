from odoo import models

NOTED_FIELDS = {"user_ids", "all_user_ids", "implied_ids", "implied_by_ids"}


class ResGroups(models.Model):
    _inherit = "res.groups"

    def write(self, vals):
        result = super().write(vals)
        if NOTED_FIELDS & vals.keys():
            self._mcp_note_connections()
            self.env["mcp.session"]._end_of_refused()
        return result

    def unlink(self):
        self._mcp_note_connections()
        return super().unlink()

    def _mcp_note_connections(self):
        """Who is in which group has changed: the sidecars forget all connections, which are few."""
        # sudo: whoever changes groups need not see connections
        self.env["mcp.connection"].sudo().with_context(active_test=False).search([])._note()
