from odoo import api, models, tools
from odoo.exceptions import AccessError

from ..exceptions import ModelDenied
from ..gateway.policy import allowed_models, denied_models, field_reach, secret_fields
from ..gateway.rpc import service_account


class IrModelAccess(models.Model):
    """Access control: confines the code of a call to the models that it may use, wherever it asks for a right."""

    _name = "ir.model.access"
    _inherit = ["ir.model.access", "mcp.schema.change.mixin"]

    def _get_allowed_models(self, mode="read"):
        # what `super` remembers is the user's, for all of their connections
        names = super()._get_allowed_models(mode)
        if self.env.su:
            return names
        if mode != "read" and service_account.is_acting(self.env):
            # also what Odoo lets everybody do
            return frozenset()
        if denied_models.applies(self.env.cr):
            names = self._mcp_open_models(names)
        allowed = allowed_models.allowed(self.env.cr)
        if allowed is None:
            return names
        return names & (allowed | allowed_models.TECHNICAL_MODELS if mode == "read" else allowed)

    @tools.ormcache("names")
    def _mcp_open_models(self, names):
        return names - denied_models.MODELS

    def _make_access_error(self, model, mode):
        if self.env.su:
            return super()._make_access_error(model, mode)
        if not allowed_models.is_allowed(self.env.cr, model):
            return ModelDenied(model)
        if model in denied_models.MODELS and denied_models.applies(self.env.cr):
            return AccessError(denied_models.refusal_message(model))
        return super()._make_access_error(model, mode)

    @api.model
    @tools.ormcache("allowed", "model_name")
    def _mcp_unreachable_fields(self, allowed, model_name):
        """See `field_reach.unreachable_fields`; it takes a while to find out, and changes with the fields only."""
        return field_reach.compute_unreachable(self.env, allowed, model_name)

    @api.model
    @tools.ormcache("model_name")
    def _mcp_secret_fields(self, model_name):
        """See `secret_fields.names_of`."""
        return secret_fields.compute_names(self.env, model_name)
