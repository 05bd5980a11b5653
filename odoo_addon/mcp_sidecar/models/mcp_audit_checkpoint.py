from odoo import fields, models

from ..gateway.audit import hash_chain

# In a repeatable-read transaction this fails with a serialization error where another request of the same sidecar has
# moved the tip since: Odoo then runs the whole request again, and it finds what the other one stored.
_LOCK_TIP = """
    INSERT INTO mcp_audit_checkpoint AS tip (replica, place, sequence, hash, create_date)
    VALUES (%(replica)s, 'tip', 0, '', now() AT TIME ZONE 'UTC')
        ON CONFLICT (replica, place) DO UPDATE SET sequence = tip.sequence
    RETURNING sequence, hash
"""
_MOVE = """
    INSERT INTO mcp_audit_checkpoint (replica, place, sequence, hash, create_date)
    VALUES (%(replica)s, %(place)s, %(sequence)s, %(hash)s, now() AT TIME ZONE 'UTC')
        ON CONFLICT (replica, place) DO UPDATE
       SET sequence = excluded.sequence, hash = excluded.hash, create_date = excluded.create_date
"""


class McpAuditCheckpoint(models.Model):
    """Checkpoints: where the hash chain of each sidecar starts and ends, kept apart from the entries.

    Two rows a sidecar rather than one, since both ends move at the same time: one as entries come, one as old ones go.
    """

    _name = "mcp.audit.checkpoint"
    _inherit = ["mcp.protected.mixin", "mcp.append.only.mixin"]
    _description = "MCP Audit Checkpoint"
    _log_access = False
    _rec_name = "replica"
    _order = "replica, place"

    replica = fields.Char(string="Sidecar", required=True, readonly=True, help="The sidecar whose entries these are.")
    place = fields.Selection(
        [("start", "Deleted up to"), ("tip", "Newest")],
        required=True,
        readonly=True,
        help="Deleted up to: the last entry that the retention has deleted. Newest: the last entry that was stored.",
    )
    sequence = fields.Integer(readonly=True, aggregator=None, help="The number of that entry.")
    hash = fields.Char(readonly=True, help="The hash of that entry, from which the next one's is made.")
    create_date = fields.Datetime(string="Changed on", readonly=True, help="When this row was last moved on.")

    _place_unique = models.UniqueIndex("(replica, place)")

    # === Moving on ===

    def _lock_tip(self, replica):
        """The newest link of a sidecar's chain; locked against other writers until the transaction ends."""
        self.env.cr.execute(_LOCK_TIP, {"replica": replica})
        return hash_chain.Link(*self.env.cr.fetchone())

    def _move_tip(self, replica, link):
        self._move(replica, "tip", link)

    def _move_start(self, replica, link):
        self._move(replica, "start", link)

    def _move(self, replica, place, link):
        self.env.cr.execute(_MOVE, {"replica": replica, "place": place, **link._asdict()})
        self.invalidate_model(flush=False)

    # === Questions ===

    def _ends(self, replica):
        """The links that a sidecar's chain has to lead from and to."""
        self.env.cr.execute("SELECT place, sequence, hash FROM mcp_audit_checkpoint WHERE replica = %s", [replica])
        ends = {place: hash_chain.Link(*link) for place, *link in self.env.cr.fetchall()}
        return ends.get("start", hash_chain.START), ends.get("tip", hash_chain.START)
