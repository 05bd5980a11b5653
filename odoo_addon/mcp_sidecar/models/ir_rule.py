from odoo import api, models

from ..gateway import bearers, closed, confinement


class IrRule(models.Model):
    _inherit = "ir.rule"

    @api.model
    def _compute_domain(self, model_name, mode="read"):
        """Hides what no call may see, and what belongs to models that the connection of a call may not use."""
        allowed = confinement.allowed(self.env.cr)
        has_closed = model_name in closed.ROWS and closed.active(self.env.cr)
        if self.env.su or (allowed is None and not has_closed):
            return super()._compute_domain(model_name, mode)
        with confinement.lifted(self.env.cr):
            domain = super()._compute_domain(model_name, mode)
        if has_closed:
            domain &= closed.ROWS[model_name]
        return domain if allowed is None else domain & bearers.domain(self.env[model_name], allowed)
