from odoo import api, fields, models

from ..gateway.sinks import evaluated_code


class McpCallMarkMixin(models.AbstractModel):
    """Provenance of deferred work: what a call schedules is marked, and carried out under its limits."""

    _name = "mcp.call.mark.mixin"
    _description = "MCP Call Mark Mixin"

    mcp_from_call = fields.Boolean(
        string="From an AI Tool",
        readonly=True,
        copy=False,
        help="An AI tool has scheduled or changed this: it is sent under the same limits.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        records._mcp_mark()
        return records

    def write(self, vals):
        result = super().write(vals)
        self._mcp_mark()
        return result

    def _mcp_mark(self):
        if evaluated_code.applies(self.env.cr):
            # sudo: the mark is no one's to set
            unmarked = self.sudo().filtered(lambda record: not record.mcp_from_call)
            if unmarked:
                unmarked.write({"mcp_from_call": True})
