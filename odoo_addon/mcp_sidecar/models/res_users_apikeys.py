from odoo import models

from ..gateway.policy import call_rules
from ..gateway.rpc import service_account


class ResUsersApikeys(models.Model):
    _inherit = "res.users.apikeys"

    def _generate(self, scope, name, expiration_date):
        call_rules.refuse_credentials(self)
        service_account.refuse(self)
        return super()._generate(scope, name, expiration_date)

    def _mcp_generate_for_service(self):
        """A key of the service account, which can make none itself; the caller has checked who asks for it."""
        call_rules.refuse_credentials(self)
        return super()._generate(None, "MCP sidecar", None)  # pylint: disable=super-method-mismatch

    def unlink(self):
        service_account.refuse(self)
        return super().unlink()
