from odoo import api, models

from ..gateway import rendering


class MailRenderMixin(models.AbstractModel):
    _inherit = "mail.render.mixin"

    @api.model
    def _render_template(self, template_src, model, res_ids, engine="inline_template", add_context=None, options=None):
        """Subjects, addresses and languages are expressions as well, without QWeb."""
        arguments = {"engine": engine, "add_context": add_context, "options": options}
        if not rendering.watched(self.env.cr):
            return super()._render_template(template_src, model, res_ids, **arguments)
        with rendering.started(self.env.cr):
            return super()._render_template(template_src, model, res_ids, **arguments)
