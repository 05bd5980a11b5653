from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import AccessError, ConcurrencyError, UserError
from odoo.tools import mute_logger

from ..gateway.audit import acts

# What a login in the browser has decided: the form offers none of these, RPC would.
GRANTED = ("oauth_client_id", "scope_narrowed", "scope_capped", "granted_at")


class McpConnection(models.Model):
    """OAuth side of a connection: its client, its tokens, and how its grant is ended."""

    # one file for each side of a large model
    _inherit = "mcp.connection"  # pylint: disable=consider-merging-classes-inherited

    oauth_client_id = fields.Many2one(
        "mcp.oauth.client",
        string="Client",
        readonly=True,
        index="btree_not_null",
        ondelete="cascade",
        copy=False,
        help="The OAuth client that acts through this connection, for one user.",
    )
    client_identifier = fields.Char(
        related="oauth_client_id.client_id",
        string="Client ID",
        help="What the client names itself by.",
    )
    client_kind = fields.Selection(
        related="oauth_client_id.kind",
        string="Client Type",
        help="Whether the client has registered itself, was created by hand or is described by a document.",
    )
    client_redirect_uris = fields.Text(
        related="oauth_client_id.redirect_uris",
        string="Redirect URIs",
        help="Where the client's authorization codes may be sent to.",
    )
    scope_narrowed = fields.Boolean(
        readonly=True,
        copy=False,
        help="The user has chosen Read Only although the AI tool wanted more: writing tools are not shown to it, and "
        "it is not invited to ask for more.",
    )
    scope_capped = fields.Boolean(
        string="Read Only by Administrator",
        readonly=True,
        copy=False,
        help="An administrator has set the connection to Read Only: allowing the AI tool once more does not widen it.",
    )
    granted_at = fields.Datetime(
        string="Allowed On", readonly=True, copy=False, help="When the user last allowed this client."
    )
    token_count = fields.Integer(
        string="Live Tokens",
        compute="_compute_tokens",
        help="How many tokens of this connection are valid now, access and refresh tokens together.",
    )
    next_expiry = fields.Datetime(
        compute="_compute_tokens",
        help="When the next of these tokens expires.",
    )

    _client_and_user_unique = models.UniqueIndex(
        "(oauth_client_id, user_id) WHERE oauth_client_id IS NOT NULL",
        "There is a connection of this client and user already.",
    )

    # === Tokens ===

    @api.depends("credential_ids.expires_at", "credential_ids.used_at")
    def _compute_tokens(self):
        now = fields.Datetime.now()
        # sudo: the user of a connection may know how many tokens it has
        alive = self.env["mcp.credential"].sudo()._live_tokens_domain(now)
        groups = (
            self.env["mcp.credential"]
            .sudo()
            ._read_group([("connection_id", "in", self.ids), *alive], ["connection_id"], ["__count", "expires_at:min"])
        )
        found = {connection.id: (count, expiry) for connection, count, expiry in groups}
        for connection in self:
            connection.token_count, connection.next_expiry = found.get(connection._origin.id, (0, False))

    def _delete_tokens(self):
        """Deletes all tokens of these connections, which are refused at once."""
        # sudo: credentials are deleted by such a method only; the caller's right was checked
        tokens = self.env["mcp.credential"].sudo()
        tokens.search([("connection_id", "in", self.ids), ("kind", "in", ("access_token", "refresh_token"))]).unlink()
        self._publish()

    # === Grant ===

    @api.model
    def _create_for_client(self, client, user, marks):
        """The first connection of that client and user."""
        values = {"name": client.name, "user_id": user.id, "kind": "oauth", "oauth_client_id": client.id, **marks}
        try:
            with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                # sudo: a user may create no connections but by allowing a client
                return self.sudo().create(values)
        except UniqueViolation as exc:
            # Odoo does all of it again, and finds the one of the other request
            raise ConcurrencyError("The client was allowed by the same user at the same time") from exc

    def _check_not_granted(self, vals):
        if not self.env.su and any(name in vals for name in GRANTED):
            raise UserError(self.env._("What a login in the browser has decided can't be written: use the buttons."))

    def _check_not_made(self, vals):
        if not self.env.su and vals.get("kind") == "oauth":
            raise UserError(
                self.env._("A connection of an OAuth client is made when a user allows the client, not by hand.")
            )

    def _apply_to_grants(self, vals):
        """What a change in Odoo means for what a login has given.

        A scope that is written here, and not chosen by the user, holds: Read Only is not widened by a new login, and
        the AI tool is not invited to try. Revoked and reactivated connections have no tokens.
        """
        # sudo: who may change a connection decides about its grant
        grants = self.sudo().filtered(lambda connection: connection.kind == "oauth")
        if grants and "scope" in vals and "scope_narrowed" not in vals:
            grants.write({"scope_narrowed": False, "scope_capped": vals["scope"] == "read_only"})
        if grants and "active" in vals:
            grants._delete_tokens()
            self._record_act("odoo/oauth_reactivate" if vals["active"] else "odoo/oauth_revoke")

    def _record_act(self, method):
        for connection in self.filtered(lambda connection: connection.kind == "oauth"):
            acts.record(self.env, method, connection)

    @api.model
    def _check_may_end(self, connections):
        connections.check_access("read")
        if not self.env.user.has_group("mcp_sidecar.group_admin") and connections.user_id != self.env.user:
            raise AccessError(self.env._("You can end your own logins only."))

    def action_end_grant(self):
        """Ends all logins of an AI tool: it has to be allowed again."""
        self._check_may_end(self)
        if any(connection.kind != "oauth" for connection in self):
            raise UserError(self.env._("Only connections of an OAuth client have a login to end."))
        # sudo: a user may end own logins without a right to change connections
        self.sudo()._delete_tokens()
        self.sudo()._end_sessions()
        self._record_act("odoo/oauth_end_grant")
        return True

    def action_allow_full_access(self):
        """The user widens what they have narrowed at a login."""
        self._check_may_choose_scope()
        if any(connection.scope_capped for connection in self):
            raise AccessError(
                self.env._(
                    "An administrator has set this connection to Read Only: only an administrator can change it."
                )
            )
        self._choose_scope("full")
        return True

    def action_limit_to_read_only(self):
        """The user narrows what they have allowed at a login."""
        self._check_may_choose_scope()
        self._choose_scope("read_only")
        return True

    def _check_may_choose_scope(self):
        self.check_access("read")
        if any(connection.kind != "oauth" or connection.user_id != self.env.user for connection in self):
            raise AccessError(self.env._("You can choose what your own AI tools may do, where you have allowed them."))

    def _choose_scope(self, scope):
        # sudo: a user may choose for own logins without a right to change connections
        self.sudo().write({"scope": scope, "scope_narrowed": scope == "read_only"})
        self._record_act(f"odoo/oauth_{scope}")
