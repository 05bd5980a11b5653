from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.mcp_replica import ENDPOINT_STATES
from . import oauth_snippets, snippets


class McpOauthClientShow(models.AbstractModel):
    """Shows the id and the secret of an OAuth client, the secret once.

    As with a new key, the secret travels in the action's context and is in no table: the model is abstract.
    """

    _name = "mcp.oauth.client.show"
    _description = "Show a New OAuth Client"

    # the client asks for the id of what it shows
    id = fields.Id()
    rotated = fields.Boolean(readonly=True, help="Whether the client has had another secret before.")
    client_name = fields.Char(string="Client", readonly=True, help="The client that this is about.")
    client_id = fields.Char(string="Client ID", readonly=True, help="What the application names itself by.")
    secret = fields.Char(
        string="Client Secret",
        readonly=True,
        help="What the application proves with that it is this client. It is shown here and nowhere else.",
    )
    acts_as = fields.Char(readonly=True, help="The user that the application acts as when no person logs in.")
    logs_in = fields.Boolean(readonly=True, help="Whether people log in by this client.")
    endpoint_url = fields.Char(string="MCP Endpoint", readonly=True, help="The URL to enter in the application.")
    endpoint_state = fields.Selection(
        ENDPOINT_STATES,
        readonly=True,
        help="Whether a sidecar has announced that URL, and whether it can be reached now.",
    )
    values = fields.Text(readonly=True, help="What an application has to know of this client.")
    claude_ai = fields.Text(string="claude.ai", readonly=True, help="What to enter in a custom connector of Claude.")
    claude_code = fields.Text(readonly=True, help="Command for Claude Code.")
    curl = fields.Text(string="curl", readonly=True, help="A first token by hand.")

    @api.model
    def default_get(self, fields):
        # all by defaults: Odoo computes no fields of abstract models
        values = super().default_get(fields)
        url, state = self.env["mcp.replica"]._endpoint()
        values |= {"endpoint_state": state, "endpoint_url": url or snippets.EXAMPLE_URL}
        context = self.env.context
        values |= oauth_snippets.of_client(
            values["endpoint_url"], context.get("default_client_id") or "", context.get("default_secret")
        )
        return {name: value for name, value in values.items() if name in fields}

    @api.model_create_multi
    def create(self, vals_list):
        if vals_list:
            raise UserError(self.env._("A client secret is shown once and not stored."))
        return super().create(vals_list)

    @api.model
    def _action_show(self, client, secret, rotated=False):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("New Client Secret") if rotated else self.env._("Connect Your Application"),
            "res_model": self._name,
            "views": [(False, "form")],
            "target": "new",
            "context": {
                "default_rotated": rotated,
                "default_client_name": client.name,
                "default_client_id": client.client_id,
                "default_secret": secret or False,
                "default_acts_as": client.client_credentials_user_id.name,
                "default_logs_in": bool(client.redirect_uris),
            },
        }
