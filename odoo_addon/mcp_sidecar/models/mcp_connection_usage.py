from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg2 import errors

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..gateway.oauth import users

# last_used is exact to this, so that a busy connection doesn't rewrite its row with every request.
TOUCH_EVERY = timedelta(seconds=60)

# What is counted, never written: the form offers none of these, RPC would.
COUNTED = ("request_count", "refusal_count", "last_used", "last_ip", "last_client")

# SQL, so that no event is noted and no cached connection is thrown away in the sidecars: nothing of what they know has
# changed. Nor may an entry be refused since a number has become too great for its column.
_COUNT = """
    UPDATE mcp_connection AS connection
       SET request_count = least(connection.request_count::bigint + used.requests, 2147483647),
           refusal_count = least(connection.refusal_count::bigint + used.refusals, 2147483647),
           last_used = greatest(connection.last_used, used.let_in),
           last_ip = coalesce(used.ip, connection.last_ip),
           last_client = coalesce(used.client, connection.last_client)
      FROM (VALUES %s) AS used(id, requests, refusals, let_in, ip, client)
     WHERE connection.id = used.id
"""
_TEMPLATE = "(%(id)s, %(requests)s::bigint, %(refusals)s::bigint, %(let_in)s::timestamp, %(ip)s, %(client)s)"


class McpConnection(models.Model):
    """Usage of a connection: its status, its last use, and the counters and statistics of its audit entries."""

    # one file for each side of a large model
    _inherit = "mcp.connection"  # pylint: disable=consider-merging-classes-inherited

    status = fields.Selection(
        [
            ("connected", "Connected"),
            ("awaiting", "Awaiting connection"),
            ("idle", "Idle"),
            ("revoked", "Revoked"),
        ],
        compute="_compute_status",
        search="_search_status",
        help="Connected: used lately. Awaiting connection: never used. Idle: not used for longer than the days that "
        "Server Settings name (Idle After), which changes nothing for the AI tool. Revoked: refused.",
    )
    silence = fields.Char(
        string="Silent For",
        compute="_compute_status",
        help="How long ago the connection was last used.",
    )
    user_refused = fields.Boolean(
        compute="_compute_user_refused",
        search="_search_user_refused",
        help="Whether the user may no longer be acted as, so that the AI tool is refused.",
    )
    user_warning = fields.Char(
        string="Warning",
        compute="_compute_user_warning",
        help="Says so where the AI tool is refused although the connection isn't revoked: its user is archived, is "
        "no internal user any more or, for an OAuth client, is no MCP User.",
    )
    last_used = fields.Datetime(
        readonly=True,
        copy=False,
        help="When the AI tool was last let in, to the minute.",
    )
    request_count = fields.Integer(
        string="Requests",
        default=0,
        readonly=True,
        copy=False,
        help="How many requests the audit log has had of this connection, refused ones included.",
    )
    refusal_count = fields.Integer(
        string="Refusals",
        default=0,
        readonly=True,
        copy=False,
        help="How many of these were refused, such as those over a limit or from a wrong address.",
    )
    last_ip = fields.Char(
        string="Last Address",
        readonly=True,
        copy=False,
        help="Where the last request that was let in came from.",
    )
    last_client = fields.Char(
        readonly=True,
        copy=False,
        help="Name and version that the AI tool last gave itself.",
    )
    requests_today = fields.Integer(
        compute="_compute_requests_today",
        help="How many requests of this connection the audit log holds since midnight in the time zone of the company "
        "(see Server Settings), refused ones included.",
    )
    log_count = fields.Integer(
        string="Logs",
        compute="_compute_log_count",
        help="Number of audit entries of this connection. An entry can stand for several refused requests.",
    )
    session_count = fields.Integer(
        string="Sessions",
        compute="_compute_session_count",
        help="Number of live MCP sessions of this connection.",
    )

    # === Status ===

    @api.depends("active", "last_used")
    def _compute_status(self):
        now, border = fields.Datetime.now(), self._idle_since()
        for connection in self:
            used = connection.last_used
            connection.silence = self._describe_span(now - used) if used else False
            if not connection.active:
                connection.status = "revoked"
            elif not used:
                connection.status = "awaiting"
            else:
                connection.status = "idle" if used < border else "connected"

    def _idle_since(self):
        """Who was last used before this is idle."""
        # sudo: a user who sees a connection may know whether it is idle
        settings = self.env["mcp.server.settings"].sudo().get_settings()
        return fields.Datetime.now() - timedelta(days=settings.idle_after_days)

    def _describe_span(self, span):
        if span.days:
            return self.env._("%(days)s days, %(hours)s hours", days=span.days, hours=span.seconds // 3600)
        return self.env._(
            "%(hours)s hours, %(minutes)s minutes", hours=span.seconds // 3600, minutes=span.seconds % 3600 // 60
        )

    def _search_status(self, operator, value):
        if operator != "in":
            return NotImplemented
        border = self._idle_since()
        active = Domain("active", "=", True)
        domains = {
            "connected": active & Domain("last_used", ">=", border),
            "awaiting": active & Domain("last_used", "=", False),
            "idle": active & Domain("last_used", "<", border),
            "revoked": Domain("active", "=", False),
        }
        return Domain.OR(domains[status] for status in value if status in domains)

    def _search(self, domain, *args, active_test=True, **kwargs):
        """Finds revoked connections wherever a status is asked for: it implies as much as ``active`` does."""
        domain = Domain(domain)
        if any(condition.field_expr == "status" for condition in domain.iter_conditions()):
            active_test = False
        return super()._search(domain, *args, active_test=active_test, **kwargs)

    def _field_to_sql(self, alias, field_expr, query=None):
        """The status in SQL as well, so that lists can be grouped and sorted by what is not stored."""
        if field_expr != "status":
            return super()._field_to_sql(alias, field_expr, query)
        self._check_field_access(self._fields["status"], "read")
        return SQL(
            "CASE WHEN %(active)s IS NOT TRUE THEN 'revoked' WHEN %(used)s IS NULL THEN 'awaiting'"
            " WHEN %(used)s < %(border)s THEN 'idle' ELSE 'connected' END",
            active=self._field_to_sql(alias, "active", query),
            used=self._field_to_sql(alias, "last_used", query),
            border=self._idle_since(),
        )

    @api.depends("user_id", "kind")
    def _compute_user_refused(self):
        # sudo: archived users and group membership are judged for every reader
        for connection in self.sudo():
            connection.user_refused = bool(connection.user_id) and not connection._user_may_be_acted_as()

    def _user_may_be_acted_as(self):
        """An OAuth client takes a user who may connect AI tools; a key was made by an administrator."""
        user = self.user_id
        return users.may_connect(user) if self.kind == "oauth" else user._mcp_may_be_acted_as()

    def _search_user_refused(self, operator, value):
        if operator != "in":
            return NotImplemented
        # sudo: as above
        everyone = self.env["res.users"].sudo().with_context(active_test=False)
        members = everyone._search([("all_group_ids", "in", self.env.ref(users.GROUP).ids)])
        refused = Domain("user_id", "in", everyone._search(everyone._mcp_refused_domain()))
        refused |= Domain("kind", "=", "oauth") & Domain("user_id", "not in", members)
        return Domain.OR(refused if wanted else ~refused for wanted in value)

    @api.depends("active", "user_refused")
    @api.depends_context("lang")
    def _compute_user_warning(self):
        for connection in self:
            refused = connection.active and connection.user_refused
            connection.user_warning = self.env._("User refused") if refused else False

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

    # === Counters ===

    def _check_not_counted(self, vals):
        if not self.env.su and any(name in vals for name in COUNTED):
            raise UserError(
                self.env._("What a connection was used for is counted by the MCP server itself and can't be changed.")
            )

    def _count_use(self, rows):
        """Adds audit entries, which are stored in the same transaction, to what was counted before."""
        used = {}
        for row in rows:
            if row["connection_id"]:
                _add(used.setdefault(row["connection_id"], _unused(row["connection_id"])), row)
        if used:
            # in one order everywhere, so that two sidecars don't wait for each other
            ordered = [used[connection_id] for connection_id in sorted(used)]
            self.env.cr.execute_values(_COUNT, ordered, template=_TEMPLATE, page_size=len(ordered))
            self.invalidate_model(COUNTED, flush=False)

    # === Statistics ===

    def _compute_requests_today(self):
        today = self._own_logs() & Domain("create_date", ">=", self._midnight())
        counts = dict(self.env["mcp.audit.log"]._read_group(today, ["connection_id"], ["count:sum"]))
        for connection in self:
            connection.requests_today = counts.get(connection.id, 0)

    def _midnight(self):
        """When today began where the company is."""
        now = datetime.now(ZoneInfo(self.env["mcp.server.settings"]._company_tz()))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.astimezone(UTC).replace(tzinfo=None)

    def _compute_log_count(self):
        counts = dict(self.env["mcp.audit.log"]._read_group(self._own_logs(), ["connection_id"], ["__count"]))
        for connection in self:
            connection.log_count = counts.get(connection.id, 0)

    def _compute_session_count(self):
        counts = dict(self.env["mcp.session"]._read_group(self._live_sessions(), ["connection_id"], ["__count"]))
        for connection in self:
            connection.session_count = counts.get(connection._origin, 0)

    def _own_logs(self):
        return Domain("connection_id", "in", self.ids)

    def _live_sessions(self):
        return Domain("connection_id", "in", self.ids) & Domain("live", "=", True)

    # === Actions ===

    def action_open_logs(self):
        return self._action_of("mcp_audit_log_action", self._own_logs())

    def action_open_sessions(self):
        return self._action_of("mcp_session_action", self._live_sessions())

    def _action_of(self, name, domain):
        """The action that lists what a counter counts."""
        action = self.env["ir.actions.act_window"]._for_xml_id(f"mcp_sidecar.{name}")
        # the domain says it all: a filter could be taken away, and then the numbers would differ
        return action | {"domain": list(domain), "context": {}}


def _unused(connection_id):
    return {"id": connection_id, "requests": 0, "refusals": 0, "let_in": None, "ip": None, "client": None}


def _add(use, row):
    use["requests"] += row["count"]
    if row["status"] == "refused":
        use["refusals"] += row["count"]
        return
    if use["let_in"] is None or use["let_in"] <= row["create_date"]:
        use["let_in"] = row["create_date"]
        use["ip"] = row["ip_address"] or use["ip"]
        use["client"] = row["client"] or use["client"]
