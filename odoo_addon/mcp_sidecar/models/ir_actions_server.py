from odoo import api, models

from ..gateway.sinks import stored_code


class IrActionsServer(models.Model):
    _inherit = "ir.actions.server"

    @api.model_create_multi
    def create(self, vals_list):
        actions = super().create(vals_list)
        stored_code.refuse_posting(actions)
        return actions

    def write(self, vals):
        result = super().write(vals)
        if "webhook_field_ids" in vals:
            stored_code.refuse_posting(self)
        return result
