import json

from odoo import api, fields, models

from ..gateway.rpc import faults

# That a call was made is remembered for long; what it answered holds all that a method has answered, and is deleted
# as soon as no retry should need it any more. A lost answer is asked for within minutes; a key is for clients that come
# back later.
KEPT_FOR = "7 days"
ANSWERS_KEPT_FOR = "1 hour"
KEYED_ANSWERS_KEPT_FOR = "1 day"
# In characters. What is longer is not kept at all: it was sent, and the database should not store it for that.
LONGEST_ANSWER = 1_000_000

# The lock shows others that the call is running, as long as its transaction lasts. In a repeatable-read transaction a
# row that another transaction has just committed makes the INSERT fail with a serialization error: Odoo then retries
# the call, and the second run finds the stored answer.
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
_FORGET = """
    UPDATE mcp_call SET results = NULL
     WHERE results IS NOT NULL
       AND created < now() AT TIME ZONE 'UTC'
                   - CASE WHEN idempotency_key IS NULL THEN %(kept)s::interval ELSE %(kept_keyed)s::interval END
"""


class McpCall(models.Model):
    """Idempotency records: writes that were done, so that none is done twice.

    The row is written in the transaction of the call itself: it exists exactly if the call's changes do. One without
    results is of a call whose answer was forgotten, or was too long to be kept.
    """

    _name = "mcp.call"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Call"
    _log_access = False
    _rec_name = "call_id"

    # plain, as a foreign key would either block the connection's deletion or lock its row with every call
    connection_id = fields.Integer(required=True)
    call_id = fields.Char(required=True)
    idempotency_key = fields.Char()
    digest = fields.Char(required=True, help="SHA-256 of what the call was to do.")
    results = fields.Text(help="What the call answered, as JSON, while it is kept.")
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
        return self._replayed(self.env.cr.fetchone(), request, digest)

    def _replayed(self, row, request, digest):
        stored_digest, results = row
        if stored_digest != digest:
            raise faults.GatewayError(
                "idempotency_conflict", "This idempotency key was already used with other arguments."
            )
        if results is None:
            raise faults.bad_request(
                "idempotency_key" if request["idempotency_key"] else "call_id",
                "This call was made before and is not made again. Its answer is no longer kept: read the records to "
                "see what it did.",
            )
        return json.loads(results)

    @api.model
    def _finish(self, connection_id, call_id, results):
        text = json.dumps(results, ensure_ascii=False, allow_nan=False)
        if len(text) > LONGEST_ANSWER:
            return
        self.env.cr.execute(
            "UPDATE mcp_call SET results = %s WHERE connection_id = %s AND call_id = %s",
            [text, connection_id, call_id],
        )

    @api.model
    def _state(self, connection_id, call_id):
        """What became of a call, and its results where it is done and they are still kept."""
        self.env.cr.execute(
            "SELECT pg_try_advisory_xact_lock_shared(hashtextextended(%s, 0))",
            [self._lock_name(connection_id, call_id)],
        )
        if not self.env.cr.fetchone()[0]:
            return "running", None
        row = self._committed(connection_id, call_id)
        return ("done", row[0] and json.loads(row[0])) if row else ("unknown", None)

    def _committed(self, connection_id, call_id):
        # This transaction's snapshot may be older than the call's commit. Now that the lock is free, one taken from
        # here on can't be.
        with self.env.registry.cursor() as cr:
            cr.execute(
                "SELECT results FROM mcp_call WHERE connection_id = %s AND call_id = %s", [connection_id, call_id]
            )
            return cr.fetchone()

    def _lock_name(self, connection_id, call_id):
        return f"mcp.call {connection_id} {call_id}"

    @api.model
    def _forget_answers(self):
        """Run by a scheduled action of its own, as Odoo's daily cleaning would come too late."""
        self.env.cr.execute(_FORGET, {"kept": ANSWERS_KEPT_FOR, "kept_keyed": KEYED_ANSWERS_KEPT_FOR})

    @api.autovacuum
    def _gc_calls(self):
        self.env.cr.execute("DELETE FROM mcp_call WHERE created < now() AT TIME ZONE 'UTC' - %s::interval", [KEPT_FOR])
