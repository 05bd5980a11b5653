from odoo import models

from ..gateway.sinks import evaluated_code


class IrQweb(models.AbstractModel):
    _inherit = "ir.qweb"

    def _render(self, template, values=None, **options):
        """All of a template's code counts as evaluated: mails, reports, pages and layouts come past here."""
        if not evaluated_code.applies(self.env.cr):
            return super()._render(template, values, **options)
        with evaluated_code.rendering(self.env.cr):
            return super()._render(template, values, **options)
