from odoo import api, models

from ..gateway.policy import accounts
from .res_users import SERVICE_GROUP


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.constrains("user_ids", "implied_ids", "implied_by_ids")
    def _check_service_group(self):
        """As for users: what they are in can be changed from this side as well."""
        service = self.env.ref(SERVICE_GROUP, raise_if_not_found=False)
        if not service:
            return
        # which group implies which is remembered
        self.env.registry.clear_cache("groups")
        # sudo: changing groups takes no right to see all users
        users = self.env["res.users"].sudo().with_context(active_test=False)
        members = users.search([("all_group_ids", "in", service.ids)])
        members.filtered(lambda user: user.all_group_ids & self)._check_service_group()

    @api.model_create_multi
    def create(self, vals_list):
        with accounts.refusing_group_escalation(self.browse()) as made:
            groups = super().create(vals_list)
            made.append(groups)
        return groups

    def write(self, vals):
        changes_members = bool(accounts.GROUP_FIELDS & vals.keys())
        with accounts.refusing_group_escalation(self, changes_members):
            result = super().write(vals)
        if changes_members:
            self._mcp_publish_connections()
            self.env["mcp.session"]._end_of_refused()
        return result

    def unlink(self):
        self._mcp_publish_connections()
        return super().unlink()

    def _mcp_publish_connections(self):
        """Who is in which group has changed: the sidecars forget all connections, which are few."""
        # sudo: changing groups takes no right to see connections
        self.env["mcp.connection"].sudo().with_context(active_test=False).search([])._publish()
