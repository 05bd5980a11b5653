"""Session sync: stores the sessions that a sidecar reports, and answers which of them were ended in Odoo."""


def sync(env, request):
    replica = request["replica"].lower()
    # the last word on a session counts
    latest = {session["session"]: session for session in request["sessions"]}
    sessions = env["mcp.session"]
    sessions._store(replica, list(latest.values()))
    if request["complete"]:
        sessions._forget_others(replica, [name for name, session in latest.items() if session["live"]])
    env["mcp.replica"]._mark_synced(replica)
    live = [name for name, session in latest.items() if session["live"]]
    active = sessions._active_of(live)
    return {"ended": [name for name in live if name not in active]}
