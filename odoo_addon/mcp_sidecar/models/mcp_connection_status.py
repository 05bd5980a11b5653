from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models
from odoo.fields import Domain

IDLE_AFTER = timedelta(days=7)
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

    @api.depends("user_id")
    def _compute_user_refused(self):
        # sudo: archived users and group membership are judged whoever asks
        for connection in self.sudo():
            connection.user_refused = bool(connection.user_id) and not connection.user_id._mcp_may_be_acted_as()

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
