from collections import namedtuple

from odoo import SUPERUSER_ID, api, fields, models, tools

from ..exceptions import GatewayError
from ..gateway.auth import address_rules, credentials, method_levels

Resolved = namedtuple(
    "Resolved",
    "credential_id connection_id user_id kind scope allowed_tools connection_name expires_at login user_name lang tz "
    "rate_limit_minute rate_limit_day allowed_ips blocked_ips allowed_models method_level",
)

# A function, since PostgreSQL keeps the plans of its queries: planning the join took longer than all the rest, and it
# is asked with each call. The names of what it answers only keep them apart from the columns.
_DEFINE_RESOLVE = """
    DROP FUNCTION IF EXISTS mcp_sidecar_resolve;
    CREATE FUNCTION mcp_sidecar_resolve(shown text, superuser integer, service_groups integer[])
    RETURNS TABLE (
        o_credential integer, o_connection integer, o_user integer, o_kind text, o_scope text, o_tools text,
        o_name text, o_expires timestamp, o_login text, o_user_name text, o_lang text, o_tz text,
        o_minute integer, o_day integer, o_allowed_ips text, o_blocked_ips text, o_models text, o_level text,
        o_active boolean, o_usable boolean
    )
    LANGUAGE plpgsql STABLE AS $$
    BEGIN
        RETURN QUERY
        SELECT credential.id, connection.id, connection.user_id, connection.kind::text, connection.scope::text,
               connection.allowed_tools::text, connection.name::text, credential.expires_at,
               users.login::text, partner.name::text, partner.lang::text, partner.tz::text,
               connection.rate_limit_minute, connection.rate_limit_day,
               connection.allowed_ips::text, connection.blocked_ips::text,
               connection.allowed_models::text, connection.method_level::text,
               connection.active,
               users.active AND NOT users.share AND users.id != superuser
                   AND NOT EXISTS (
                       SELECT FROM res_groups_users_rel AS member
                       WHERE member.uid = users.id AND member.gid = ANY(service_groups)
                   )
          FROM mcp_credential AS credential
          JOIN mcp_connection AS connection ON connection.id = credential.connection_id
          JOIN res_users AS users ON users.id = connection.user_id
          JOIN res_partner AS partner ON partner.id = users.partner_id
         WHERE credential.digest = shown;
    END $$
"""
_RESOLVED = "mcp_sidecar_resolve(%s, %s, %s)"
_RESOLVE = "SELECT * FROM " + _RESOLVED


class McpCredential(models.Model):
    _name = "mcp.credential"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Credential"
    _rec_name = "connection_id"
    _order = "id desc"

    connection_id = fields.Many2one(
        "mcp.connection",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        help="The connection that this credential opens.",
    )
    kind = fields.Selection(
        [("api_key", "API Key"), ("access_token", "Access Token"), ("refresh_token", "Refresh Token")],
        string="Type",
        required=True,
        readonly=True,
        help="What the credential is used for. A refresh token opens no call: it is exchanged for new tokens.",
    )
    digest = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof that the sidecar shows. Neither the credential nor the proof can be had from it.",
    )
    expires_at = fields.Datetime(
        readonly=True,
        help="From when on the credential is refused. Empty: it doesn't expire.",
    )
    scope = fields.Selection(
        [("read_only", "Read Only")],
        readonly=True,
        help="Read Only: the AI tool has asked for no more with this token. Empty: as the connection.",
    )
    family = fields.Char(
        readonly=True,
        index="btree_not_null",
        help="What the tokens that come of one login have in common: they are revoked together.",
    )
    used_at = fields.Datetime(
        readonly=True,
        help="When this refresh token was exchanged for its successor.",
    )
    audience = fields.Char(
        readonly=True,
        help="The MCP endpoint that the token was issued for: it is refused at any other one.",
    )
    successor_digest = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="The digest of the refresh token that replaced this one.",
    )
    last_used = fields.Datetime(
        related="connection_id.last_used",
        help="When the connection of this credential was last used.",
    )

    _digest_unique = models.UniqueIndex("(digest)", "This credential exists already.")

    @api.model
    def _live_tokens_domain(self, now):
        """The tokens that are good for something at that instant."""
        return [("kind", "!=", "api_key"), ("expires_at", ">", now), ("used_at", "=", False)]

    def init(self):
        self.env.cr.execute(_DEFINE_RESOLVE)

    @api.model
    def _issue(self, connection, kind, expires_at=False):
        """Stores the digest of a new credential and answers its text."""
        text = credentials.generate(kind)
        self.create(
            {
                "connection_id": connection.id,
                "kind": kind,
                "digest": credentials.digest(credentials.proof(text)),
                "expires_at": expires_at,
            }
        )
        return text

    @api.model
    def _resolve(self, proof):
        """Who a proof stands for right now, as a ``Resolved``."""
        _source, arguments = self._query(proof)
        self.env.cr.execute(_RESOLVE, arguments)
        return self._resolved(self.env.cr.fetchone())

    @api.model
    def _query(self, proof):
        """What to ask the database for whom a proof stands for. It is asked with each call, so it is one query."""
        self.env.flush_all()
        return _RESOLVED, [credentials.digest(proof) or None, SUPERUSER_ID, self._service_group_ids()]

    @api.model
    def _resolved(self, row):
        """Who the answer to that question names, provided that it may be let in."""
        if not row or row[0] is None:
            raise GatewayError("unauthenticated", "This credential is not known.", reason="unknown")
        *values, connection_active, user_usable = row
        found = Resolved(*values)
        if not connection_active:
            raise GatewayError("unauthenticated", "The connection was revoked.", reason="revoked")
        if found.expires_at and found.expires_at <= fields.Datetime.now():
            raise GatewayError("unauthenticated", "This credential has expired.", reason="expired")
        if not user_usable:
            raise GatewayError("unauthenticated", "The connection's user may not be used.", reason="user")
        names = self.env["mcp.connection"]._names
        models = frozenset(names(found.allowed_models))
        return found._replace(
            allowed_tools=names(found.allowed_tools),
            allowed_models=models,
            method_level=method_levels.effective(found.scope, found.method_level),
            allowed_ips=address_rules.networks(found.allowed_ips),
            blocked_ips=address_rules.networks(found.blocked_ips),
        )

    @tools.ormcache(cache="groups")
    def _service_group_ids(self):
        """The service group and all groups that imply it."""
        # sudo: the definition of groups is asked, no data
        definitions = self.env["res.groups"].sudo()._get_group_definitions()
        service = self.env.ref("mcp_sidecar.group_service").id
        return [service, *definitions.get_subset_ids([service])]
