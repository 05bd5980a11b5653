import json
from datetime import timedelta
from itertools import takewhile

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..gateway.audit import hash_chain

# What the counter of Server Settings counts, and opens.
LAST_WEEK = [("create_date", ">=", "now -7d")]
# How many entries a transaction of the retention deletes.
BATCH = 5000

_STORED = (*hash_chain.COLUMNS, "hash")
_STORE = f"INSERT INTO mcp_audit_log ({', '.join(_STORED)}) VALUES %s"

# A hurdle against mistakes and against the ORM, no protection from server code: that runs as the role that owns the
# table, and can set the flag or disable the trigger. What it does then is detected, see
# `gateway.audit.integrity_check`.
_DEFINE_GUARD = """
    CREATE OR REPLACE FUNCTION mcp_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND current_setting('mcp_sidecar.retention', true) = 'on' THEN
            RETURN NULL;
        END IF;
        RAISE EXCEPTION 'The audit log can only be added to.' USING ERRCODE = 'restrict_violation';
    END $$;
    DROP TRIGGER IF EXISTS mcp_audit_guard ON mcp_audit_log;
    CREATE TRIGGER mcp_audit_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON mcp_audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION mcp_audit_guard();
"""


class McpAuditLog(models.Model):
    """Audit log: the requests of AI tools and their outcome. Sidecars append to it, and detect other changes."""

    _name = "mcp.audit.log"
    _inherit = ["mcp.protected.mixin", "mcp.append.only.mixin"]
    _description = "MCP Audit Log"
    _log_access = False
    _order = "create_date desc, id desc"

    create_date = fields.Datetime(
        string="Time", required=True, readonly=True, help="When the request came; of a sum, the first one."
    )
    request_id = fields.Char(string="Request", required=True, readonly=True, help="The id of the request.")
    method = fields.Char(
        readonly=True,
        help="The MCP method. Empty: the request was refused before it was read.",
    )
    tool = fields.Char(readonly=True, help="The tool that was called.")
    model = fields.Char(readonly=True, help="The model that the tool was to work with.")
    res_ids = fields.Text(
        string="Record IDs",
        readonly=True,
        help="The ids of the records that the request was about, the first 100 of them, as a JSON list.",
    )
    # Plain ids: a foreign key would either keep users and connections from being deleted, or rewrite the log.
    user_id = fields.Integer(
        string="User ID", readonly=True, aggregator=None, help="The id of the user that the AI tool acted as."
    )
    user_name = fields.Char(string="User", readonly=True, help="The name of that user at the time.")
    connection_id = fields.Integer(
        string="Connection ID", readonly=True, aggregator=None, help="The id of the connection that was used."
    )
    connection_name = fields.Char(
        string="Connection", readonly=True, help="The name of that connection when the entry was stored."
    )
    session_id = fields.Char(string="Session", readonly=True, help="The id of the MCP session.")
    client = fields.Char(readonly=True, help="Name and version that the AI tool gave itself.")
    ip_address = fields.Char(
        string="IP Address",
        readonly=True,
        help="Where the request came from; of a sum over several addresses, their network.",
    )
    status = fields.Selection(
        [("success", "Success"), ("error", "Error"), ("refused", "Refused"), ("abandoned", "Abandoned")],
        required=True,
        readonly=True,
        help="Success: answered. Error: the tool answered that it failed. Refused: it was not let through. "
        "Abandoned: it ended without an answer.",
    )
    reason = fields.Char(readonly=True, help="Why it failed or was refused, in a word that programs can rely on.")
    error = fields.Text(readonly=True, help="The error that the AI tool was answered.")
    duration_ms = fields.Integer(
        string="Duration (ms)",
        readonly=True,
        aggregator="avg",
        help="How long the request took; of a sum, the longest.",
    )
    count = fields.Integer(
        string="Requests",
        required=True,
        readonly=True,
        help="How many requests of the same kind this entry stands for.",
    )
    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The id of the sidecar.")
    sequence = fields.Integer(
        string="Number",
        required=True,
        readonly=True,
        aggregator=None,
        help="The number of the entry among those of its sidecar, without gaps.",
    )
    hash = fields.Char(
        required=True,
        readonly=True,
        help="SHA-256 of this entry and of the hash of the one before it, so that a change of the log shows.",
    )
    request_payload = fields.Text(
        string="Request Payload",
        readonly=True,
        help="What was asked, cut and with secrets masked. Empty unless payloads are logged.",
    )
    response_summary = fields.Text(
        string="Response Summary",
        readonly=True,
        help="What was answered, cut and with secrets masked. Empty unless payloads are logged.",
    )

    _request_unique = models.UniqueIndex("(request_id)")
    _place_unique = models.UniqueIndex("(replica, sequence)")
    # each for a list that opens newest first
    _newest_index = models.Index("(create_date DESC, id DESC)")
    _connection_index = models.Index("(connection_id, create_date DESC, id DESC)")
    _user_index = models.Index("(user_id, create_date DESC, id DESC)")
    _status_index = models.Index("(status, create_date DESC, id DESC)")
    _session_index = models.Index("(session_id) WHERE session_id IS NOT NULL")

    def init(self):
        self.env.cr.execute(_DEFINE_GUARD)

    @api.depends("method", "tool")
    def _compute_display_name(self):
        for entry in self:
            entry.display_name = entry.tool or entry.method or self.env._("Request that was not read")

    # === Adding ===

    def _stored_of(self, request_ids):
        """Those of the ids that are stored already."""
        self.env.cr.execute("SELECT request_id FROM mcp_audit_log WHERE request_id = ANY(%s)", [request_ids])
        return {request_id for (request_id,) in self.env.cr.fetchall()}

    def _store(self, rows):
        """Adds rows, complete with their place in the chain."""
        # SQL, as the ORM adds nothing to this table for any user
        values = [[row[name] for name in _STORED] for row in rows]
        self.env.cr.execute_values(_STORE, values, page_size=len(values))

    # === Retention ===

    @api.model
    def _delete_old(self):
        """Deletes what is older than Server Settings say, in batches with a commit after each."""
        days = self.env["mcp.server.settings"].get_settings().audit_retention_days
        if not days:
            return
        before = fields.Datetime.now() - timedelta(days=days)
        for replica in self._replicas():
            while deleted := self._delete_batch(replica, before):
                if not self.env["ir.cron"]._commit_progress(deleted, remaining=1):
                    return  # Odoo goes on with the rest at once
        self.env["ir.cron"]._commit_progress(remaining=0)

    def _delete_batch(self, replica, before):
        """Deletes the oldest entries of a chain, up to the first one to keep; answers how many."""
        self.env.cr.execute(
            """
            SELECT sequence, hash, create_date < %(before)s
              FROM mcp_audit_log WHERE replica = %(replica)s ORDER BY sequence LIMIT %(batch)s
            """,
            {"replica": replica, "before": before, "batch": BATCH},
        )
        old = [hash_chain.Link(*link) for *link, _old in takewhile(lambda row: row[2], self.env.cr.fetchall())]
        if old:
            self.env.cr.execute(
                """
                SELECT set_config('mcp_sidecar.retention', 'on', true);
                DELETE FROM mcp_audit_log WHERE replica = %s AND sequence <= %s;
                SELECT set_config('mcp_sidecar.retention', '', true);
                """,
                [replica, old[-1].sequence],
            )
            self.env["mcp.audit.checkpoint"]._move_start(replica, old[-1])
            self.invalidate_model(flush=False)
        return len(old)

    def _replicas(self):
        """All sidecars that there are entries or checkpoints of."""
        # the index of chains is walked from one sidecar to the next, however many entries lie between
        self.env.cr.execute(
            """
            WITH RECURSIVE walked AS (
                   SELECT min(replica) AS replica FROM mcp_audit_log
                   UNION ALL
                   SELECT (SELECT min(replica) FROM mcp_audit_log WHERE replica > walked.replica)
                     FROM walked WHERE walked.replica IS NOT NULL
            )
            SELECT replica FROM walked WHERE replica IS NOT NULL
             UNION SELECT replica FROM mcp_audit_checkpoint
             ORDER BY replica
            """
        )
        return [replica for (replica,) in self.env.cr.fetchall()]

    # === Actions ===

    def action_verify(self):
        """Checks all chains and shows what came of it."""
        return self.env["mcp.audit.verify"]._action_verify()

    def action_open_records(self):
        """The records that the entry is about, as far as they are there and may be seen."""
        self.ensure_one()
        ids = json.loads(self.res_ids or "[]")
        model = self.env.get(self.model) if self.model else None
        if not ids or model is None or model._abstract:
            raise UserError(self.env._("There are no records of this entry any more: their model is gone."))
        if not model.has_access("read"):
            raise UserError(self.env._("You may not see records of the model %s.", self.model))
        found = model.with_context(active_test=False).search([("id", "in", ids)])
        if not found:
            raise UserError(self.env._("The records of this entry are deleted, or you may not see them."))
        action = {
            "type": "ir.actions.act_window",
            "name": model._description,
            "res_model": self.model,
            "domain": [("id", "in", found.ids)],
            "context": {"active_test": False},
            "views": [(False, "list"), (False, "form")],
        }
        if len(found) == 1:
            action |= {"res_id": found.id, "views": [(False, "form")]}
        return action

    def action_open_connection(self):
        self.ensure_one()
        connections = self.env["mcp.connection"].with_context(active_test=False)
        connection = connections.search([("id", "=", self.connection_id)])
        if not connection:
            raise UserError(self.env._("The connection of this entry is deleted, or you may not see it."))
        return {
            "type": "ir.actions.act_window",
            "name": connection.name,
            "res_model": connection._name,
            "res_id": connection.id,
            "views": [(False, "form")],
        }
