from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..gateway.auth import address_rules


class McpConnectionAddresses(models.AbstractModel):
    """Where the AI tool of a connection may be."""

    _name = "mcp.connection.addresses"
    _description = "Addresses of an MCP Connection"

    allowed_ips = fields.Text(
        string="Allowed Addresses",
        help="Where the AI tool may connect from: an IPv4 or IPv6 address or a network in CIDR form a line, such as "
        "203.0.113.9, 198.51.100.0/24 or 2001:db8::/32; what follows a # is a comment. Empty: from everywhere that "
        "isn't blocked.",
    )
    blocked_ips = fields.Text(
        string="Blocked Addresses",
        help="Where the AI tool may not connect from, in the same form. A blocked address is refused even if it is "
        "allowed as well.",
    )

    @api.constrains("allowed_ips", "blocked_ips")
    def _check_addresses(self):
        for connection in self:
            for name in ("allowed_ips", "blocked_ips"):
                try:
                    address_rules.networks(connection[name])
                except address_rules.InvalidLine as exc:
                    raise ValidationError(self._describe_invalid_line(name, exc)) from exc

    def _describe_invalid_line(self, name, invalid):
        field = self._fields[name].get_description(self.env, ["string"])["string"]
        if invalid.hint:
            return self.env._(
                "%(field)s, line %(number)s: “%(line)s” is an address inside of a network. Write %(hint)s for the "
                "whole network, or the address alone.",
                field=field,
                number=invalid.number,
                line=invalid.line,
                hint=invalid.hint,
            )
        return self.env._(
            "%(field)s, line %(number)s: “%(line)s” is neither an IP address nor a network in CIDR form, such as "
            "203.0.113.9, 198.51.100.0/24 or 2001:db8::/32.",
            field=field,
            number=invalid.number,
            line=invalid.line,
        )
