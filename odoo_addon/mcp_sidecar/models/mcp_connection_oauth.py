from odoo import api, fields, models


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
        help="The user has chosen Read Only although the AI tool wanted more: writing tools are not shown to it, and it "
        "is not invited to ask for more.",
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

    @api.depends("credential_ids.expires_at", "credential_ids.used_at")
    def _compute_tokens(self):
        now = fields.Datetime.now()
        # sudo: the user of a connection may know how many tokens it has
        alive = self.env["mcp.credential"].sudo()._live_tokens_domain(now)
        groups = self.env["mcp.credential"].sudo()._read_group(
            [("connection_id", "in", self.ids), *alive], ["connection_id"], ["__count", "expires_at:min"]
        )
        found = {connection.id: (count, expiry) for connection, count, expiry in groups}
        for connection in self:
            connection.token_count, connection.next_expiry = found.get(connection._origin.id, (0, False))
