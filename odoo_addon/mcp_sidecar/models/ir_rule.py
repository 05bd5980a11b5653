from odoo import api, models

from ..gateway import bearers, confinement


class IrRule(models.Model):
    _inherit = "ir.rule"

    @api.model
    def _compute_domain(self, model_name, mode="read"):
        """Hides what belongs to records of models that the connection of a call may not use."""
        allowed = confinement.allowed(self.env.cr)
        if allowed is None or self.env.su:
            return super()._compute_domain(model_name, mode)
        with confinement.lifted(self.env.cr):
            domain = super()._compute_domain(model_name, mode)
        return domain & bearers.domain(self.env[model_name], allowed)
