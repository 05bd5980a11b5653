from odoo import api, models

from ..gateway.policy import call_rules


class McpProtectedMixin(models.AbstractModel):
    """Write protection: no AI tool changes these records, which limit it, not even by code that runs with sudo."""

    _name = "mcp.protected.mixin"
    _description = "MCP Protected Mixin"

    @api.model_create_multi
    def create(self, vals_list):
        self._mcp_refuse_to_tools("create")
        return super().create(vals_list)

    def write(self, vals):
        self._mcp_refuse_to_tools("write")
        return super().write(vals)

    def unlink(self):
        self._mcp_refuse_to_tools("unlink")
        return super().unlink()

    def _mcp_refuse_to_tools(self, operation):
        call_rules.refuse_in_call(self, call_rules.own_denied(self, operation))
