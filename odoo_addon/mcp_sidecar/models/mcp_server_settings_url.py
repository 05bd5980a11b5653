import logging

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..gateway.sync import public_urls

_logger = logging.getLogger(__name__)


class McpServerSettings(models.Model):
    """Public URL: the address that AI tools are given, and who may change it."""

    # one file for each side of a large model
    _inherit = "mcp.server.settings"  # pylint: disable=consider-merging-classes-inherited

    public_url = fields.Char(
        string="Public URL",
        copy=False,
        help="The address that AI tools are given: the first one that a sidecar announced, or the one that an "
        "administrator confirmed. An address that is announced later changes nothing before it is confirmed here.",
    )
    refused_public_urls = fields.Text(
        string="Refused URLs",
        copy=False,
        help="Addresses that sidecars announced and an administrator refused, one a line: they are not shown again.",
    )
    pending_public_url = fields.Char(
        string="Announced URL",
        compute="_compute_pending_public_url",
        help="Another address that a sidecar announces, until it is confirmed or refused.",
    )

    def _compute_pending_public_url(self):
        for settings in self:
            settings.pending_public_url = next(iter(settings._pending_urls()), False)

    def _pending_urls(self):
        """What living sidecars announce beside the confirmed address, the newest first."""
        # sudo: users who may read the settings may read the announced URLs
        replicas = self.env["mcp.replica"].sudo().search([("public_url", "!=", False)], order="id desc")
        known = {public_urls.normalized(self.public_url), None, *self._refused_urls()}
        announced = (public_urls.normalized(replica.public_url) for replica in replicas if replica.alive)
        return [url for url in dict.fromkeys(announced) if url not in known] if self.public_url else []

    def _refused_urls(self):
        return {public_urls.normalized(line) for line in (self.refused_public_urls or "").splitlines()} - {None}

    @api.constrains("public_url")
    def _check_public_url(self):
        for settings in self:
            if settings.public_url and not public_urls.normalized(settings.public_url):
                raise ValidationError(
                    self.env._(
                        "The public URL has to be a plain http or https address, such as https://odoo.example.com."
                    )
                )

    # === Actions ===

    def action_confirm_public_url(self):
        """AI tools are given the announced address from now on."""
        url = self._mcp_shown_url()
        before = self.public_url
        _logger.warning("The public URL of the MCP server is now %s, not %s: user %s", url, before, self.env.uid)
        refused = sorted(self._refused_urls() - {url})
        self.write({"public_url": url, "refused_public_urls": "\n".join(refused) or False})
        return True

    def action_refuse_public_url(self):
        """The announced address is not shown again."""
        url = self._mcp_shown_url()
        _logger.warning("The public URL %s of an MCP sidecar was refused: user %s", url, self.env.uid)
        self.write({"refused_public_urls": "\n".join(sorted(self._refused_urls() | {url}))})
        return True

    def _mcp_shown_url(self):
        """The address that was on the screen: another one may have been announced since."""
        self.ensure_one()
        self.check_access("write")
        shown = self.env.context.get("mcp_public_url") or self.pending_public_url
        if not shown or shown not in self._pending_urls():
            raise UserError(self.env._("This address is not announced any more. Reload the page and look again."))
        return shown
