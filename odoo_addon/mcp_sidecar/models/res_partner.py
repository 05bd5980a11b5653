from odoo import models

from ..gateway import transaction
from ..gateway.rpc import faults, service_account

# The part of a connection's document that lives on the partner. The name is left to the user's own write: partners
# are renamed all the time, and looking for a user each time would cost everybody.
PUBLISHED_FIELDS = {"lang", "tz"}


class ResPartner(models.Model):
    _inherit = "res.partner"

    def write(self, vals):
        service_account.refuse(self)
        if "email" in vals and transaction.in_call(self.env.cr):
            self._mcp_keep_mailbox(vals["email"] or False)
        result = super().write(vals)
        if PUBLISHED_FIELDS & vals.keys():
            # sudo: changing a partner takes no right to see users and their connections
            self.sudo().with_context(active_test=False).user_ids._mcp_publish_connections()
            # sudo: the same; the days of rate limits end in the company's time zone
            if "tz" in vals and self.env["res.company"].sudo().search_count([("partner_id", "in", self.ids)], limit=1):
                self.env["mcp.event"]._publish("settings")
        return result

    def _mcp_keep_mailbox(self, email):
        """Who gets the mail of a person who logs in can reset the password, so that no AI tool may redirect it."""
        # sudo: changing a partner takes no right to see users; archived ones may come back
        for partner in self.sudo().with_context(active_test=False):
            if partner.email != email and not all(partner.user_ids.mapped("share")):
                message = "No AI tool may change the e-mail address of an internal user: do it in Odoo."
                raise faults.access_denied(self._name, "write", message, field="email")
