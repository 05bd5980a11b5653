from odoo import api, models

from ..gateway.policy import call_rules, secret_fields
from ..gateway.rpc import faults
from ..gateway.sinks import evaluated_code

# Signs the links that set passwords: who knows it makes such links.
SIGNING = "database.secret"


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model
    def _get_param(self, key):
        """Odoo's own code signs with `database.secret`; no template and no server action of a call gets a secret."""
        if (
            secret_fields.is_parameter(key)
            and evaluated_code.applies(self.env.cr)
            and evaluated_code.is_evaluating(self.env.cr)
        ):
            # a text, as what signs with it expects one
            return "mcp-sealed"
        return super()._get_param(key)

    @api.model_create_multi
    def create(self, vals_list):
        self._mcp_refuse_signing([vals.get("key") for vals in vals_list])
        return super().create(vals_list)

    def write(self, vals):
        self._mcp_refuse_signing([*self.mapped("key"), vals.get("key")])
        return super().write(vals)

    def unlink(self):
        self._mcp_refuse_signing(self.mapped("key"))
        return super().unlink()

    def _mcp_refuse_signing(self, keys):
        if SIGNING in keys:
            message = f"No AI tool may set the system parameter {SIGNING}, which signs links: do it in Odoo."
            call_rules.refuse_in_call(self, faults.access_denied(self._name, "write", message))
