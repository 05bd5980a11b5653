from odoo import api, fields, models


class McpOauthClient(models.Model):
    """Buttons of a client."""

    # one file for each side of a large model
    _inherit = "mcp.oauth.client"  # pylint: disable=consider-merging-classes-inherited

    def action_revoke(self):
        """Refused from now on, for all users; its tokens are deleted."""
        self.write({"active": False})
        return True

    def action_reactivate(self):
        """May ask for tokens again."""
        self.write({"active": True})
        return True

    def action_rotate_secret(self):
        secret = self._rotate_secret()
        return self.env["mcp.oauth.client.show"]._action_show(self, secret, rotated=True)

    def action_open_connections(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_connection_action")
        # the domain says it all: a filter could be taken away
        return action | {
            "domain": [("oauth_client_id", "in", self.ids)],
            "name": self.env._("Connections of %s", ", ".join(self.mapped("name"))),
            "context": {"active_test": False},
        }


class McpConnection(models.Model):
    """Buttons of a connection that its client and its user share."""

    # one file for each side of a large model
    _inherit = "mcp.connection"  # pylint: disable=consider-merging-classes-inherited

    client_auth_method = fields.Selection(
        related="oauth_client_id.auth_method",
        string="Client Authentication",
        help="Whether the client proves by a secret that it is this client.",
    )
    is_own_grant = fields.Boolean(
        compute="_compute_is_own_grant",
        help="Whether the current user has allowed this AI tool, and may choose what it may do.",
    )

    @api.depends("kind", "user_id")
    @api.depends_context("uid")
    def _compute_is_own_grant(self):
        for connection in self:
            connection.is_own_grant = connection.kind == "oauth" and connection.user_id == self.env.user

    def action_rotate_secret(self):
        return self.oauth_client_id.action_rotate_secret()
