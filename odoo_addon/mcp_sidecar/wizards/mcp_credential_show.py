from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.mcp_replica import ENDPOINT_STATES
from . import snippets


class McpCredentialShow(models.AbstractModel):
    """Shows a secret once.

    The secret travels to the browser in the action's context and back with the dialog's only ``onchange``. The model
    is abstract, so that there is no table in which it could be left.
    """

    _name = "mcp.credential.show"
    _description = "Show a New Key"

    # the client asks for the id of what it shows
    id = fields.Id()
    kind = fields.Selection(
        [("api_key", "API Key"), ("service", "Sidecar Key")],
        readonly=True,
        help="Whether the key is for an AI tool or for the sidecar.",
    )
    key = fields.Char(readonly=True, help="The key. It is shown here and nowhere else.")
    connection_name = fields.Char(readonly=True, help="The connection that the key belongs to.")
    connection_revoked = fields.Boolean(readonly=True, help="Whether the connection is revoked.")
    endpoint_url = fields.Char(string="MCP Endpoint", readonly=True, help="The URL to enter in the AI tool.")
    endpoint_state = fields.Selection(
        ENDPOINT_STATES,
        readonly=True,
        help="Whether a sidecar has announced that URL, and whether it can be reached now.",
    )

    # === One for each of the snippets ===

    claude_code = fields.Text(readonly=True, help="Command for Claude Code.")
    claude_desktop = fields.Text(readonly=True, help="Content of claude_desktop_config.json.")
    cursor = fields.Text(readonly=True, help="Content of ~/.cursor/mcp.json.")
    vscode = fields.Text(string="VS Code", readonly=True, help="Content of .vscode/mcp.json.")
    gemini_cli = fields.Text(string="Gemini CLI", readonly=True, help="Content of ~/.gemini/settings.json.")
    continue_dev = fields.Text(string="Continue.dev", readonly=True, help="Part of ~/.continue/config.yaml.")
    codex = fields.Text(string="Codex CLI", readonly=True, help="Part of ~/.codex/config.toml.")
    n8n = fields.Text(string="n8n", readonly=True, help="What to enter in the node MCP Client Tool.")
    curl = fields.Text(string="curl", readonly=True, help="A first request by hand.")
    header = fields.Text(string="Other", readonly=True, help="What any other AI tool needs to know.")

    @api.model
    def default_get(self, fields):
        # all by defaults: Odoo computes no fields of abstract models
        values = super().default_get(fields)
        url, state = self.env["mcp.replica"]._endpoint()
        values["endpoint_state"] = state
        values["endpoint_url"] = url or snippets.EXAMPLE_URL
        values.update(snippets.filled_in(values["endpoint_url"], self.env.context.get("default_key")))
        return {name: value for name, value in values.items() if name in fields}

    @api.model_create_multi
    def create(self, vals_list):
        if vals_list:
            raise UserError(self.env._("A key is shown once and not stored."))
        return super().create(vals_list)

    @api.model
    def _action_show(self, key, kind="api_key", connection=None):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Sidecar Key") if kind == "service" else self.env._("Connect Your Tool"),
            "res_model": self._name,
            "views": [(False, "form")],
            "target": "new",
            "context": {
                "default_key": key,
                "default_kind": kind,
                "default_connection_name": connection.name if connection else False,
                "default_connection_revoked": bool(connection) and not connection.active,
            },
        }
