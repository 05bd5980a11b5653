from odoo import api, fields, models
from odoo.exceptions import UserError

from ..gateway.auth import method_levels
from ..models.mcp_replica import ENDPOINT_STATES


class McpConnectWizard(models.TransientModel):
    """Connect wizard. The choice of the method is kept in the browser: nothing is stored before the last step."""

    _name = "mcp.connect.wizard"
    _description = "Connect a New Tool"

    auth_method = fields.Selection(
        [
            ("browser", "Browser login (OAuth, auto-setup)"),
            ("api_key", "API key (Bearer header)"),
            ("oauth_client", "Custom OAuth (advanced)"),
        ],
        string="Authentication",
        help="How the AI tool proves who it is. It depends on what the tool can do, not on whose tool it is.",
    )
    name = fields.Char(
        string="Connection Name",
        required=True,
        help="What this connection is for, such as the AI tool and whose it is.",
    )
    user_id = fields.Many2one(
        "res.users",
        string="Odoo User",
        required=True,
        default=lambda self: self.env.user,
        domain=lambda self: self._user_domain(),
        help="The user that the AI tool acts as: it sees and changes what this user may, and nothing else.",
    )
    scope = fields.Selection(
        selection=lambda self: self.env["mcp.connection"]._fields["scope"].selection,
        required=True,
        default="full",
        help="Full Access: all that the user may do. Read Only: nothing can be created, changed, deleted or run.",
    )
    method_level = fields.Selection(
        selection=lambda self: self.env["mcp.connection"]._method_levels(),
        required=True,
        default=method_levels.BUTTONS,
        help="Which methods of Odoo the AI tool may run on records. None: it reads, creates, changes and deletes, and "
        "runs nothing. Buttons: what its user could press in Odoo's own forms and lists right now, and a few harmless "
        "methods beside that. Any Method: each public method; only a Settings administrator can choose it.",
    )
    may_choose_user = fields.Boolean(
        compute="_compute_may_choose_user",
        help="Creating a key for another user takes a Settings administrator.",
    )
    server_enabled = fields.Boolean(
        compute="_compute_server",
        help="Whether the MCP server is switched on.",
    )
    endpoint_url = fields.Char(
        string="MCP Endpoint",
        compute="_compute_server",
        help="The URL to enter in the AI tool: the confirmed public address, with the path of the endpoint.",
    )
    endpoint_state = fields.Selection(
        ENDPOINT_STATES,
        compute="_compute_server",
        help="Whether a sidecar has announced that URL, and whether it can be reached now.",
    )

    def _user_domain(self):
        return [
            ("share", "=", False),
            ("all_group_ids", "not in", self.env.ref("mcp_sidecar.group_service").ids),
        ]

    @api.depends_context("uid")
    def _compute_may_choose_user(self):
        self.may_choose_user = self.env.is_system()

    def _compute_server(self):
        self.server_enabled = self.env["mcp.server.settings"].get_settings().enabled
        self.endpoint_url, self.endpoint_state = self.env["mcp.replica"]._endpoint()

    def action_save(self):
        """Stores what the chosen way needs, and shows what the AI tool has to be given."""
        self.ensure_one()
        if self.auth_method == "api_key":
            action = self._save_api_key()
        elif self.auth_method == "oauth_client":
            action = self._save_oauth_client()
        else:
            raise UserError(self.env._("There is nothing to save: enter the URL in the AI tool, it logs in by itself."))
        self.unlink()
        return action

    def _save_api_key(self):
        connection = self.env["mcp.connection"]._create_for_api_key(
            self.name, self.user_id.id, self.scope, method_level=self.method_level
        )
        key = connection._issue_api_key()
        return self.env["mcp.credential.show"]._action_show(key, connection=connection)
