from odoo import api, models, tools
from odoo.exceptions import AccessError

from ..exceptions import ModelDenied
from ..gateway import closed, confinement, exits, secret_fields, service_account


class IrModelAccess(models.Model):
    """Confines the code of a call to the models that it may use, wherever it asks for a right."""

    _inherit = "ir.model.access"

    def _get_allowed_models(self, mode="read"):
        # what `super` remembers is the user's, for all of their connections
        names = super()._get_allowed_models(mode)
        if self.env.su:
            return names
        if mode != "read" and service_account.acts(self.env):
            # also what Odoo lets everybody do
            return frozenset()
        if closed.active(self.env.cr):
            names = self._mcp_open_models(names)
        allowed = confinement.allowed(self.env.cr)
        if allowed is None:
            return names
        return names & (allowed | confinement.LOOKED_UP if mode == "read" else allowed)

    @tools.ormcache("names")
    def _mcp_open_models(self, names):
        return names - closed.MODELS

    def _make_access_error(self, model, mode):
        if self.env.su:
            return super()._make_access_error(model, mode)
        if not confinement.permits(self.env.cr, model):
            return ModelDenied(model)
        if model in closed.MODELS and closed.active(self.env.cr):
            return AccessError(closed.message(model))
        return super()._make_access_error(model, mode)

    @api.model
    @tools.ormcache("allowed", "model_name")
    def _mcp_exits(self, allowed, model_name):
        """See `exits.of`; it takes a while to find out, and changes with the fields only."""
        return exits.found(self.env, allowed, model_name)

    @api.model
    @tools.ormcache("model_name")
    def _mcp_secrets(self, model_name):
        """See `secret_fields.of`."""
        return secret_fields.found(self.env, model_name)
