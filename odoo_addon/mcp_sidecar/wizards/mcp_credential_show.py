import json

from odoo import api, fields, models
from odoo.exceptions import UserError

# What the snippets name the server in the AI tool's own configuration.
SERVER_NAME = "odoo"
EXAMPLE_URL = "https://odoo.example.com/odoo/mcp"


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
    endpoint_missing = fields.Boolean(
        readonly=True,
        help="Whether no sidecar has announced its public address yet.",
    )
    claude_code = fields.Text(readonly=True, help="Command for Claude Code.")
    cursor = fields.Text(readonly=True, help="Content of ~/.cursor/mcp.json.")
    vscode = fields.Text(string="VS Code", readonly=True, help="Content of .vscode/mcp.json.")
    curl = fields.Text(string="curl", readonly=True, help="A first request by hand.")

    @api.model
    def default_get(self, fields):
        # all by defaults: Odoo computes no fields of abstract models
        values = super().default_get(fields)
        url = self.env["mcp.server.settings"]._endpoint_url()
        values["endpoint_missing"] = not url
        values["endpoint_url"] = url or EXAMPLE_URL
        values.update(_snippets(values["endpoint_url"], self.env.context.get("default_key")))
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


def _snippets(url, key):
    bearer = f"Bearer {key}"
    headers = {"Authorization": bearer}
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "curl", "version": "1"},
        },
    }
    return {
        "claude_code": (
            f'claude mcp add --transport http {SERVER_NAME} {url} \\\n  --header "Authorization: {bearer}"'
        ),
        "cursor": _json({"mcpServers": {SERVER_NAME: {"url": url, "headers": headers}}}),
        "vscode": _json({"servers": {SERVER_NAME: {"type": "http", "url": url, "headers": headers}}}),
        "curl": (
            f"curl {url} \\\n"
            f'  -H "Authorization: {bearer}" \\\n'
            '  -H "Content-Type: application/json" \\\n'
            '  -H "Accept: application/json, text/event-stream" \\\n'
            f"  -d '{json.dumps(hello)}'"
        ),
    }


def _json(value):
    return json.dumps(value, indent=2)
