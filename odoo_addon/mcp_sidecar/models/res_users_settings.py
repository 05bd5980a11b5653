from odoo import api, models

from ..gateway.rpc import service_account


class ResUsersSettings(models.Model):
    """Odoo makes and changes the own settings of a user with sudo."""

    _inherit = "res.users.settings"

    @api.model_create_multi
    def create(self, vals_list):
        service_account.refuse(self)
        return super().create(vals_list)

    def write(self, vals):
        service_account.refuse(self)
        return super().write(vals)

    def unlink(self):
        service_account.refuse(self)
        return super().unlink()
