from odoo import api, fields, models

# As in the contract.
NAMES = [
    ("address", "Public address"),
    ("reachable", "Reachable"),
    ("resource_metadata", "Discovery of the MCP server"),
    ("server_metadata", "Discovery of the login"),
    ("oauth_paths", "Login paths"),
    ("challenge", "Invitation to log in"),
    ("session", "Call with a key"),
    ("stream", "Streams"),
    ("clock", "Clock"),
    ("proxy", "Proxy"),
]


class McpConnectionCheckLine(models.TransientModel):
    """Result of one part of a connection check, as a sidecar saw it from where it stands."""

    _name = "mcp.connection.check.line"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Connection Check Result"
    _order = "replica, id"

    check_id = fields.Many2one(
        "mcp.connection.check", required=True, readonly=True, index=True, ondelete="cascade", help="The check."
    )
    replica = fields.Char(string="Seen from", readonly=True, help="The id of the sidecar that looked.")
    name = fields.Selection(NAMES, string="Checked", required=True, readonly=True, help="What was looked at.")
    status = fields.Selection(
        [("ok", "OK"), ("warning", "Warning"), ("failed", "Failed"), ("skipped", "Skipped")],
        required=True,
        readonly=True,
        help="Skipped: it can't be looked at, or doesn't matter as the server is set up.",
    )
    code = fields.Char(readonly=True, help="What was found, as a word.")
    data = fields.Json(readonly=True, help="What the sentence names.")
    result = fields.Char(compute="_compute_result", help="What was found, and what to do about it.")

    @api.depends("name", "status", "code", "data")
    def _compute_result(self):
        for line in self:
            template = line._sentence()
            values = {"detail": "", "status": "", "found": "", "location": "", "seconds": "", "address": ""}
            line.result = template % {**values, **(line.data or {})}

    def _sentence(self):
        if self.status == "ok":
            return self._fine().get(self.name, self.env._("As it should be."))
        if self.status == "skipped":
            return self._skipped()
        return self._problems().get(f"{self.name}.{self.code}") or self._common().get(
            self.code, self.env._("Something is wrong: %(detail)s")
        )

    def _skipped(self):
        if self.code == "oauth_off":
            return self.env._("Browser login is switched off.")
        return self.env._("Not looked at, since something before it failed.")

    def _fine(self):
        return {
            "address": self.env._("AI tools are given %(address)s."),
            "session": self.env._("A read-only call came through, with the key in its header."),
            "stream": self.env._("The first byte of a stream arrives at once."),
            "clock": self.env._("Odoo and the sidecar have the same time."),
        }

    def _common(self):
        return {
            "status": self.env._(
                "The answer has status %(status)s. Let the proxy send this path to the sidecar, unchanged."
            ),
            "html": self.env._(
                "A web page answers, not the sidecar. Let the proxy send this path to the sidecar and not to Odoo."
            ),
            "not_json": self.env._("The answer is not JSON. Let the proxy send this path to the sidecar, unchanged."),
            "not_ours": self.env._(
                "Another server answers: it names %(found)s. Let the proxy send this path to this sidecar, and check "
                "public_url in its configuration."
            ),
            "redirect": self.env._(
                "The proxy redirects to %(location)s, which AI tools don't follow. Let it send this path to the "
                "sidecar."
            ),
        }

    def _problems(self):
        return {
            "address.not_https": self.env._(
                "%(address)s is not https: AI tools of others refuse it. Put a proxy with a certificate in front, and "
                "set public_url in the sidecar's configuration."
            ),
            "reachable.unresolved": self.env._(
                "The name in the address can't be resolved from here. Check DNS; where only outsiders resolve it, this "
                "check can't see what they see."
            ),
            "reachable.refused": self.env._(
                "Nothing listens at the public address. Start the proxy, or check its address and port."
            ),
            "reachable.timeout": self.env._(
                "No answer in time. Check the firewall; many routers don't lead back to their own public address, and "
                "then only a check from outside can tell."
            ),
            "reachable.tls": self.env._(
                "The certificate is not accepted: %(detail)s. AI tools refuse it as well: renew it, or add the missing "
                "intermediate certificate."
            ),
            "reachable.unreachable": self.env._("The public address can't be reached: %(detail)s"),
            "challenge.no_header": self.env._(
                "The header WWW-Authenticate is missing, so that no AI tool opens a login. Let the proxy pass it on."
            ),
            "session.header_dropped": self.env._(
                "The key did not arrive: the proxy drops the header Authorization. Let it pass this header on."
            ),
            "session.tool_error": self.env._("The call arrived and failed: %(detail)s"),
            "stream.buffered": self.env._(
                "The proxy holds streams back. Turn buffering off for /odoo/mcp, in nginx with “proxy_buffering off”."
            ),
            "clock.skew": self.env._(
                "The clocks of Odoo and the sidecar differ by %(seconds)s seconds: set both by NTP, since tokens "
                "expire by them."
            ),
            "proxy.untrusted": self.env._(
                "A proxy is in front that the sidecar does not trust, so that all AI tools seem to come from one "
                "address. Add it to trusted_proxies in the sidecar's configuration."
            ),
        }
