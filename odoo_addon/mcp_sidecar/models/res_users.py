from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessDenied, UserError, ValidationError
from odoo.fields import Domain

from ..gateway.policy import accounts, call_rules
from ..gateway.rpc import service_account
from ..gateway.rpc.service_account import SERVICE_GROUP

# What a connection's document, or the schema its user sees, is made of.
PUBLISHED_FIELDS = {
    "active",
    "company_id",
    "company_ids",
    "group_ids",
    "lang",
    "login",
    "name",
    "partner_id",
    "role",
    "share",
    "tz",
}


class ResUsers(models.Model):
    _inherit = "res.users"

    # === Service accounts: one group, and an API key only, never a password ===

    @api.constrains("group_ids")
    def _check_service_group(self):
        # none yet, while the addon is being installed
        service = self.env.ref(SERVICE_GROUP, raise_if_not_found=False)
        # sudo: groups are judged for every user who changes them
        for user in self.sudo():
            if service and service in user.all_group_ids and user.all_group_ids != service:
                raise ValidationError(
                    self.env._(
                        "“%(user)s” can't be in the group “%(group)s” and in others: a service account only calls the "
                        "MCP gateway, and a person in this group could not log in.",
                        user=user.name,
                        group=service.name,
                    )
                )

    def _mcp_is_service(self):
        return self._has_group(SERVICE_GROUP)

    def _mcp_may_be_acted_as(self):
        """Whether an AI tool may ever act as this user."""
        self.ensure_one()
        return self.active and self._is_internal() and self.id != SUPERUSER_ID and not self._mcp_is_service()

    @api.model
    def _mcp_refused_domain(self):
        """The same question, asked of all users: those that no AI tool may act as."""
        service = self.env.ref(SERVICE_GROUP)
        return (
            Domain("active", "=", False)
            | Domain("share", "=", True)
            | Domain("id", "=", SUPERUSER_ID)
            | Domain("all_group_ids", "in", service.ids)
        )

    def _mcp_renew_service_key(self):
        """Replaces all keys of this service user by a new one without expiry, and answers its text."""
        self.ensure_one()
        # sudo: the caller was checked; keys belong to the account, which may own none that expires
        keys = self.env["res.users.apikeys"].sudo()
        keys.search([("user_id", "=", self.id)]).unlink()
        # Odoo remembers each accepted pair of user and key: forget the old one now
        self.env.registry.clear_cache()
        # sudo: the key is made in the name of the account that it is for
        return keys.with_user(self).sudo()._mcp_generate_for_service()

    def _check_credentials(self, credential, env):
        call_rules.refuse_credentials(self)
        if self.env.user._mcp_is_service() and (env or {}).get("interactive", True):
            raise AccessDenied()
        return super()._check_credentials(credential, env)

    def _rpc_api_keys_only(self):
        return self._mcp_is_service() or super()._rpc_api_keys_only()

    def _set_encrypted_password(self, uid, pw):
        call_rules.refuse_credentials(self)
        if self.browse(uid)._mcp_is_service():
            raise UserError(
                self.env._("The service account of the MCP sidecar has no password and can't be given one.")
            )
        return super()._set_encrypted_password(uid, pw)

    # === What no AI tool does to accounts, and connections that follow their user ===

    @api.model_create_multi
    def create(self, vals_list):
        service_account.refuse(self)
        for vals in vals_list:
            accounts.refuse_login_fields(self, vals)
        return super().create(vals_list)

    @api.model
    def _create(self, data_list):
        """Watched here, since other modules mail new users from their `create`."""
        with accounts.refusing_user_escalation(self.browse()) as made:
            users = super()._create(data_list)
            made.append(users)
        return users

    def write(self, vals):
        service_account.refuse(self)
        accounts.refuse_login_fields(self, vals)
        accounts.refuse_contact_change(self, vals)
        with accounts.refusing_user_escalation(self, "group_ids" in vals):
            result = super().write(vals)
        if PUBLISHED_FIELDS & vals.keys():
            self._mcp_publish_connections()
            self.env["mcp.session"]._end_of_refused(self)
        return result

    def unlink(self):
        service_account.refuse(self)
        self._mcp_publish_connections()
        return super().unlink()

    def _mcp_publish_connections(self):
        """Invalidates what the sidecars have cached of these users' connections."""
        # sudo: changing a user takes no right to see its connections
        connections = self.env["mcp.connection"].sudo().with_context(active_test=False)
        connections.search([("user_id", "in", self.ids)])._publish()
