from odoo import api, fields, models
from odoo.tools.sql import table_columns

from ..gateway.sync import outbox_cursor, wakeup

_PENDING = "mcp_sidecar.events"
_COLUMNS = {"kind", "ref", "created"}

_SOURCE = """
    SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'),
           (SELECT system_identifier FROM pg_control_system())
               || '.' || (SELECT oid FROM pg_database WHERE datname = current_database()),
           pg_current_snapshot()::text,
           extract(epoch FROM clock_timestamp())::bigint
"""
# Rows of transactions that the old snapshot didn't show and this transaction's does.
_SINCE = """
    SELECT DISTINCT kind, ref FROM mcp_event
     WHERE xid >= pg_snapshot_xmin(%(snapshot)s::pg_snapshot)
       AND NOT pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)
"""


class McpEvent(models.Model):
    """Transactional outbox: changes that the sidecars poll for, written by the transaction that made them."""

    _name = "mcp.event"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Event"
    _log_access = False
    _order = "id"

    kind = fields.Selection(
        [
            ("settings", "Settings"),
            ("connection", "Connection"),
            ("session", "Session"),
            ("schema", "Schema"),
            ("check", "Connection Check"),
        ],
        required=True,
    )
    ref = fields.Integer()
    created = fields.Datetime(required=True, index=True)

    def init(self):
        # Odoo has no such type of field. The column says which transaction a row belongs to, in a form that never
        # wraps around.
        self.env.cr.execute("""
            ALTER TABLE mcp_event ADD COLUMN IF NOT EXISTS xid xid8 NOT NULL DEFAULT pg_current_xact_id();
            ALTER TABLE mcp_event ALTER COLUMN xid SET NOT NULL;
            CREATE INDEX IF NOT EXISTS mcp_event_xid_index ON mcp_event (xid);
        """)

    # === Writing ===

    @api.model
    def _publish(self, kind, ref=None):
        """Publishes a change to all sidecars, once this transaction commits."""
        precommit = self.env.cr.precommit
        if _PENDING not in precommit.data:
            precommit.data[_PENDING] = {}
            precommit.add(self._write_pending)
        precommit.data[_PENDING][kind, ref] = True

    def _write_pending(self):
        noted = self.env.cr.precommit.data.pop(_PENDING, {})
        if ("schema", None) in noted and not table_columns(self.env.cr, self._table).keys() >= _COLUMNS:
            return  # this addon is being uninstalled, column by column
        self.env.cr.execute_values(
            "INSERT INTO mcp_event (kind, ref, created) VALUES %s",
            [(kind, ref) for kind, ref in noted],
            template="(%s, %s, clock_timestamp() AT TIME ZONE 'UTC')",
        )
        self.env.cr.postcommit.add(wakeup.announcer(self.env.cr.dbname))

    # === Reading ===

    @api.model
    def _source(self):
        self.env.cr.execute(_SOURCE)
        return outbox_cursor.Source(*self.env.cr.fetchone())

    @api.model
    def _since(self, snapshot):
        """The events after a snapshot, as pairs of kind and ref."""
        self.env.cr.execute(_SINCE, {"snapshot": snapshot})
        return self.env.cr.fetchall()

    @api.autovacuum
    def _gc_events(self):
        self.env.cr.execute(
            "DELETE FROM mcp_event WHERE created < now() AT TIME ZONE 'UTC' - %s * interval '1 hour'",
            [outbox_cursor.ROW_HOURS],
        )
