from odoo import api, models, tools

from ..gateway.buttons import view_buttons
from ..gateway.reading import view_columns


class IrUiView(models.Model):
    _inherit = "ir.ui.view"

    @api.model
    @tools.ormcache("model_name", "groups", cache="templates")
    def _mcp_buttons(self, model_name, groups):
        """See `view_buttons.buttons_of`; forgotten with the views."""
        return view_buttons.find_buttons(self.env, model_name)

    @api.model
    @tools.ormcache("model_name", "groups", cache="templates")
    def _mcp_columns(self, model_name, groups):
        """See `view_columns.of`; forgotten with the views."""
        return view_columns.found(self.env, model_name)
