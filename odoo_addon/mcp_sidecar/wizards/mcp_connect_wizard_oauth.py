from odoo import api, fields, models

from . import oauth_snippets, snippets


class McpConnectWizard(models.TransientModel):
    """Connect wizard, the two ways that use OAuth.

    Browser login needs nothing that is stored: the form shows the URL and waits. A custom client is stored with the
    last step, as a key is.
    """

    # one file for each side of a large model
    _inherit = "mcp.connect.wizard"  # pylint: disable=consider-merging-classes-inherited

    oauth_enabled = fields.Boolean(
        compute="_compute_oauth",
        help="Whether AI tools may log in by browser.",
    )
    registration_enabled = fields.Boolean(
        compute="_compute_oauth",
        help="Whether AI tools may register themselves.",
    )

    # === Browser login ===

    opened_at = fields.Datetime(
        string="AI Tools That Signed In",
        default=fields.Datetime.now,
        readonly=True,
        help="The AI tools that have signed in since this form was opened, and whether they are used already.",
    )
    browser_claude_code = fields.Text(compute="_compute_oauth", help="Command for Claude Code.")
    browser_cursor = fields.Text(compute="_compute_oauth", help="Content of ~/.cursor/mcp.json.")
    browser_vscode = fields.Text(string="VS Code", compute="_compute_oauth", help="Content of .vscode/mcp.json.")
    browser_gemini_cli = fields.Text(
        string="Gemini CLI", compute="_compute_oauth", help="Content of ~/.gemini/settings.json."
    )
    browser_codex = fields.Text(string="Codex CLI", compute="_compute_oauth", help="Commands for Codex CLI.")

    # === Custom client ===

    client_type = fields.Selection(
        [("confidential", "Confidential (with a secret)"), ("public", "Public (PKCE only)")],
        default="confidential",
        help="Confidential: the application runs on a server and can keep a secret. Public: it runs on a computer or a "
        "phone, where a secret could be read out of it; PKCE protects its logins instead.",
    )
    redirect_uris = fields.Text(
        string="Redirect URIs",
        help="The addresses of the application to which people are sent back after they allowed it, one a line. Others "
        "are refused.",
    )
    client_credentials = fields.Boolean(
        string="Work Without a Login",
        help="Lets the application get tokens with its id and secret alone (client_credentials), always for the one "
        "user named here. For servers that work on a schedule.",
    )

    @api.depends_context("uid")
    def _compute_oauth(self):
        settings = self.env["mcp.server.settings"].get_settings()
        self.oauth_enabled = settings.enable_oauth
        self.registration_enabled = settings.allow_dynamic_registration
        url, _state = self.env["mcp.replica"]._endpoint()
        for name, text in oauth_snippets.of_url(url or snippets.EXAMPLE_URL).items():
            self[f"browser_{name}"] = text

    def _save_oauth_client(self):
        acts_as = self.user_id if self.client_type == "confidential" and self.client_credentials else None
        client, secret = self.env["mcp.oauth.client"]._create_manual(
            self.name, self.redirect_uris, self.client_type == "confidential", acts_as
        )
        if self.scope == "read_only":
            client.connection_ids.write({"scope": "read_only"})
        return self.env["mcp.oauth.client.show"]._action_show(client, secret)
