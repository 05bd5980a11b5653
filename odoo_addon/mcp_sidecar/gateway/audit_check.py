"""What a sidecar asks every few seconds to find out whether the audit log was tampered with, and what it reports.

Odoo's own role owns the tables, so that server code can do anything to them: what the database refuses is a hurdle,
what holds is detection. A sidecar keeps the newest number and hash of its chain in its own file, where no code of Odoo
reaches, compares them with the answers here and is the judge of them.
"""

from . import chain

# How many entries are hashed again each time: a few milliseconds, and a log of a million is through in an hour.
MOST_HASHED = 2000


def check(env, asked):
    replica = asked["replica"].lower()
    state = chain.state(env, replica, asked.get("seen"))
    alarms = env["mcp.audit.alarm"]
    alarms._raise(replica, asked["alarms"])
    return {
        "chain": state.document(),
        "gap": chain.gap(env, replica, state),
        "window": chain.window(env, replica, state, asked["after"], MOST_HASHED),
        "acknowledged": alarms._acknowledged_of(replica, [alarm["id"] for alarm in asked["alarms"]]),
    }
