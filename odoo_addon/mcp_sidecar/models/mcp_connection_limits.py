from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools.misc import formatLang

from ..gateway.auth import address_rules, method_levels
from .mcp_server_settings import BOUNDS

LIMITS = ("rate_limit_minute", "rate_limit_day")
# An own limit of a connection that says: there is none, the default of Server Settings counts.
DEFAULT_LIMIT = -1
LIMIT_MODES = [("default", "Server default"), ("own", "Own limit"), ("none", "No limit")]
METHOD_LEVELS = [(method_levels.NONE, "None"), (method_levels.BUTTONS, "Buttons"), (method_levels.ANY, "Any Method")]


class McpConnection(models.Model):
    """Limits of a connection: rate limits, address rules and the method level."""

    # one file for each side of a large model
    _inherit = "mcp.connection"  # pylint: disable=consider-merging-classes-inherited

    rate_limit_minute = fields.Integer(
        string="Requests per Minute",
        default=DEFAULT_LIMIT,
        required=True,
        help="Most requests that this connection may make in a minute of the clock. -1: the default of Server Settings "
        "counts, also after it is changed. 0: no limit.",
    )
    rate_limit_day = fields.Integer(
        string="Requests per Day",
        default=DEFAULT_LIMIT,
        required=True,
        help="Most requests that this connection may make in a day, which ends at midnight in the time zone of the "
        "company (see Server Settings). -1: the default of Server Settings counts, also after it is changed. 0: no "
        "limit.",
    )
    rate_limit_minute_mode = fields.Selection(
        LIMIT_MODES,
        string="Limit per Minute",
        compute="_compute_rate_limit_minute_mode",
        inverse="_inverse_rate_limit_minute_mode",
        help="Server default: as Server Settings say, also after they are changed. Own limit: the number beside it. "
        "No limit: as many requests as the AI tool likes.",
    )
    rate_limit_day_mode = fields.Selection(
        LIMIT_MODES,
        string="Limit per Day",
        compute="_compute_rate_limit_day_mode",
        inverse="_inverse_rate_limit_day_mode",
        help="Server default: as Server Settings say, also after they are changed. Own limit: the number beside it, "
        "until midnight in the time zone of the company. No limit: as many requests as the AI tool likes.",
    )
    default_limits = fields.Char(
        string="Server Default",
        compute="_compute_default_limits",
        help="What Server Settings say now, and in which time zone days end.",
    )
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
    method_level = fields.Selection(
        METHOD_LEVELS,
        required=True,
        default=method_levels.BUTTONS,
        help="Which methods of Odoo the AI tool may run on records, if the scope is Full Access. None: it reads, "
        "creates, changes and deletes, and runs nothing. Buttons: what its user could press in Odoo's own forms and "
        "lists right now, and a few harmless methods beside that. Any Method: each public method, including those "
        "that Odoo shows to no user; only a Settings administrator can choose it, for an AI tool that is trusted as "
        "much as that user. With allowed models a new connection gets None.",
    )

    _limits_from_minus_one = models.Constraint(
        "CHECK (rate_limit_minute >= -1 AND rate_limit_day >= -1)",
        "A limit is a number of requests, 0 for no limit or -1 for the default of Server Settings.",
    )

    # === Rate limits ===

    @api.depends("rate_limit_minute")
    def _compute_rate_limit_minute_mode(self):
        self._show_limit_mode("rate_limit_minute")

    @api.depends("rate_limit_day")
    def _compute_rate_limit_day_mode(self):
        self._show_limit_mode("rate_limit_day")

    def _show_limit_mode(self, name):
        for connection in self:
            limit = connection[name]
            connection[f"{name}_mode"] = "default" if limit < 0 else "own" if limit else "none"

    @api.depends_context("lang")
    def _compute_default_limits(self):
        # sudo: the user of a connection may know its limits
        settings = self.env["mcp.server.settings"].sudo().get_settings()
        no_limit = self.env._("no limit")
        self.default_limits = self.env._(
            "%(minute)s a minute, %(day)s a day (%(tz)s)",
            minute=formatLang(self.env, settings.rate_limit_minute, 0) if settings.rate_limit_minute else no_limit,
            day=formatLang(self.env, settings.rate_limit_day, 0) if settings.rate_limit_day else no_limit,
            tz=settings.company_tz,
        )

    @api.onchange("rate_limit_minute_mode")
    def _inverse_rate_limit_minute_mode(self):
        self._take_limit_mode("rate_limit_minute")

    @api.onchange("rate_limit_day_mode")
    def _inverse_rate_limit_day_mode(self):
        self._take_limit_mode("rate_limit_day")

    def _take_limit_mode(self, name):
        for connection in self:
            connection[name] = connection._limit_by_mode(name)

    def _limit_by_mode(self, name):
        mode = self[f"{name}_mode"]
        if mode == "own" and self[name] <= 0:
            # sudo: the default is what an own limit starts from
            settings = self.env["mcp.server.settings"].sudo().get_settings()
            return settings[name] or settings.default_get([name])[name]
        if mode in ("default", "none"):
            return DEFAULT_LIMIT if mode == "default" else 0
        return self[name]

    @api.constrains(*LIMITS)
    def _check_limits(self):
        for connection in self:
            for name in LIMITS:
                least, greatest = DEFAULT_LIMIT, BOUNDS[name][1]
                if not least <= connection[name] <= greatest:
                    raise ValidationError(
                        self.env._(
                            "%(field)s must be between 1 and %(greatest)s; or 0 for no limit, or -1 for the default "
                            "of Server Settings.",
                            field=self._fields[name].get_description(self.env, ["string"])["string"],
                            greatest=greatest,
                        )
                    )

    @api.model
    def _with_default_limits(self, vals):
        """The values with what an import leaves empty made the default: Odoo would store 0, which means no limit."""
        empty = {name for name in LIMITS if vals.get(name, 0) is False or vals.get(name, 0) is None}
        return vals | dict.fromkeys(empty, DEFAULT_LIMIT) if empty else vals

    # === Addresses ===

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

    # === Method level ===

    @api.model
    def _method_levels(self):
        """The levels that the current user may choose, with their names."""
        named = self._fields["method_level"]._description_selection(self.env)
        return [level for level in named if level[0] != method_levels.ANY or self.env.is_system()]

    @api.onchange("allowed_models")
    def _onchange_allowed_models(self):
        # as `write` would, so that it is seen before it is saved
        if self._names(self.allowed_models) and not self._names(self._origin.allowed_models):
            self.method_level = method_levels.NONE

    @api.model
    def _with_level(self, vals):
        """The values of a new connection: with allowed models it calls no methods unless they say so."""
        if "method_level" not in vals and self._names(vals.get("allowed_models")):
            return {**vals, "method_level": method_levels.NONE}
        return vals

    def _levels_raised_by(self, vals):
        """The levels that these values raise the connection to: what is stored, and what is in effect."""
        stored = vals.get("method_level") or self.method_level
        effective = method_levels.effective(vals.get("scope", self.scope), stored)
        changes = ((self.method_level, stored), (method_levels.effective(self.scope, self.method_level), effective))
        return [after for before, after in changes if method_levels.is_wider(before, after)]

    def _check_not_raised_to_any(self, vals):
        if any(method_levels.ANY in connection._levels_raised_by(vals) for connection in self):
            self._check_may_allow_any()

    def _losing_methods(self, vals):
        """The connections whose list of allowed models begins with these values: a method would reach past it."""
        if "method_level" in vals or not self._names(vals.get("allowed_models")):
            return self.browse()
        return self.filtered(lambda connection: not self._names(connection.allowed_models))

    @api.model
    def _check_may_allow_any(self):
        if not self.env.is_system():
            raise AccessError(
                self.env._(
                    "Only a Settings administrator can let a connection call any method: such a method may do what "
                    "Odoo offers to no user."
                )
            )
