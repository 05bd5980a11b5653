from odoo import models

from ..gateway.sinks import evaluated_code


class MailMessageSchedule(models.Model):
    _name = "mail.message.schedule"
    _inherit = ["mail.message.schedule", "mcp.call.mark.mixin"]

    def _send_notifications(self, default_notify_kwargs=None):
        marked = self.filtered("mcp_from_call")
        if not marked:
            return super()._send_notifications(default_notify_kwargs=default_notify_kwargs)
        with evaluated_code.kept_closed(self.env.cr):
            result = super(MailMessageSchedule, marked)._send_notifications(default_notify_kwargs=default_notify_kwargs)
        others = self - marked
        return others._send_notifications(default_notify_kwargs=default_notify_kwargs) if others else result
