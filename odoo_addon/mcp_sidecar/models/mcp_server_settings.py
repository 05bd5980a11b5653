import re
from ipaddress import ip_address

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from .mcp_audit_log import LAST_WEEK
from .mcp_replica import ENDPOINT_STATES

LIVE_SESSIONS = [("live", "=", True)]

# Least and greatest value of each number; the database checks the least once more.
BOUNDS = {
    "rate_limit_minute": (0, 1_000_000),
    "rate_limit_day": (0, 1_000_000_000),
    "access_token_timeout": (1, 7 * 86400),
    "refresh_token_timeout": (1, 366 * 86400),
    "refresh_token_grace": (0, 3600),
    "audit_retention_days": (0, 3660),
    "idle_after_days": (1, 3660),
    "settings_max_age": (1, 86400),
}

_HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?)+", re.IGNORECASE)


class McpServerSettings(models.Model):
    _name = "mcp.server.settings"
    _inherit = "mcp.protected.mixin"
    _description = "MCP Server Settings"

    enabled = fields.Boolean(
        help="The master switch. While it is off, every request of every AI tool is refused, those of valid "
        "connections included.",
    )

    rate_limit_minute = fields.Integer(
        string="Default Rate Limit (requests/min)",
        default=60,
        required=True,
        help="Most requests that one connection may make in a minute of the clock. 0 means no limit. A connection can "
        "have a limit of its own. A change counts at once.",
    )
    rate_limit_day = fields.Integer(
        string="Default Rate Limit (requests/day)",
        default=10000,
        required=True,
        help="Most requests that one connection may make in a day, which ends at midnight in the time zone shown "
        "below. 0 means no limit. A connection can have a limit of its own. A change counts at once.",
    )
    company_tz = fields.Char(
        string="Company Time Zone",
        compute="_compute_company_tz",
        help="The days of rate limits end at midnight in this time zone: that of the main company's contact, else that "
        "of its working hours, else UTC.",
    )

    access_token_timeout = fields.Integer(
        string="Access Token Timeout (seconds)",
        default=3600,
        required=True,
        help="How long an access token lives before the AI tool has to refresh it. A lower value is safer and costs "
        "more refresh traffic.",
    )
    refresh_token_timeout = fields.Integer(
        string="Refresh Token Timeout (seconds)",
        default=2592000,
        required=True,
        help="How long a refresh token lives. Afterwards the user has to log in again from the AI tool.",
    )
    refresh_token_grace = fields.Integer(
        string="Refresh-Token Grace (seconds)",
        default=60,
        required=True,
        help="How long the previous refresh token still works after a new one was issued, so that a client may repeat "
        "a refresh whose answer was lost. 0 turns the grace off.",
    )

    allow_dynamic_registration = fields.Boolean(
        string="Allow Dynamic Client Registration",
        default=True,
        help="Lets AI tools such as claude.ai and ChatGPT register themselves (RFC 7591), with no connection prepared "
        "by an administrator. Turn it off for stricter control.",
    )
    enable_event_streaming = fields.Boolean(
        default=True,
        help="Lets AI tools subscribe to record changes and receive them in real time.",
    )
    enable_report_generation = fields.Boolean(
        default=True,
        help="Makes the generate_report tool available: Odoo reports as PDF or HTML.",
    )

    audit_retention_days = fields.Integer(
        string="Audit Log Retention (days)",
        default=90,
        required=True,
        help="Audit entries older than this are deleted once a day. 0 keeps them forever.",
    )
    log_payloads = fields.Boolean(
        string="Log Request/Response Payloads",
        help="Keeps the request and a summary of the response on each audit entry, with passwords, keys and the like "
        "masked. Off: the audit log keeps who did what with which tool and records, from where, how long it took and "
        "how it ended, but not what was asked and answered. Payloads can hold customer details, mail bodies and other "
        "sensitive data: turn it on only while you need it, together with a sensible retention. Apart from the audit "
        "log, and with either choice, the answer of each change is kept for an hour, or for a day where the AI "
        "tool named an idempotency key, so that a repeated change is answered and not made twice.",
    )

    idle_after_days = fields.Integer(
        string="Idle After (days)",
        default=7,
        required=True,
        help="A connection that was not used for so many days is shown as Idle, so that forgotten ones are found and "
        "can be revoked. It is let in all the same.",
    )

    settings_max_age = fields.Integer(
        string="Settings Valid For (seconds)",
        default=300,
        required=True,
        help="How long a sidecar that can't reach Odoo may go on with the settings it knows. Afterwards it refuses "
        "every request until Odoo answers again.",
    )
    wake_hosts = fields.Text(
        string="Wake-up Hosts",
        help="Hosts, besides the address a sidecar connects from, to which Odoo may post its wake-ups: one host name "
        "or IP address a line. Needed only where a proxy or a container network hides the sidecar's address.",
    )
    version = fields.Integer(
        default=1,
        readonly=True,
        copy=False,
        help="Grows with each change of these settings, so that a sidecar knows whether its copy is current.",
    )
    singleton = fields.Boolean(
        default=True,
        readonly=True,
        copy=False,
        help="Always set: lets the database refuse a second record.",
    )

    connection_count = fields.Integer(
        string="Connections",
        compute="_compute_counters",
        help="Number of connections that are not revoked and whose user is not refused, API keys and OAuth clients "
        "together.",
    )
    log_count_7d = fields.Integer(
        string="Logs (7d)",
        compute="_compute_counters",
        help="Number of audit entries of the last seven days. An entry can stand for several refused requests.",
    )
    session_count = fields.Integer(
        string="Active Sessions",
        compute="_compute_counters",
        help="Number of live MCP sessions, over all users.",
    )
    alarm_count = fields.Integer(
        string="Audit Alarms",
        compute="_compute_alarm_count",
        help="How many alarms about the audit log are not acknowledged yet.",
    )
    replica_ids = fields.Many2many(
        "mcp.replica",
        string="Sidecars",
        compute="_compute_sidecars",
        help="The sidecars that have registered with this database.",
    )
    sidecar_state = fields.Selection(
        [("none", "Never seen"), ("lost", "Not responding"), ("alive", "Connected")],
        compute="_compute_sidecars",
        help="Whether a sidecar has been in contact within the last minute.",
    )
    endpoint_url = fields.Char(
        string="MCP Endpoint",
        compute="_compute_sidecars",
        help="The URL to enter in an AI tool: the confirmed public address, with the path of the endpoint.",
    )
    endpoint_state = fields.Selection(
        ENDPOINT_STATES,
        compute="_compute_sidecars",
        help="Whether a sidecar has announced that URL, and whether it can be reached now.",
    )

    _one_record = models.Constraint(
        "UNIQUE (singleton)",
        "There is only one set of MCP server settings.",
    )
    _singleton_is_true = models.Constraint(
        "CHECK (singleton IS TRUE)",
        "There is only one set of MCP server settings.",
    )
    _no_negative_numbers = models.Constraint(
        "CHECK (rate_limit_minute >= 0 AND rate_limit_day >= 0 AND access_token_timeout > 0"
        " AND refresh_token_timeout > 0 AND refresh_token_grace >= 0 AND audit_retention_days >= 0"
        " AND settings_max_age > 0 AND idle_after_days > 0)",
        "Limits, timeouts and ages can't be negative.",
    )

    # === Computes and constraints ===

    def _compute_display_name(self):
        self.display_name = self.env._("Server Settings")

    def _compute_counters(self):
        usable = [("active", "=", True), ("user_refused", "=", False)]
        self.connection_count = self.env["mcp.connection"].search_count(usable)
        self.log_count_7d = self.env["mcp.audit.log"].search_count(LAST_WEEK)
        self.session_count = self.env["mcp.session"].search_count(LIVE_SESSIONS)

    def _compute_alarm_count(self):
        self.alarm_count = self.env["mcp.audit.alarm"]._open_count()

    def _compute_company_tz(self):
        self.company_tz = self._company_tz()

    def _compute_sidecars(self):
        replicas = self.env["mcp.replica"].search([], order="last_seen desc")
        state = "none"
        if replicas:
            state = "alive" if any(replicas.mapped("alive")) else "lost"
        self.replica_ids = replicas
        self.sidecar_state = state
        self.endpoint_url, self.endpoint_state = self.env["mcp.replica"]._endpoint()

    @api.constrains(*BOUNDS)
    def _check_bounds(self):
        for settings in self:
            for name, (least, greatest) in BOUNDS.items():
                if not least <= settings[name] <= greatest:
                    raise ValidationError(
                        self.env._(
                            "%(field)s must be between %(least)s and %(greatest)s, not %(value)s.",
                            field=self._fields[name].get_description(self.env, ["string"])["string"],
                            least=least,
                            greatest=greatest,
                            value=settings[name],
                        )
                    )

    @api.constrains("wake_hosts")
    def _check_wake_hosts(self):
        for settings in self:
            for host in settings._wake_host_list():
                if not _is_host(host):
                    raise ValidationError(
                        self.env._(
                            "“%s” is neither a host name nor an IP address. "
                            "Wake-up Hosts takes one of them a line, without scheme and port.",
                            host,
                        )
                    )

    # === One record ===

    @api.model
    def get_settings(self):
        """The one record; over RPC the list of its id."""
        self.browse().check_access("read")
        # sudo: who may read the settings gets them, even if the row was deleted by SQL
        return (self.sudo().search([], limit=1) or self.sudo().create({})).with_env(self.env)

    @api.model_create_multi
    def create(self, vals_list):
        self.browse().check_access("create")
        # sudo: the question is whether the record exists, not who may see it
        if vals_list and (len(vals_list) > 1 or self.sudo().search_count([], limit=1)):
            raise UserError(self.env._("There is only one set of MCP server settings: change the existing one."))
        for vals in vals_list:
            self._check_numbers(vals)
        return super().create(vals_list)

    def _check_numbers(self, vals):
        """Refuses what is no number: of an empty one Odoo would make 0, which means that there is no limit."""
        for name in vals.keys() & BOUNDS.keys():
            if not isinstance(vals[name], int) or isinstance(vals[name], bool):
                raise UserError(
                    self.env._(
                        "%(field)s has to be a whole number between %(least)s and %(greatest)s. It can't be empty.",
                        field=self._fields[name].get_description(self.env, ["string"])["string"],
                        least=BOUNDS[name][0],
                        greatest=BOUNDS[name][1],
                    )
                )

    @api.model
    def name_create(self, name):
        raise UserError(self.env._("There is only one set of MCP server settings: change the existing one."))

    def write(self, vals):
        self._check_numbers(vals)
        vals = {name: value for name, value in vals.items() if name not in ("version", "singleton")}
        for settings in self:
            super(McpServerSettings, settings).write({**vals, "version": settings.version + 1})
            self.env["mcp.event"]._publish("settings", settings.id)
        self._apply_to_tokens(vals)
        return True

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("The MCP server settings can't be deleted. Use the switch to turn the server off."))

    # === Questions of others ===

    @api.model
    def _company_tz(self):
        """The time zone in which the days of rate limits end."""
        # sudo: the service account may read nothing; a time zone is no secret
        company = self.env.ref("base.main_company", raise_if_not_found=False) or self.env["res.company"]
        company = company.sudo() or company.sudo().search([], limit=1, order="id")
        # without the addon resource, companies have no working hours
        hours = company.resource_calendar_id if "resource_calendar_id" in company else None
        return company.partner_id.tz or (hours and hours.tz) or "UTC"

    def _wake_host_list(self):
        return [line.strip() for line in (self.wake_hosts or "").splitlines() if line.strip()]

    # === Actions ===

    def action_open_connections(self):
        return self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_connection_action")

    def action_open_logs(self):
        return self._action_of("mcp_audit_log_action", LAST_WEEK, self.env._("Audit Log: Last 7 Days"))

    def action_open_sessions(self):
        return self._action_of("mcp_session_action", LIVE_SESSIONS, self.env._("Active Sessions"))

    def _action_of(self, name, domain, title):
        """The action that lists what a counter counts."""
        action = self.env["ir.actions.act_window"]._for_xml_id(f"mcp_sidecar.{name}")
        # the domain says it all: a filter could be taken away, and then the numbers would differ
        return action | {"domain": domain, "name": title, "context": {}}

    def action_open_alarms(self):
        return self.env["mcp.audit.alarm"]._action_open()

    def action_verify_log(self):
        return self.env["mcp.audit.log"].action_verify()

    @api.model
    def generate_service_key(self):
        """A new key for the sidecar to log in with, answered once. Keys made before stop working."""
        if not self.env.is_system():
            raise AccessError(self.env._("Only a Settings administrator can generate the sidecar's key."))
        service = self.env.ref("mcp_sidecar.user_service", raise_if_not_found=False)
        if not service or not service.active:
            raise UserError(self.env._("The sidecar's service user is missing or archived."))
        return service._mcp_renew_service_key()

    def action_check_connection(self):
        """Lets the sidecars look at themselves through their public address."""
        return self.env["mcp.connection.check"]._action_start()

    def action_generate_service_key(self):
        key = self.generate_service_key()
        return self.env["mcp.credential.show"]._action_show(key, kind="service")


def _is_host(text):
    try:
        return bool(ip_address(text))
    except ValueError:
        return bool(_HOST_NAME.fullmatch(text)) and not text.replace(".", "").isdigit()
