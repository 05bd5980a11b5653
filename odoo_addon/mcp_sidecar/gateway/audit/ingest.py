"""Idempotent ingestion of a sidecar's audit spool: each entry is stored exactly once, in the order of its chain.

An entry that could not be stored would be sent again for ever and keep all others back. So only what breaks the
contract is refused: a deleted connection or user is none, and a text that is too long was cut when it was read.
"""

import json
from datetime import datetime, timedelta

from odoo import fields

from .. import redaction
from . import hash_chain

# How long after its request a write of unknown outcome may still be carried out: longer than its deadline.
_MAX_RUNTIME = timedelta(seconds=60)


def append(env, request):
    replica = request["replica"].lower()
    # first of all, as it keeps others of the same sidecar from storing the same entries
    tip = env["mcp.audit.checkpoint"]._lock_tip(replica)
    entries, pending = _resolved(env, _not_stored(env, request["entries"]))
    rows = _rows(env, replica, entries)
    for row in rows:
        tip = hash_chain.append(tip, row)
    if rows:
        env["mcp.audit.log"]._store(rows)
        env["mcp.audit.checkpoint"]._move_tip(replica, tip)
        env["mcp.connection"]._count_use(rows)
    # read after storing: what stands at the number that the sidecar knows is not among what it sent now
    state = hash_chain.state(env, replica, request.get("seen"))
    return {"stored": len(rows), "pending": pending, "chain": state.document()}


def _not_stored(env, entries):
    """The entries that aren't stored yet, each once."""
    once = {}
    for entry in entries:
        once.setdefault(entry["id"].lower(), entry)
    stored = env["mcp.audit.log"]._stored_of(list(once))
    return [entry for request_id, entry in once.items() if request_id not in stored]


# === Writes of unknown outcome ===


def _resolved(env, entries):
    """The entries to store, with what became of their calls, and the ids of those whose calls are still running."""
    settled, pending = [], []
    for entry in entries:
        state = _state(env, entry)
        if state == "running":
            pending.append(entry["id"])
        elif state == "done":
            settled.append({**entry, "status": "success", "reason": None, "error": None})
        else:
            settled.append(entry)
    return settled, pending


def _state(env, entry):
    if not entry["call_id"] or not entry["connection"]:
        return None
    state, _results = env["mcp.call"]._state(entry["connection"], entry["call_id"])
    if state == "unknown" and fields.Datetime.now() - parse_instant(entry["time"]) < _MAX_RUNTIME:
        # it may lie in Odoo's queue, or sleep between two tries
        return "running"
    return state


# === Rows ===


def _rows(env, replica, entries):
    # sudo: the service account may read nothing; whose entry it is has to stay readable when they are gone
    connections = _names(env["mcp.connection"].sudo(), {entry["connection"] for entry in entries})
    users = _names(env["res.users"].sudo(), {entry["user"] for entry in entries})
    now = fields.Datetime.now()
    return [_row(replica, entry, connections, users, now) for entry in entries]


def _names(model, ids):
    found = model.with_context(active_test=False).search_fetch([("id", "in", [i for i in ids if i])], ["name"])
    return {record.id: record.name for record in found}


def _row(replica, entry, connections, users, now):
    return {
        "replica": replica,
        "request_id": entry["id"].lower(),
        # an entry from the future would keep all after it from ever being deleted
        "create_date": min(parse_instant(entry["time"]), now),
        "method": entry["method"],
        "tool": entry["tool"],
        "model": entry["model"],
        "res_ids": json.dumps(entry["res_ids"]) if entry["res_ids"] else None,
        "user_id": entry["user"],
        "user_name": users.get(entry["user"]),
        "connection_id": entry["connection"],
        "connection_name": connections.get(entry["connection"]),
        "session_id": entry["session"],
        "client": entry["client"],
        "ip_address": entry["ip"],
        "status": entry["status"],
        "reason": entry["reason"],
        # an older sidecar kept what code in Odoo had raised as it was
        "error": entry["error"] and redaction.redact(entry["error"]),
        "duration_ms": entry["duration_ms"],
        "count": entry["count"],
        "request_payload": entry["request"],
        "response_summary": entry["response"],
    }


def parse_instant(instant):
    """An instant of the contract as Odoo stores it."""
    return datetime.fromisoformat(instant).replace(tzinfo=None)
