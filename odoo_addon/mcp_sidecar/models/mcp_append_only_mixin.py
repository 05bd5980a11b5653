from odoo import api, models
from odoo.exceptions import UserError


class McpAppendOnlyMixin(models.AbstractModel):
    """Append-only records: the addon writes them by SQL, and the ORM changes none, for administrators and sudo neither.

    SQL of server code can: for the audit log that is detected by the sidecars.
    """

    _name = "mcp.append.only.mixin"
    _description = "MCP Append-only Mixin"

    @api.model_create_multi
    def create(self, vals_list):
        self._mcp_refuse()
        return super().create(vals_list)

    def write(self, vals):
        self._mcp_refuse()
        return super().write(vals)

    def unlink(self):
        self._mcp_refuse()
        return super().unlink()

    def _mcp_refuse(self):
        raise UserError(self.env._("The audit log can't be changed: only the MCP server itself adds to it."))
