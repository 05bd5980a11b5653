from odoo import api, fields, models

from ..gateway.sinks import evaluated_code, stored_code

# What a composer sends: its own text is that of these records.
_SOURCES = ("template_id", "mass_mailing_id")


class MailRenderMixin(models.AbstractModel):
    """Templates that an AI tool has written are rendered under the limits of its call, whenever that is."""

    _inherit = "mail.render.mixin"

    mcp_from_call = fields.Boolean(
        string="From an AI Tool",
        readonly=True,
        copy=True,
        help="An AI tool has written expressions of this record: they are evaluated under the limits of its calls.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        if evaluated_code.applies(self.env.cr):
            for record, vals in zip(records, vals_list, strict=True):
                if stored_code.has_expressions(vals):
                    record._mcp_mark()
        return records

    def write(self, vals):
        if not evaluated_code.applies(self.env.cr):
            return super().write(vals)
        # no call takes a mark away
        marked = self if stored_code.has_expressions(vals) else self.sudo().filtered("mcp_from_call")
        result = super().write(vals)
        marked._mcp_mark()
        return result

    def _mcp_mark(self):
        # sudo: the mark is no one's to set
        for record in self.sudo():
            if not record.mcp_from_call:
                record.mcp_from_call = True

    def _render_field(self, field, res_ids, *args, **kwargs):
        if evaluated_code.applies(self.env.cr) or not self._mcp_is_marked():
            return super()._render_field(field, res_ids, *args, **kwargs)
        with evaluated_code.kept_closed(self.env.cr):
            return super()._render_field(field, res_ids, *args, **kwargs)

    def _mcp_is_marked(self):
        # sudo: who sends a mail need not see what its text comes from
        sources = [self.sudo(), *(self.sudo()[name] for name in _SOURCES if name in self._fields)]
        return any("mcp_from_call" in source._fields and any(source.mapped("mcp_from_call")) for source in sources)

    @api.model
    def _render_template(self, template_src, model, res_ids, engine="inline_template", add_context=None, options=None):
        """Subjects, addresses and languages are expressions as well, without QWeb."""
        arguments = {"engine": engine, "add_context": add_context, "options": options}
        if not evaluated_code.applies(self.env.cr):
            return super()._render_template(template_src, model, res_ids, **arguments)
        with evaluated_code.rendering(self.env.cr):
            return super()._render_template(template_src, model, res_ids, **arguments)
