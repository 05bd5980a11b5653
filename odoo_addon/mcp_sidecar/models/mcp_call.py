import json

from odoo import api, fields, models

from ..gateway import faults

KEPT_FOR = "7 days"

# The lock tells others that the call is running, as long as its transaction lasts. In a repeatable-read transaction a
# row that somebody else has just committed makes the INSERT fail with a serialization error: Odoo then runs the call
# again, and the second run finds the stored answer.
_BEGIN = """
    WITH running AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 0))
    )
    INSERT INTO mcp_call (connection_id, call_id, idempotency_key, digest, created)
    SELECT %(connection)s, %(call)s, %(key)s, %(digest)s, now() AT TIME ZONE 'UTC' FROM running
        ON CONFLICT DO NOTHING
    RETURNING id
"""
_STORED = """
    SELECT digest, results FROM mcp_call
     WHERE connection_id = %(connection)s AND (call_id = %(call)s OR idempotency_key = %(key)s)
     ORDER BY call_id = %(call)s DESC
     LIMIT 1
"""


class McpCall(models.Model):
    """Writes that were done, so that none is done twice.

    The row is written in the transaction of the call itself: it exists exactly if the call's changes do.
    """

    _name = "mcp.call"
    _inherit = ["mcp.own"]
    _description = "MCP Call"
    _log_access = False
    _rec_name = "call_id"

    # plain, as a foreign key would either block the connection's deletion or lock its row with every call
    connection_id = fields.Integer(required=True)
    call_id = fields.Char(required=True)
    idempotency_key = fields.Char()
    digest = fields.Char(required=True, help="SHA-256 of what the call was to do.")
    results = fields.Text(help="What the call answered, as JSON.")
    created = fields.Datetime(required=True, index=True)

    _call_unique = models.UniqueIndex("(connection_id, call_id)")
    _key_unique = models.UniqueIndex("(connection_id, idempotency_key) WHERE idempotency_key IS NOT NULL")

    @api.model
    def _begin(self, connection_id, request, digest):
        """Claims a call. Answers None where it is new, else the results of the first time."""
        names = {
            "lock": self._lock_name(connection_id, request["call_id"]),
            "connection": connection_id,
            "call": request["call_id"],
            "key": request["idempotency_key"],
            "digest": digest,
        }
        self.env.cr.execute(_BEGIN, names)
        if self.env.cr.fetchone():
            return None
        self.env.cr.execute(_STORED, names)
        return self._replayed(self.env.cr.fetchone(), digest)

    def _replayed(self, row, digest):
        stored_digest, results = row
        if stored_digest != digest:
            raise faults.GatewayError(
                "idempotency_conflict", "This idempotency key was already used with other arguments."
            )
        return json.loads(results)

    @api.model
    def _finish(self, connection_id, call_id, results):
        self.env.cr.execute(
            "UPDATE mcp_call SET results = %s WHERE connection_id = %s AND call_id = %s",
            [json.dumps(results, ensure_ascii=False, allow_nan=False), connection_id, call_id],
        )

    @api.model
    def _state(self, connection_id, call_id):
        """What became of a call, and its results where it is done."""
        self.env.cr.execute(
            "SELECT pg_try_advisory_xact_lock_shared(hashtextextended(%s, 0))",
            [self._lock_name(connection_id, call_id)],
        )
        if not self.env.cr.fetchone()[0]:
            return "running", None
        results = self._committed_results(connection_id, call_id)
        return ("unknown", None) if results is None else ("done", results)

    def _committed_results(self, connection_id, call_id):
        # This transaction's snapshot may be older than the call's commit. Now that the lock is free, one taken from
        # here on can't be.
        with self.env.registry.cursor() as cr:
            cr.execute(
                "SELECT results FROM mcp_call WHERE connection_id = %s AND call_id = %s", [connection_id, call_id]
            )
            row = cr.fetchone()
        return row and json.loads(row[0])

    def _lock_name(self, connection_id, call_id):
        return f"mcp.call {connection_id} {call_id}"

    @api.autovacuum
    def _gc_calls(self):
        self.env.cr.execute("DELETE FROM mcp_call WHERE created < now() AT TIME ZONE 'UTC' - %s::interval", [KEPT_FOR])
