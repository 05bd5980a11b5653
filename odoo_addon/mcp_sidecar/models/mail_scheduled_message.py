from odoo import api, fields, models

from ..gateway.sinks import evaluated_code


class MailScheduledMessage(models.Model):
    _inherit = "mail.scheduled.message"

    mcp_from_call = fields.Boolean(
        string="From an AI Tool",
        readonly=True,
        copy=False,
        help="An AI tool has scheduled or changed this message: it is posted under the same limits.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        messages = super().create(vals_list)
        messages._mcp_mark()
        return messages

    def write(self, vals):
        result = super().write(vals)
        self._mcp_mark()
        return result

    def _mcp_mark(self):
        if evaluated_code.applies(self.env.cr):
            # sudo: the mark is no one's to set
            unmarked = self.sudo().filtered(lambda message: not message.mcp_from_call)
            if unmarked:
                unmarked.write({"mcp_from_call": True})

    def _post_message(self, raise_exception=True):
        marked = self.filtered("mcp_from_call")
        if not marked:
            return super()._post_message(raise_exception=raise_exception)
        with evaluated_code.kept_closed(self.env.cr):
            result = super(MailScheduledMessage, marked)._post_message(raise_exception=raise_exception)
        return (self - marked)._post_message(raise_exception=raise_exception) if self - marked else result
