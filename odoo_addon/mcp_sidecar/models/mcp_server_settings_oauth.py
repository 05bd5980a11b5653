import secrets

from odoo import api, fields, models, tools
from odoo.exceptions import ValidationError

from ..gateway.policy import call_rules
from ..gateway.sync import public_urls


class McpServerSettings(models.Model):
    """OAuth settings: whether AI tools may log in by browser, and what they are given then."""

    # one file for each side of a large model
    _inherit = "mcp.server.settings"  # pylint: disable=consider-merging-classes-inherited

    enable_oauth = fields.Boolean(
        string="Allow Browser Login (OAuth)",
        default=True,
        help="Lets AI tools connect by a login in the browser. Off: only API keys are accepted, no AI tool is invited "
        "to log in, and the tokens that were issued before are refused.",
    )
    oauth_aliases = fields.Boolean(
        string="Short OAuth Addresses",
        help="Answers the authorization, token and registration endpoints at /authorize, /token and /register of the "
        "public address too, for AI tools that ask there. Turn it on only where Odoo has no pages of these names.",
    )
    oauth_default_scope = fields.Selection(
        [("full", "Full Access"), ("read_only", "Read Only")],
        string="Default OAuth Scope",
        required=True,
        default="full",
        help="What the consent page offers first to an AI tool that doesn't say what it wants. The user can choose "
        "Read Only in any case.",
    )
    previous_public_urls = fields.Text(
        string="Previous Public URLs",
        copy=False,
        help="Addresses that the MCP server had before, one a line, such as https://odoo.example.com: tokens that were "
        "issued for one of them stay valid until they expire.",
    )
    oauth_key = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="What all sidecars of this database derive codes and tokens with.",
    )

    @api.constrains("previous_public_urls")
    def _check_previous_public_urls(self):
        for settings in self:
            for number, line in enumerate((settings.previous_public_urls or "").splitlines(), start=1):
                if line.strip() and not public_urls.origin(line):
                    raise ValidationError(
                        self.env._(
                            "Previous Public URLs, line %(number)s: “%(line)s” is not the address of a server. Write "
                            "one http or https address a line, without a path, such as https://odoo.example.com.",
                            number=number,
                            line=line.strip(),
                        )
                    )

    def _apply_to_tokens(self, vals):
        """Lets a change count at once for tokens that are there already: a shorter life, and no more OAuth at all."""
        # sudo: who may change the settings decides about all tokens
        tokens = self.env["mcp.credential"].sudo()
        for name, kind in (("access_token_timeout", "access_token"), ("refresh_token_timeout", "refresh_token")):
            if name in vals:
                tokens._shorten(kind, vals[name])
        if "enable_oauth" in vals:
            self.env.registry.clear_cache()
            self.env["mcp.connection"].sudo().search([("kind", "=", "oauth")])._publish()

    # === Questions of the gateway ===

    @api.model
    def _previous_origins(self):
        """The addresses that the MCP server had before, each once and in its one form."""
        # sudo: the service account may read nothing; the sidecars follow these addresses
        text = self.sudo().search([], limit=1).previous_public_urls or ""
        return list(dict.fromkeys(filter(None, map(public_urls.origin, text.splitlines()))))

    @api.model
    @tools.ormcache()
    def _oauth_is_enabled(self):
        """Whether tokens are good for anything: asked with each call that has one, so the answer is remembered."""
        # sudo: the service account may read nothing; the switch is for all to follow
        return self.sudo().search([], limit=1).enable_oauth

    @api.model
    def _oauth_shared_key(self):
        """The key that all sidecars of this database share, made when the first one asks for it."""
        call_rules.refuse_in_call(self, call_rules.own_denied(self, "read"))
        # SQL: no field of the ORM reads or writes it, and of two that come at once the first one counts
        self.env.cr.execute(
            """
            UPDATE mcp_server_settings SET oauth_key = %s WHERE oauth_key IS NULL;
            SELECT oauth_key FROM mcp_server_settings LIMIT 1
            """,
            [secrets.token_hex(32)],
        )
        found = self.env.cr.fetchone()
        return found and found[0]
