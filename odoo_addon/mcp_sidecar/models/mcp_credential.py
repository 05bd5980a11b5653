from collections import namedtuple
from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields, models

from ..exceptions import GatewayError
from ..gateway.audit import acts
from ..gateway.auth import address_rules, credentials, method_levels
from ..gateway.oauth import families, users

TOKENS = ("access_token", "refresh_token")
# A token that has expired is refused as such for so long, and as unknown afterwards.
KEPT_EXPIRED = timedelta(days=1)

# In the order of the columns of the query; what stands behind them is only judged.
Resolved = namedtuple(
    "Resolved",
    "credential_id connection_id user_id kind scope allowed_tools connection_name expires_at audience upgradable "
    "rate_limit_minute rate_limit_day allowed_ips blocked_ips allowed_models method_level",
)

# One query of three tables, since it is planned and asked with each call, and planning each further table takes as
# long as reading it: groups, language and time zone of the user come from Odoo's own caches. A refresh token is
# exchanged for others and opens no call.
_SOURCE = """
    (
        SELECT credential.id AS credential, connection.id AS connection, connection.user_id AS uid, connection.kind,
               CASE WHEN credential.scope = 'read_only' THEN 'read_only' ELSE connection.scope END AS scope,
               connection.allowed_tools, connection.name, credential.expires_at, credential.audience,
               connection.kind = 'oauth' AND connection.scope_narrowed IS NOT TRUE
                   AND connection.scope_capped IS NOT TRUE AS widenable,
               connection.rate_limit_minute, connection.rate_limit_day, connection.allowed_ips,
               connection.blocked_ips, connection.allowed_models, connection.method_level,
               credential.kind AS credential_kind, connection.active AS connection_active,
               users.active AND users.share IS NOT TRUE AS internal
          FROM mcp_credential AS credential
          JOIN mcp_connection AS connection ON connection.id = credential.connection_id
          JOIN res_users AS users ON users.id = connection.user_id
         WHERE credential.digest = %s AND credential.kind IN ('api_key', 'access_token')
    )
"""
_RESOLVE = f"SELECT resolved.* FROM {_SOURCE} AS resolved"


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
        return [("kind", "in", TOKENS), ("expires_at", ">", now), ("used_at", "=", False)]

    def _use_once(self, successor_digest):
        """Marks a refresh token as used, in favor of its successor; answers whether it was unused until now."""
        self._mcp_refuse_to_tools("write")
        self.env.flush_all()
        now = fields.Datetime.now()
        self.env.cr.execute(
            """
            UPDATE mcp_credential SET used_at = %s, successor_digest = %s
             WHERE id = %s AND used_at IS NULL AND expires_at > %s
            """,
            [now, successor_digest, self.id, now],
        )
        used = self.env.cr.rowcount == 1
        self.invalidate_recordset(["used_at", "successor_digest"], flush=False)
        return used

    @api.model
    def _shorten(self, kind, seconds):
        """Lets the tokens of a kind live no longer than so many seconds after they were issued."""
        self._mcp_refuse_to_tools("write")
        self.env.flush_all()
        self.env.cr.execute(
            """
            UPDATE mcp_credential SET expires_at = create_date + %(life)s * interval '1 second'
             WHERE kind = %(kind)s AND expires_at > create_date + %(life)s * interval '1 second'
         RETURNING connection_id
            """,
            {"kind": kind, "life": seconds},
        )
        connection_ids = {connection_id for (connection_id,) in self.env.cr.fetchall()}
        self.invalidate_model(["expires_at"], flush=False)
        self.env["mcp.connection"].browse(sorted(connection_ids))._publish()

    @api.model
    def _delete_expired(self):
        """Deletes tokens that have expired a while ago: until then, a client gets to know why it is refused."""
        before = fields.Datetime.now() - KEPT_EXPIRED
        self.search([("kind", "in", TOKENS), ("expires_at", "<", before)]).unlink()

    def action_end_grant(self):
        """Ends the logins that these tokens came of: all tokens of each are deleted, and refused at once."""
        self.check_access("read")
        self.env["mcp.connection"]._check_may_end(self.connection_id)
        # sudo: credentials are deleted by such a method only, which has checked the right to it
        for token in self.sudo().filtered(lambda token: token.kind in TOKENS):
            # one of the same login may have taken it along
            if token.exists():
                connection = token.connection_id
                families.end(token)
                acts.record(self.env, "odoo/oauth_end_grant", connection)
        return True

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
        return _SOURCE, [credentials.digest(proof) or None]

    @api.model
    def _resolved(self, row):
        """Who the answer to that question names, provided that it may be let in."""
        if not row or row[0] is None:
            raise GatewayError("unauthenticated", "This credential is not known.", reason="unknown")
        *values, kind, connection_active, user_is_internal = row
        found = Resolved(*values)
        if not connection_active:
            raise GatewayError("unauthenticated", "The connection was revoked.", reason="revoked")
        if found.expires_at and found.expires_at <= fields.Datetime.now():
            raise GatewayError("unauthenticated", "This credential has expired.", reason="expired")
        if kind != "api_key" and not self.env["mcp.server.settings"]._oauth_is_enabled():
            raise GatewayError("unauthenticated", "OAuth is switched off: use an API key.", reason="revoked")
        if not user_is_internal or not self._may_use(kind, found.user_id):
            raise GatewayError("unauthenticated", "The connection's user may not be used.", reason="user")
        names = self.env["mcp.connection"]._names
        models = frozenset(names(found.allowed_models))
        return found._replace(
            allowed_tools=names(found.allowed_tools),
            allowed_models=models,
            method_level=method_levels.effective(found.scope, found.method_level),
            allowed_ips=address_rules.networks(found.allowed_ips),
            blocked_ips=address_rules.networks(found.blocked_ips),
            upgradable=found.upgradable and found.scope == "read_only",
        )

    def _may_use(self, kind, user_id):
        """What remains to be judged of an active internal user, with the groups that Odoo remembers of each user."""
        if user_id == SUPERUSER_ID:
            return False
        # sudo: the service account may read nothing, and Odoo remembers the answer for all who ask
        user = self.env["res.users"].sudo().browse(user_id)
        return not user._mcp_is_service() and (kind == "api_key" or user._has_group(users.GROUP))
