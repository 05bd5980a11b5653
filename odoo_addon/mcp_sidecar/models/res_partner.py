from odoo import models

# The part of a connection's document that lives on the partner. The name is left to the user's own write: partners
# are renamed all the time, and looking for a user each time would cost everybody.
NOTED_FIELDS = {"lang", "tz"}


class ResPartner(models.Model):
    _inherit = "res.partner"

    def write(self, vals):
        result = super().write(vals)
        if NOTED_FIELDS & vals.keys():
            # sudo: whoever changes a partner need not see users and their connections
            self.sudo().with_context(active_test=False).user_ids._mcp_note_connections()
            # sudo: the same; the days of rate limits end in the company's time zone
            if "tz" in vals and self.env["res.company"].sudo().search_count([("partner_id", "in", self.ids)], limit=1):
                self.env["mcp.event"]._note("settings")
        return result
