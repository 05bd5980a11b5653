"""Acts of people in Odoo, as entries of the audit log: a chain of their own beside those of the sidecars."""

import uuid

from odoo import fields

from ..rpc import remote_address
from . import hash_chain

# The chain that Odoo itself writes; those of sidecars are named by UUIDs.
REPLICA = "odoo"


def record(env, method, connection=None, client=None, error=None):
    """Stores that the current user did something; it counts as no request of the connection."""
    # sudo: a connection's name is part of the entry, for every user who acts
    connection = connection.sudo() if connection else None
    row = {
        "replica": REPLICA,
        "request_id": str(uuid.uuid4()),
        "create_date": fields.Datetime.now(),
        "method": method,
        "user_id": env.uid,
        # sudo: as the connection's
        "user_name": env.user.sudo().name,
        "connection_id": connection.id if connection else None,
        "connection_name": connection.name if connection else None,
        "client": client,
        "ip_address": remote_address.remote_address(),
        "status": "success",
        "error": error,
        "count": 0,
    }
    row = dict.fromkeys(hash_chain.COLUMNS) | row
    # sudo: the log is written by the addon, for every user who acts
    checkpoints, log = env["mcp.audit.checkpoint"].sudo(), env["mcp.audit.log"].sudo()
    checkpoints._move_tip(REPLICA, hash_chain.append(checkpoints._lock_tip(REPLICA), row))
    log._store([row])
