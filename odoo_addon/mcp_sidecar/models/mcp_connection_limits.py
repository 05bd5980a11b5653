from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools.misc import formatLang

from .mcp_server_settings import BOUNDS

LIMITS = ("rate_limit_minute", "rate_limit_day")
# An own limit of a connection that says: there is none, the default of Server Settings counts.
DEFAULT_LIMIT = -1
LIMIT_MODES = [("default", "Server default"), ("own", "Own limit"), ("none", "No limit")]


class McpConnectionLimits(models.AbstractModel):
    """How many requests a connection may make."""

    _name = "mcp.connection.limits"
    _description = "Limits of an MCP Connection"

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

    _limits_from_minus_one = models.Constraint(
        "CHECK (rate_limit_minute >= -1 AND rate_limit_day >= -1)",
        "A limit is a number of requests, 0 for no limit or -1 for the default of Server Settings.",
    )

    # One of each for each limit: computed together, one mode could not be written without the other.

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
        # sudo: whoever has a connection may know how much it may be used
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

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([_with_default_limits(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(_with_default_limits(vals))


def _with_default_limits(vals):
    """The values with what an import leaves empty made the default: Odoo would store 0, which means no limit."""
    empty = {name for name in LIMITS if vals.get(name, 0) is False or vals.get(name, 0) is None}
    return vals | dict.fromkeys(empty, DEFAULT_LIMIT) if empty else vals
