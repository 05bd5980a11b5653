from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..gateway.audit import ingest

# How long a session that has ended stays in the list.
KEPT_FOR = timedelta(days=7)

# A session belongs to a live connection and its user, or it is none that lives. What was ended in Odoo stays ended,
# unless it is of the modern era and was used since: there is no session then that could be refused, only a connection.
_STORE = """
    INSERT INTO mcp_session AS known (
           session_id, connection_id, user_id, client, ip_address, era, created, last_activity, request_count,
           active, replica
    )
    SELECT reported.session_id, connection.id, connection.user_id, reported.client, reported.ip, reported.era,
           reported.created, least(reported.last_activity, now() AT TIME ZONE 'UTC'), reported.requests,
           reported.live AND connection.active AND users.active AND NOT users.share, reported.replica
      FROM (VALUES %s) AS reported(
           session_id, connection_id, user_id, client, ip, era, created, last_activity, requests, live, replica
      )
      JOIN mcp_connection AS connection
        ON connection.id = reported.connection_id AND connection.user_id = reported.user_id
      JOIN res_users AS users ON users.id = reported.user_id
        ON CONFLICT (session_id) DO UPDATE
       SET client = excluded.client, ip_address = excluded.ip_address, replica = excluded.replica,
           last_activity = greatest(known.last_activity, excluded.last_activity),
           request_count = excluded.request_count,
           active = excluded.active AND (
               known.ended_at IS NULL OR (known.era = 'modern' AND excluded.last_activity > known.ended_at)
           ),
           ended_at = CASE
               WHEN excluded.active AND known.era = 'modern' AND excluded.last_activity > known.ended_at THEN NULL
               ELSE known.ended_at
           END
     WHERE known.connection_id = excluded.connection_id AND known.user_id = excluded.user_id
"""
_TEMPLATE = """(
    %(session)s, %(connection)s, %(user)s, %(client)s, %(ip)s, %(era)s, %(created)s::timestamp,
    %(last_activity)s::timestamp, %(requests)s, %(live)s, %(replica)s
)"""


class McpSession(models.Model):
    _name = "mcp.session"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Session"
    _log_access = False
    _rec_name = "session_id"
    _order = "last_activity desc, id desc"

    session_id = fields.Char(string="Session", required=True, readonly=True, help="The id of the session.")
    connection_id = fields.Many2one(
        "mcp.connection",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        help="The connection that the AI tool used.",
    )
    user_id = fields.Many2one(
        "res.users",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        help="The user that the AI tool acts as.",
    )
    client = fields.Char(readonly=True, help="Name and version that the AI tool gave itself.")
    ip_address = fields.Char(string="IP Address", readonly=True, help="Where its last request came from.")
    era = fields.Selection(
        [("legacy", "Legacy"), ("modern", "Modern")],
        required=True,
        readonly=True,
        help="Legacy: a session of the MCP versions that have such. Modern: newer versions have none; all requests of "
        "one AI tool over one connection are shown as one.",
    )
    created = fields.Datetime(string="Created on", required=True, readonly=True, help="When its first request came.")
    last_activity = fields.Datetime(required=True, readonly=True, help="When its last request came.")
    request_count = fields.Integer(string="Requests", readonly=True, help="How many requests it has made so far.")
    active = fields.Boolean(readonly=True, help="Whether the session is open, as of the last sync of its sidecar.")
    ended_at = fields.Datetime(
        string="Deactivated on",
        readonly=True,
        help="When it was ended in Odoo: by its button, or with its connection or user.",
    )
    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The id of the sidecar that serves it.")
    live = fields.Boolean(
        string="Live",
        compute="_compute_live",
        search="_search_live",
        help="Active, and its sidecar synced its sessions within the last 15 seconds.",
    )

    _session_unique = models.UniqueIndex("(session_id)")
    _active_index = models.Index("(replica) WHERE active")

    # === Whether it lives ===

    @api.depends("active", "replica")
    def _compute_live(self):
        replicas = set(self.env["mcp.replica"]._telling_of_sessions())
        for session in self:
            session.live = session.active and session.replica in replicas

    def _search_live(self, operator, value):
        if operator != "in":
            return NotImplemented
        live = Domain("active", "=", True) & Domain("replica", "in", self.env["mcp.replica"]._telling_of_sessions())
        return Domain.OR(live if wanted else ~live for wanted in value)

    # === Session sync ===

    def _store(self, replica, reported):
        if reported:
            # SQL, as hundreds may come every few seconds
            rows = [{**session, **_moments(session), "replica": replica} for session in reported]
            self.env.cr.execute_values(_STORE, rows, template=_TEMPLATE, page_size=len(rows))
            self.invalidate_model(flush=False)

    def _forget_others(self, replica, session_ids):
        """Ends all sessions of a sidecar but those."""
        self.env.cr.execute(
            "UPDATE mcp_session SET active = FALSE WHERE replica = %s AND active AND session_id != ALL(%s)",
            [replica, session_ids],
        )
        self.invalidate_model(["active", "live"], flush=False)

    def _active_of(self, session_ids):
        """Those of the ids whose sessions have not ended."""
        self.env.cr.execute("SELECT session_id FROM mcp_session WHERE active AND session_id = ANY(%s)", [session_ids])
        return {session_id for (session_id,) in self.env.cr.fetchall()}

    def _ended_of(self, row_ids):
        """The sessions of those rows. One that was used since has begun anew; what it was at the click has ended."""
        if not row_ids:
            return []
        self.env.cr.execute(
            "SELECT session_id FROM mcp_session WHERE id = ANY(%s) ORDER BY session_id",
            [row_ids],
        )
        return [session_id for (session_id,) in self.env.cr.fetchall()]

    # === Ending ===

    def action_deactivate(self):
        """Ends the sessions, on every sidecar."""
        # access rules decide which sessions a user sees; each of these may be ended
        self.check_access("read")
        # sudo: that is all that anybody can change of a session
        self.filtered("active").sudo()._end()
        return True

    def _end(self):
        # SQL, as an AI tool may archive a user, and may write nothing here
        self.env.cr.execute(
            "UPDATE mcp_session SET active = FALSE, ended_at = now() AT TIME ZONE 'UTC' WHERE id = ANY(%s)", [self.ids]
        )
        self.invalidate_recordset(flush=False)
        for session in self:
            self.env["mcp.event"]._publish("session", session.id)

    @api.model
    def _end_of_refused(self, users=None):
        """Ends the sessions of those users, else of all, who may no longer be acted as."""
        domain = Domain("active", "=", True)
        if users is not None:
            domain &= Domain("user_id", "in", users.ids)
        # sudo: changing users and groups takes no right to see sessions
        sessions = self.sudo().search(domain)
        sessions.filtered(lambda session: not session.connection_id._user_may_be_acted_as())._end()

    @api.model
    def _delete_ended(self):
        """Deletes sessions that ended, or whose sidecar fell silent, some days ago."""
        old = Domain("last_activity", "<", fields.Datetime.now() - KEPT_FOR)
        self.with_context(active_test=False).search(old & Domain("live", "=", False)).unlink()


def _moments(session):
    return {name: ingest.parse_instant(session[name]) for name in ("created", "last_activity")}
