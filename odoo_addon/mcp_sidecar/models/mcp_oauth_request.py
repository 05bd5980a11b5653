from datetime import timedelta

from odoo import api, fields, models

from ..gateway.oauth import consent

# A code that is used again has to be known for a while, so that what came of it is revoked.
KEPT_EXPIRED = timedelta(hours=1)

SCOPES = [("full", "Full Access"), ("read_only", "Read Only")]


class McpOauthRequest(models.Model):
    """Authorization request: one login of an AI tool on its way, from the client's redirect to its code."""

    _name = "mcp.oauth.request"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Authorization Request"
    _rec_name = "client_id"
    _order = "id desc"

    request_digest = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the handle that names the request in the browser.",
    )
    browser_digest = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the cookie of the browser that began: no other one can go on.",
    )
    approval_digest = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the secret that the decision was answered with.",
    )
    code_digest = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the authorization code.",
    )
    client_id = fields.Many2one(
        "mcp.oauth.client",
        string="Client",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        help="The client that asks.",
    )
    redirect_uri = fields.Char(
        string="Redirect URI", required=True, readonly=True, help="Where the authorization code is sent to."
    )
    state = fields.Char(
        readonly=True,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="What the client wants back with the answer, exactly as it was sent.",
    )
    code_challenge = fields.Char(
        readonly=True,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="PKCE: SHA-256 of the verifier that the client keeps.",
    )
    scope_asked = fields.Selection(
        SCOPES, readonly=True, help="What the client asks for. Empty: it says nothing, and Server Settings decide."
    )
    resource = fields.Char(readonly=True, help="The MCP endpoint that the tokens are for.")
    issuer = fields.Char(readonly=True, help="The public URL of the sidecar that the login began at.")
    ip = fields.Char(string="IP Address", readonly=True, help="Where the login began.")
    status = fields.Selection(
        [
            ("pending", "Pending"),
            ("approved", "Allowed"),
            ("denied", "Denied"),
            ("issued", "Code issued"),
            ("exchanged", "Done"),
        ],
        required=True,
        readonly=True,
        default="pending",
        help="Pending: not decided yet. Code issued: on its way to the client. Done: the client has its tokens.",
    )
    user_id = fields.Many2one(
        "res.users", readonly=True, index=True, ondelete="cascade", help="The user who has decided."
    )
    scope_granted = fields.Selection(SCOPES, readonly=True, help="What the user has allowed.")
    connection_id = fields.Many2one(
        "mcp.connection", readonly=True, index=True, ondelete="cascade", help="The connection that was allowed."
    )
    decided_at = fields.Datetime(readonly=True, help="When the user decided.")
    code_expires_at = fields.Datetime(readonly=True, help="Until when the code can be exchanged for tokens.")
    expires_at = fields.Datetime(required=True, readonly=True, index=True, help="Until when the login can go on.")
    family = fields.Char(
        readonly=True, index="btree_not_null", help="What all tokens that come of this login have in common."
    )

    _request_unique = models.UniqueIndex("(request_digest)", "This request exists already.")
    _code_unique = models.UniqueIndex("(code_digest) WHERE code_digest IS NOT NULL", "This code exists already.")

    # === For the page of consent, which calls these two and nothing else ===

    @api.model
    def _consent_values(self, handle):
        """What the page shows of the request with that handle; raises a sentence where nothing can be decided."""
        return consent.values(self.env, handle)

    @api.model
    def _decide(self, handle, decision, scope):
        """Notes what the person on the page has chosen; answers where the browser goes on.

        :param decision: ``allow`` or ``deny``
        :param scope: ``full`` or ``read_only``
        """
        return consent.decide(self.env, handle, decision, scope)

    # === Retention ===

    @api.model
    def _delete_old(self):
        self.search([("expires_at", "<", fields.Datetime.now() - KEPT_EXPIRED)]).unlink()
