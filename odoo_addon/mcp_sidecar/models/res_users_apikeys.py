from odoo import models

from ..gateway import policy


class ResUsersApikeys(models.Model):
    _inherit = "res.users.apikeys"

    def _generate(self, scope, name, expiration_date):
        policy.refuse_way_in(self)
        return super()._generate(scope, name, expiration_date)
