from odoo import api, models

from ..gateway.policy import allowed_models, denied_models, linked_records


class IrRule(models.Model):
    _inherit = "ir.rule"

    @api.model
    def _compute_domain(self, model_name, mode="read"):
        """Hides what no call may see, and what belongs to models that the connection of a call may not use."""
        allowed = allowed_models.allowed(self.env.cr)
        has_closed = model_name in denied_models.ROWS and denied_models.applies(self.env.cr)
        if self.env.su or (allowed is None and not has_closed):
            return super()._compute_domain(model_name, mode)
        with allowed_models.lifted(self.env.cr):
            domain = super()._compute_domain(model_name, mode)
        if has_closed:
            domain &= denied_models.ROWS[model_name]
        return domain if allowed is None else domain & linked_records.domain(self.env[model_name], allowed)
