from odoo import api, models, tools

from ..exceptions import ModelDenied
from ..gateway import confinement, exits


class IrModelAccess(models.Model):
    """Confines the code of a call to the allowed models of its connection, wherever it asks for a right."""

    _inherit = "ir.model.access"

    def _get_allowed_models(self, mode="read"):
        # what `super` remembers is the user's, for all of their connections
        names = super()._get_allowed_models(mode)
        allowed = confinement.allowed(self.env.cr)
        if allowed is None or self.env.su:
            return names
        return names & (allowed | confinement.LOOKED_UP if mode == "read" else allowed)

    def _make_access_error(self, model, mode):
        if self.env.su or confinement.permits(self.env.cr, model):
            return super()._make_access_error(model, mode)
        return ModelDenied(model)

    @api.model
    @tools.ormcache("allowed", "model_name")
    def _mcp_exits(self, allowed, model_name):
        """See `exits.of`; it takes a while to find out, and changes with the fields only."""
        return exits.found(self.env, allowed, model_name)
