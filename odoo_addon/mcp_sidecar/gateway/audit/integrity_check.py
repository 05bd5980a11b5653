"""Tamper detection for the audit log: what a sidecar polls every few seconds, and the alarms that it reports.

Odoo's own role owns the tables, so that server code can do anything to them: what the database refuses is a hurdle,
what holds is detection. A sidecar keeps the newest number and hash of its chain in its own file, where no code of Odoo
reaches, compares them with the answers here and is the judge of them.
"""

from . import hash_chain

# How many entries are hashed again each time: a few milliseconds, and a log of a million is through in an hour.
MAX_HASHED_ENTRIES = 2000


def check(env, request):
    replica = request["replica"].lower()
    state = hash_chain.state(env, replica, request.get("seen"))
    alarms = env["mcp.audit.alarm"]
    alarms._raise(replica, request["alarms"])
    return {
        "chain": state.document(),
        "gap": hash_chain.gap(env, replica, state),
        "window": hash_chain.window(env, replica, state, request["after"], MAX_HASHED_ENTRIES),
        "acknowledged": alarms._acknowledged_of(replica, [alarm["id"] for alarm in request["alarms"]]),
    }
