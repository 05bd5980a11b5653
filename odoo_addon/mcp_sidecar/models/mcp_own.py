from odoo import api, models

from ..gateway.policy import call_rules


class McpOwn(models.AbstractModel):
    """What limits AI tools: none of them may change it, not even through code that their call runs with sudo."""

    _name = "mcp.own"
    _description = "Record of the MCP Server"

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
