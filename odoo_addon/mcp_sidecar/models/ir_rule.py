from odoo import api, models

from ..gateway import bearers, confinement, policy, transaction


class IrRule(models.Model):
    _inherit = "ir.rule"

    @api.model
    def _compute_domain(self, model_name, mode="read"):
        """Hides what no call may see, and what belongs to models that the connection of a call may not use."""
        if self.env.su or not transaction.in_call(self.env.cr):
            return super()._compute_domain(model_name, mode)
        allowed = confinement.allowed(self.env.cr)
        with confinement.lifted(self.env.cr):
            domain = super()._compute_domain(model_name, mode)
        if model_name in policy.CLOSED_ROWS:
            domain &= policy.CLOSED_ROWS[model_name]
        return domain if allowed is None else domain & bearers.domain(self.env[model_name], allowed)
