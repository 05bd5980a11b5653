from odoo import api, fields, models

KINDS = [("dynamic", "Dynamic Registration"), ("manual", "Created by Hand"), ("document", "Metadata Document")]
AUTH_METHODS = [
    ("none", "None (public client)"),
    ("client_secret_basic", "Client secret (Basic or POST)"),
    ("client_secret_post", "Client secret (POST or Basic)"),
]


class McpOauthClient(models.Model):
    """OAuth client: the application that an AI tool is, with the addresses that its authorization codes go to."""

    _name = "mcp.oauth.client"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP OAuth Client"
    _order = "name, id"

    name = fields.Char(
        required=True,
        help="What the application calls itself, or what an administrator has called it. Anyone can register under any "
        "name: the redirect host says more.",
    )
    client_id = fields.Char(
        string="Client ID",
        required=True,
        readonly=True,
        copy=False,
        help="What the application names itself by. Of a metadata document it is its address.",
    )
    kind = fields.Selection(
        KINDS,
        string="Type",
        required=True,
        readonly=True,
        help="Dynamic Registration: the AI tool has registered itself. Created by Hand: an administrator has created it "
        "in Odoo. Metadata Document: described by a document at the address that is its client ID.",
    )
    auth_method = fields.Selection(
        AUTH_METHODS,
        string="Authentication",
        required=True,
        readonly=True,
        default="none",
        help="How the application proves at the token endpoint that it is this client. A public client can't: it has "
        "no secret, and proves by PKCE that it is the one that asked.",
    )
    secret_digest = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the client secret. The secret can't be had from it.",
    )
    redirect_uris = fields.Text(
        string="Redirect URIs",
        help="Where authorization codes may be sent to, one address a line. An address must match exactly, except for "
        "the port of a loopback address.",
    )
    grant_types = fields.Char(
        required=True,
        readonly=True,
        default="authorization_code refresh_token",
        help="What the client may ask tokens with, separated by spaces.",
    )
    client_credentials_user_id = fields.Many2one(
        "res.users",
        string="Acts As",
        readonly=True,
        index="btree_not_null",
        ondelete="cascade",
        help="The user that a client with the grant client_credentials acts as, with nobody logging in.",
    )
    client_uri = fields.Char(string="Home Page", readonly=True, help="The home page that the application names.")
    software_id = fields.Char(
        string="Software ID", readonly=True, help="The id of the software that the application names."
    )
    document_expires = fields.Datetime(
        readonly=True, help="Until when the metadata document that was last fetched counts as fresh."
    )
    active = fields.Boolean(
        default=True,
        copy=False,
        help="An archived client gets no tokens, and those that it had are deleted.",
    )
    last_used = fields.Datetime(readonly=True, copy=False, help="When the client last got a token.")
    connection_ids = fields.One2many(
        "mcp.connection",
        "oauth_client_id",
        string="Connections",
        readonly=True,
        context={"active_test": False},
        help="The connections of this client, one for each user who allowed it.",
    )
    connection_count = fields.Integer(
        string="Number of Connections",
        compute="_compute_connection_count",
        help="How many users have allowed this client, revoked connections included.",
    )

    _client_id_unique = models.UniqueIndex("(client_id)", "This client exists already.")

    def _compute_connection_count(self):
        connections = self.env["mcp.connection"].with_context(active_test=False)
        counts = dict(connections._read_group([("oauth_client_id", "in", self.ids)], ["oauth_client_id"], ["__count"]))
        for client in self:
            client.connection_count = counts.get(client._origin, 0)

    @api.model
    def _offers_client_credentials(self):
        """Whether a client may ask for tokens with nobody logging in, so that the sidecars say that it works."""
        # sudo: the service account may read nothing; whether there is such a client is part of the metadata
        return bool(self.sudo().search_count([("client_credentials_user_id", "!=", False)], limit=1))
