from odoo import api, models

from ..gateway.rpc import faults
from ..gateway.sinks import evaluated_code, token_seals

# Where a mail goes: decided when it is made, as its text may open what its recipients may see only.
_LEADING = frozenset({"email_cc", "email_from", "email_to", "headers", "recipient_ids", "reply_to"})


class MailMail(models.Model):
    _inherit = "mail.mail"

    @api.model_create_multi
    def create(self, vals_list):
        mails = super().create(vals_list)
        # outside of a call as well: what a call has left for later gets placeholders, too
        mails._mcp_open_seals()
        return mails

    def _mcp_open_seals(self):
        for mail in self:
            if token_seals.are_in(mail.body_html):
                mail.body_html = token_seals.opened(mail)

    def write(self, vals):
        if _LEADING & vals.keys() and evaluated_code.applies(self.env.cr):
            message = "No AI tool may redirect a mail that is on its way: make another one."
            raise faults.access_denied(self._name, "write", message, field=min(_LEADING & vals.keys()))
        return super().write(vals)
