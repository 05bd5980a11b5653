"""What a sidecar tells of its sessions, and which of them were ended in Odoo."""


def sync(env, asked):
    replica = asked["replica"].lower()
    # the last word on a session counts
    told = {session["session"]: session for session in asked["sessions"]}
    sessions = env["mcp.session"]
    sessions._store(replica, list(told.values()))
    if asked["complete"]:
        sessions._forget_others(replica, [name for name, session in told.items() if session["live"]])
    env["mcp.replica"]._synced(replica)
    live = [name for name, session in told.items() if session["live"]]
    active = sessions._active_of(live)
    return {"ended": [name for name in live if name not in active]}
