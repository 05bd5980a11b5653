from odoo import models

from ..gateway import rendering


class IrQweb(models.AbstractModel):
    _inherit = "ir.qweb"

    def _render(self, template, values=None, **options):
        """All of a template's code counts as evaluated: mails, reports, pages and layouts come past here."""
        if not rendering.watched(self.env.cr):
            return super()._render(template, values, **options)
        with rendering.started(self.env.cr):
            return super()._render(template, values, **options)
