from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from odoo import fields, models
from odoo.fields import Domain


class McpConnectionStatistics(models.AbstractModel):
    """What a connection was used for, counted when somebody looks at it."""

    _name = "mcp.connection.statistics"
    _description = "Statistics of an MCP Connection"

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
        return self._action_of("action_mcp_audit_log", self._own_logs())

    def action_open_sessions(self):
        return self._action_of("action_mcp_session", self._live_sessions())

    def _action_of(self, name, domain):
        """The action that lists what a counter counts."""
        action = self.env["ir.actions.act_window"]._for_xml_id(f"mcp_sidecar.{name}")
        # the domain says it all: a filter could be taken away, and then the numbers would differ
        return action | {"domain": list(domain), "context": {}}
