import re
from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Domain
from odoo.tools.misc import formatLang

from ..gateway import addresses
from .mcp_server_settings import BOUNDS

IDLE_AFTER = timedelta(days=7)
# last_used is exact to this, so that a busy connection doesn't rewrite its row with every request.
TOUCH_EVERY = timedelta(seconds=60)
# Changes of these concern nobody but the reader of the form.
UNNOTED_FIELDS = {"notes", "last_used"}

LIMITS = ("rate_limit_minute", "rate_limit_day")
# An own limit of a connection that says: there is none, the default of Server Settings counts.
DEFAULT_LIMIT = -1
LIMIT_MODES = [("default", "Server default"), ("own", "Own limit"), ("none", "No limit")]

_TOOL_NAME = re.compile(r"[a-z0-9_]{1,40}")


class McpConnection(models.Model):
    _name = "mcp.connection"
    _inherit = ["mcp.own"]
    _description = "MCP Connection"
    _order = "name, id"

    name = fields.Char(
        required=True,
        help="What this connection is for, such as the AI tool and whose it is.",
    )
    user_id = fields.Many2one(
        "res.users",
        required=True,
        index=True,
        ondelete="cascade",
        default=lambda self: self.env.user,
        domain=[("share", "=", False)],
        help="The user that the AI tool acts as: it sees and changes what this user may, and nothing else. "
        "It can't be changed later.",
    )
    kind = fields.Selection(
        [("api_key", "API Key"), ("oauth", "OAuth Client")],
        string="Type",
        required=True,
        default="api_key",
        help="How the AI tool proves who it is. It can't be changed later.",
    )
    scope = fields.Selection(
        [("full", "Full Access"), ("read_only", "Read Only")],
        required=True,
        default="full",
        help="Full Access: all that the user may do. Read Only: nothing can be created, changed, deleted or run.",
    )
    active = fields.Boolean(
        default=True,
        copy=False,
        help="A revoked connection is refused at once and stays in the list.",
    )
    status = fields.Selection(
        [
            ("connected", "Connected"),
            ("awaiting", "Awaiting connection"),
            ("idle", "Idle"),
            ("revoked", "Revoked"),
        ],
        compute="_compute_status",
        search="_search_status",
        help="Connected: used within the last 7 days. Awaiting connection: never used. "
        "Idle: not used for 7 days. Revoked: refused.",
    )
    silence = fields.Char(
        string="Silent For",
        compute="_compute_status",
        help="How long ago the connection was last used.",
    )
    user_refused = fields.Boolean(
        compute="_compute_user_refused",
        help="Whether the user may no longer be acted as, so that the AI tool is refused.",
    )
    last_used = fields.Datetime(
        readonly=True,
        copy=False,
        help="When the AI tool was last let in, to the minute.",
    )
    allowed_tools = fields.Text(
        help="Names of the tools this connection may use, one a line. Empty: all tools of its scope.",
    )
    allowed_models = fields.Text(
        help="Technical names of the models this connection may use, one a line, such as res.partner. It then reaches "
        "no other model, neither through a relation nor through what is computed from it; a field that leads to "
        "another model is left out. What a model takes from the one it is built on, as a product variant does from "
        "its product, is there only where that model is listed too. Empty: all models of its user.",
    )
    allow_execute_method = fields.Boolean(
        string="Allow Calling Methods",
        help="Let a connection with allowed models call methods of these models, such as confirming an order. Careful: "
        "a method may read and change any other model on the way, and nothing confines it to the allowed ones. "
        "Without allowed models methods may be called anyway, if the scope is Full Access.",
    )
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
        compute="_compute_limit_modes",
        readonly=False,
        help="Server default: as Server Settings say, also after they are changed. Own limit: the number beside it. "
        "No limit: as many requests as the AI tool likes.",
    )
    rate_limit_day_mode = fields.Selection(
        LIMIT_MODES,
        string="Limit per Day",
        compute="_compute_limit_modes",
        readonly=False,
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
    notes = fields.Text(help="For your own use; AI tools never see it.")
    credential_ids = fields.One2many(
        "mcp.credential",
        "connection_id",
        string="Credentials",
        readonly=True,
        help="What the AI tool may show to be let in. The secret itself is not stored.",
    )

    _limits_from_minus_one = models.Constraint(
        "CHECK (rate_limit_minute >= -1 AND rate_limit_day >= -1)",
        "A limit is a number of requests, 0 for no limit or -1 for the default of Server Settings.",
    )

    # === Computes and constraints ===

    @api.depends("active", "last_used")
    def _compute_status(self):
        now = fields.Datetime.now()
        for connection in self:
            silent = connection.last_used and now - connection.last_used
            connection.silence = self._describe_span(silent) if silent else False
            if not connection.active:
                connection.status = "revoked"
            elif not connection.last_used:
                connection.status = "awaiting"
            else:
                connection.status = "idle" if silent > IDLE_AFTER else "connected"

    @api.depends("user_id")
    def _compute_user_refused(self):
        # sudo: archived users and group membership are judged whoever asks
        for connection in self.sudo():
            connection.user_refused = bool(connection.user_id) and not connection.user_id._mcp_may_be_acted_as()

    def _describe_span(self, span):
        if span.days:
            return self.env._("%(days)s days, %(hours)s hours", days=span.days, hours=span.seconds // 3600)
        return self.env._(
            "%(hours)s hours, %(minutes)s minutes", hours=span.seconds // 3600, minutes=span.seconds % 3600 // 60
        )

    def _search_status(self, operator, value):
        if operator != "in":
            return NotImplemented
        border = fields.Datetime.now() - IDLE_AFTER
        active = Domain("active", "=", True)
        domains = {
            "connected": active & Domain("last_used", ">=", border),
            "awaiting": active & Domain("last_used", "=", False),
            "idle": active & Domain("last_used", "<", border),
            "revoked": Domain("active", "=", False),
        }
        return Domain.OR(domains[status] for status in value if status in domains)

    @api.depends("rate_limit_minute", "rate_limit_day")
    def _compute_limit_modes(self):
        for connection in self:
            for name in LIMITS:
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
    def _onchange_rate_limit_minute_mode(self):
        self._take_limit_mode("rate_limit_minute")

    @api.onchange("rate_limit_day_mode")
    def _onchange_rate_limit_day_mode(self):
        self._take_limit_mode("rate_limit_day")

    def _take_limit_mode(self, name):
        mode = self[f"{name}_mode"]
        if mode == "own" and self[name] <= 0:
            # sudo: the default is what an own limit starts from
            settings = self.env["mcp.server.settings"].sudo().get_settings()
            self[name] = settings[name] or settings.default_get([name])[name]
        elif mode in ("default", "none"):
            self[name] = DEFAULT_LIMIT if mode == "default" else 0

    @api.constrains("user_id", "active")
    def _check_user(self):
        # sudo: group membership and archived users are judged whoever asks
        for connection in self.sudo():
            if connection.active and not connection.user_id._mcp_may_be_acted_as():
                raise ValidationError(
                    self.env._(
                        "“%s” can't be used for a connection: it takes an active internal user, "
                        "neither OdooBot nor a service account.",
                        connection.user_id.name,
                    )
                )

    @api.constrains("name")
    def _check_name(self):
        for connection in self:
            if not connection.name.strip():
                raise ValidationError(self.env._("A connection needs a name."))

    @api.constrains("allowed_tools")
    def _check_allowed_tools(self):
        for connection in self:
            for name in self._names(connection.allowed_tools):
                if not _TOOL_NAME.fullmatch(name):
                    raise ValidationError(
                        self.env._(
                            "“%s” is not the name of a tool. Write one name a line, such as search_read.",
                            name,
                        )
                    )

    @api.constrains("allowed_models")
    def _check_allowed_models(self):
        for connection in self:
            for number, line in enumerate((connection.allowed_models or "").splitlines(), start=1):
                name = line.strip()
                # an abstract model has no records that could be used
                if name and (name not in self.env.registry or self.env.registry[name]._abstract):
                    raise ValidationError(
                        self.env._(
                            "Allowed Models, line %(number)s: there is no model “%(name)s”. Write one technical name a "
                            "line, such as res.partner.",
                            number=number,
                            name=name,
                        )
                    )

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

    @api.constrains("allowed_ips", "blocked_ips")
    def _check_addresses(self):
        for connection in self:
            for name in ("allowed_ips", "blocked_ips"):
                try:
                    addresses.networks(connection[name])
                except addresses.InvalidLine as exc:
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

    @api.model
    def _names(self, text):
        return [line.strip() for line in (text or "").splitlines() if line.strip()]

    # === Create, write, delete ===

    @api.model_create_multi
    def create(self, vals_list):
        connections = super().create([_with_default_limits(vals) for vals in vals_list])
        connections._check_may_hold_key()
        return connections

    def write(self, vals):
        for name in ("user_id", "kind"):
            if name in vals and any(self._fields[name].convert_to_write(c[name], c) != vals[name] for c in self):
                raise UserError(
                    self.env._("User and type of a connection can't be changed: revoke it and create another one.")
                )
        result = super().write(_with_default_limits(vals))
        if vals.keys() - UNNOTED_FIELDS:
            self._note()
        return result

    def unlink(self):
        self._note()
        return super().unlink()

    def _note(self):
        for connection in self:
            self.env["mcp.event"]._note("connection", connection.id)

    # === Keys ===

    @api.model
    def create_api_key(self, name, user_id=None, scope="full"):
        """A new connection of a user; answers its key, which nobody will see again."""
        connection = self._create_for_api_key(name, user_id, scope)
        return connection._issue_api_key()

    def rotate_api_key(self):
        """A new key, answered once; the old one stops working with this transaction."""
        self.ensure_one()
        self.check_access("read")
        self._check_may_hold_key()
        if self.kind != "api_key":
            raise UserError(self.env._("Only connections with an API key have a key to rotate."))
        return self._issue_api_key()

    @api.model
    def _create_for_api_key(self, name, user_id, scope):
        self.browse().check_access("create")
        if not isinstance(name, str) or not name.strip():
            raise UserError(self.env._("A connection needs a name."))
        if scope not in dict(self._fields["scope"].selection):
            raise UserError(self.env._("The scope of a connection is “full” or “read_only”."))
        if user_id is not None and not self.env["res.users"].browse(user_id).exists():
            raise UserError(self.env._("There is no user with the id %s.", user_id))
        return self.create(
            {
                "name": name.strip(),
                "user_id": self.env.uid if user_id is None else user_id,
                "kind": "api_key",
                "scope": scope,
            }
        )

    def _check_may_hold_key(self):
        """Who gets a key acts as its user: only that user itself and a Settings administrator may."""
        if self.env.is_system():
            return
        for connection in self:
            if connection.user_id != self.env.user:
                raise AccessError(
                    self.env._(
                        "Creating or rotating a key for another user takes a Settings administrator: "
                        "whoever holds the key acts as that user."
                    )
                )

    def _issue_api_key(self):
        # sudo: nobody may write credentials; the caller's right was checked
        credentials = self.env["mcp.credential"].sudo()
        credentials.search([("connection_id", "=", self.id)]).unlink()
        text = credentials._issue(self, "api_key")
        self._note()
        return text

    def _touch(self):
        """Remembers that the connection was used just now, at most once a minute and never waiting for a lock."""
        now = fields.Datetime.now()
        try:
            with self.env.cr.savepoint():
                self.env.cr.execute(
                    """
                    UPDATE mcp_connection SET last_used = %(now)s
                    WHERE id IN (
                        SELECT id FROM mcp_connection
                        WHERE id = ANY(%(ids)s) AND (last_used IS NULL OR last_used < %(due)s)
                        FOR NO KEY UPDATE SKIP LOCKED
                    )
                    """,
                    {"now": now, "due": now - TOUCH_EVERY, "ids": self.ids},
                )
        except errors.SerializationFailure:
            return  # another request of the same connection has just done it
        self.invalidate_recordset(["last_used"], flush=False)

    # === Actions ===

    def action_revoke(self):
        """Refused from now on, on every sidecar, until it is reactivated."""
        self.write({"active": False})
        return True

    def action_reactivate(self):
        """Accepts the same key again."""
        self.write({"active": True})
        return True

    def action_rotate_key(self):
        key = self.rotate_api_key()
        return self.env["mcp.credential.show"]._action_show(key, connection=self)

    def action_connect_new_tool(self):
        return self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_connect_wizard_action")


def _with_default_limits(vals):
    """The values with what an import leaves empty made the default: Odoo would store 0, which means no limit."""
    empty = {name for name in LIMITS if vals.get(name, 0) is False or vals.get(name, 0) is None}
    return vals | dict.fromkeys(empty, DEFAULT_LIMIT) if empty else vals
