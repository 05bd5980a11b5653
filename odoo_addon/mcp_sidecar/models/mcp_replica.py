from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models

from ..gateway.sync import public_urls

ALIVE_FOR = timedelta(seconds=60)
# How exact last_seen is, so that a replica that asks every second doesn't rewrite its row each time.
SEEN_EVERY = timedelta(seconds=15)
MOST_ALIVE = 16
# A sidecar with sessions reports them every 5 seconds: one that was silent for this long has none.
SESSIONS_LIVE_FOR = timedelta(seconds=15)

ENDPOINT_PATH = "/odoo/mcp"
ENDPOINT_STATES = [
    ("none", "No sidecar has announced a public address yet"),
    ("lost", "The sidecar of that address is silent"),
    ("one", "Announced by every sidecar"),
    ("several", "Sidecars announce different addresses"),
]

_REGISTER = """
    INSERT INTO mcp_replica
           (replica, version, public_url, wake_url, wake_secret, address, contract, last_seen)
    SELECT %(replica)s, %(version)s, %(public_url)s, %(wake_url)s, %(wake_secret)s, %(address)s, %(contract)s,
           date_trunc('second', now() AT TIME ZONE 'UTC')
     WHERE (
           SELECT count(*) FROM mcp_replica
            WHERE last_seen > now() AT TIME ZONE 'UTC' - %(alive_for)s AND replica != %(replica)s
     ) < %(most)s
        ON CONFLICT (replica) DO UPDATE
       SET version = excluded.version, public_url = excluded.public_url, wake_url = excluded.wake_url,
           wake_secret = excluded.wake_secret, address = excluded.address, contract = excluded.contract,
           last_seen = excluded.last_seen
    RETURNING id
"""
_SEEN = """
    UPDATE mcp_replica SET last_seen = date_trunc('second', now() AT TIME ZONE 'UTC')
     WHERE id IN (
           SELECT id FROM mcp_replica
            WHERE replica = %(replica)s AND last_seen < now() AT TIME ZONE 'UTC' - %(seen_every)s
              FOR NO KEY UPDATE SKIP LOCKED
     )
"""
_SYNCED = """
    UPDATE mcp_replica SET sessions_seen = now() AT TIME ZONE 'UTC'
     WHERE id IN (SELECT id FROM mcp_replica WHERE replica = %(replica)s FOR NO KEY UPDATE SKIP LOCKED)
"""


class McpReplica(models.Model):
    _name = "mcp.replica"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Sidecar"
    _log_access = False
    _rec_name = "replica"
    _order = "last_seen desc, id"

    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The id that a sidecar gave itself.")
    version = fields.Char(readonly=True, help="The version of the sidecar.")
    contract = fields.Integer(readonly=True, help="The version of the agreement between sidecar and addon.")
    public_url = fields.Char(string="Public URL", readonly=True, help="The address that AI tools reach the sidecar at.")
    wake_url = fields.Char(
        string="Wake-up URL",
        readonly=True,
        help="Where Odoo announces changes to. Empty: the sidecar asks for them instead.",
    )
    # in clear, as it signs; readable by no user over RPC
    wake_secret = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="What Odoo signs its wake-ups with.",
    )
    address = fields.Char(readonly=True, help="Where the sidecar's last hello came from.")
    last_seen = fields.Datetime(readonly=True, help="When the sidecar was last in contact, to a few seconds.")
    sessions_seen = fields.Datetime(readonly=True, help="When the sidecar last synced its sessions.")
    alive = fields.Boolean(compute="_compute_alive", help="Whether the sidecar was in contact within the last minute.")

    _replica_unique = models.UniqueIndex("(replica)", "This sidecar is registered already.")

    @api.depends("last_seen")
    def _compute_alive(self):
        since = fields.Datetime.now() - ALIVE_FOR
        for replica in self:
            replica.alive = bool(replica.last_seen and replica.last_seen > since)

    @api.model
    def _endpoint(self):
        """Where AI tools connect to, or False, and how sure that is: a key of ``ENDPOINT_STATES``.

        That is the confirmed address. Only where there is none yet the sidecar that registered last is believed.
        """
        # sudo: the public address is no secret, the list of sidecars is for administrators
        known = self.sudo().search([("public_url", "!=", False)], order="last_seen desc, id desc")
        alive = known.filtered("alive").sorted("id", reverse=True)
        # sudo: the address is for all who connect tools, the settings are for administrators
        settings = self.env["mcp.server.settings"].sudo().search([], limit=1)
        if confirmed := public_urls.normalized(settings.public_url):
            return confirmed + ENDPOINT_PATH, self._confirmed_state(confirmed, alive, settings._refused_urls())
        chosen = (alive or known)[:1]
        if not chosen:
            return False, "none"
        url = chosen._endpoint_url()
        if not alive:
            return url, "lost"
        return url, "one" if {one._endpoint_url() for one in alive} == {url} else "several"

    @api.model
    def _confirmed_state(self, confirmed, alive, refused):
        announced = {public_urls.normalized(replica.public_url) for replica in alive} - refused
        if confirmed not in announced:
            return "lost"
        return "one" if announced == {confirmed} else "several"

    def _endpoint_url(self):
        return self.public_url.rstrip("/") + ENDPOINT_PATH

    @api.model
    def _register_replica(self, **values):
        """Remembers a sidecar that said hello; answers whether there was room for it."""
        self.env.cr.execute(_REGISTER, {**values, "alive_for": ALIVE_FOR, "most": MOST_ALIVE})
        return bool(self.env.cr.fetchone())

    @api.model
    def _mark_seen(self, replica):
        """Remembers that a sidecar asked something just now."""
        self._stamp(_SEEN, {"replica": replica, "seen_every": SEEN_EVERY})

    @api.model
    def _mark_synced(self, replica):
        """Records that a sidecar has just synced its sessions."""
        self._stamp(_SYNCED, {"replica": replica})

    def _stamp(self, query, values):
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(query, values)
        except errors.SerializationFailure:
            return  # another request of the same sidecar has just done it
        self.invalidate_model(["last_seen", "sessions_seen"], flush=False)

    @api.model
    def _telling_of_sessions(self):
        """The ids of the sidecars whose sessions live."""
        # sudo: a user who sees a session may know whether it is live
        since = fields.Datetime.now() - SESSIONS_LIVE_FOR
        return self.sudo().search([("sessions_seen", ">", since)]).mapped("replica")

    @api.autovacuum
    def _gc_replicas(self):
        # The last one stays: a database that has seen a sidecar is not one that waits for its first.
        self.env.cr.execute(
            """
            DELETE FROM mcp_replica
             WHERE last_seen < now() AT TIME ZONE 'UTC' - interval '1 day'
               AND id != (SELECT id FROM mcp_replica ORDER BY last_seen DESC NULLS LAST, id DESC LIMIT 1)
            """
        )
