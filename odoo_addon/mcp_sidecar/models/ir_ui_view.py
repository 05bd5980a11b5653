from odoo import api, models, tools

from ..gateway import buttons, columns


class IrUiView(models.Model):
    _inherit = "ir.ui.view"

    @api.model
    @tools.ormcache("model_name", "groups", cache="templates")
    def _mcp_buttons(self, model_name, groups):
        """See `buttons.of`; forgotten with the views."""
        return buttons.found(self.env, model_name)

    @api.model
    @tools.ormcache("model_name", "groups", cache="templates")
    def _mcp_columns(self, model_name, groups):
        """See `columns.of`; forgotten with the views."""
        return columns.found(self.env, model_name)
