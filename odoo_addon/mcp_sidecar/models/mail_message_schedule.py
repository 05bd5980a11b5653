from odoo import api, fields, models

from ..gateway.sinks import evaluated_code


class MailMessageSchedule(models.Model):
    _inherit = "mail.message.schedule"

    mcp_from_call = fields.Boolean(
        string="From an AI Tool",
        readonly=True,
        copy=False,
        help="An AI tool has scheduled this notification: it is sent under the same limits.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        schedules = super().create(vals_list)
        schedules._mcp_mark()
        return schedules

    def write(self, vals):
        result = super().write(vals)
        self._mcp_mark()
        return result

    def _mcp_mark(self):
        if evaluated_code.applies(self.env.cr):
            # sudo: the mark is no one's to set
            unmarked = self.sudo().filtered(lambda schedule: not schedule.mcp_from_call)
            if unmarked:
                unmarked.write({"mcp_from_call": True})

    def _send_notifications(self, default_notify_kwargs=None):
        marked = self.filtered("mcp_from_call")
        if not marked:
            return super()._send_notifications(default_notify_kwargs=default_notify_kwargs)
        with evaluated_code.kept_closed(self.env.cr):
            result = super(MailMessageSchedule, marked)._send_notifications(default_notify_kwargs=default_notify_kwargs)
        others = self - marked
        return others._send_notifications(default_notify_kwargs=default_notify_kwargs) if others else result
