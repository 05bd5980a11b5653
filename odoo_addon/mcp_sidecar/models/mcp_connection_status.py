from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

# last_used is exact to this, so that a busy connection doesn't rewrite its row with every request.
TOUCH_EVERY = timedelta(seconds=60)


class McpConnectionStatus(models.AbstractModel):
    """Whether a connection is in use."""

    _name = "mcp.connection.status"
    _description = "Status of an MCP Connection"

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
        help="Says so where the AI tool is refused although the connection isn't revoked: its user is archived or is "
        "no internal user any more.",
    )
    last_used = fields.Datetime(
        readonly=True,
        copy=False,
        help="When the AI tool was last let in, to the minute.",
    )

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
        # sudo: whoever sees a connection may know whether it is idle
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
        """Finds revoked connections wherever a status is asked for: it tells as much as ``active`` does."""
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

    @api.depends("user_id")
    def _compute_user_refused(self):
        # sudo: archived users and group membership are judged whoever asks
        for connection in self.sudo():
            connection.user_refused = bool(connection.user_id) and not connection.user_id._mcp_may_be_acted_as()

    def _search_user_refused(self, operator, value):
        if operator != "in":
            return NotImplemented
        # sudo: as above
        users = self.env["res.users"].sudo().with_context(active_test=False)
        refused = Domain("user_id", "in", users._search(users._mcp_refused_domain()))
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
