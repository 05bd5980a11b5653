from odoo import models

from ..gateway.sinks import evaluated_code


class MailScheduledMessage(models.Model):
    _name = "mail.scheduled.message"
    _inherit = ["mail.scheduled.message", "mcp.call.mark.mixin"]

    def _post_message(self, raise_exception=True):
        marked = self.filtered("mcp_from_call")
        if not marked:
            return super()._post_message(raise_exception=raise_exception)
        with evaluated_code.kept_closed(self.env.cr):
            result = super(MailScheduledMessage, marked)._post_message(raise_exception=raise_exception)
        return (self - marked)._post_message(raise_exception=raise_exception) if self - marked else result
