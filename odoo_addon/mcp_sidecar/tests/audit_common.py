"""What the tests of audit log and sessions share: entries and sessions as a sidecar tells of them."""

import uuid

REPLICA = "5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70"
OTHER = "6e2d3b45-0f9c-4d7e-9a21-3c4d5e6f7081"


def entry(**changes):
    """One audit entry: a successful call of nobody, unless changed."""
    return {
        "id": str(uuid.uuid4()),
        "time": "2026-01-15T13:30:00.125Z",
        "method": "tools/call",
        "tool": "search_read",
        "model": "res.partner",
        "res_ids": [],
        "connection": None,
        "user": None,
        "session": None,
        "client": "claude-code 2.1.0",
        "ip": "203.0.113.9",
        "status": "success",
        "reason": None,
        "error": None,
        "duration_ms": 12,
        "count": 1,
        "call_id": None,
        "request": None,
        "response": None,
        **changes,
    }


def session(connection, **changes):
    """A live legacy session of a connection, unless changed."""
    return {
        "session": str(uuid.uuid4()),
        "connection": connection.id,
        "user": connection.user_id.id,
        "client": "claude-code 2.1.0",
        "ip": "203.0.113.9",
        "era": "legacy",
        "created": "2026-01-15T13:00:00Z",
        "last_activity": "2026-01-15T13:30:00Z",
        "requests": 12,
        "live": True,
        **changes,
    }


def register(env, replica=REPLICA):
    """A sidecar that said hello."""
    told = {"version": "1", "public_url": "https://odoo.example.com", "wake_url": None, "wake_secret": None}
    env["mcp.replica"]._register_replica(replica=replica, address="127.0.0.1", contract=1, **told)


class AuditAsking:
    """Appending and finding entries; mixed into the gateway's test cases."""

    def append(self, *entries, replica=REPLICA, env=None):
        """What became of the entries; where the chain stands is for the tests of the alarms."""
        answer = self.ask("append_audit", {"replica": replica, "entries": list(entries)}, env=env)
        answer.pop("chain")
        return answer

    def log(self, *entries):
        """What is stored of these entries, in their order."""
        logs = self.env["mcp.audit.log"].search([("request_id", "in", [told["id"] for told in entries])])
        by_id = {log.request_id: log for log in logs}
        return [by_id[told["id"]] for told in entries]

    def sync(self, *sessions, replica=REPLICA, complete=False, env=None):
        asked = {"replica": replica, "complete": complete, "sessions": list(sessions)}
        return self.ask("sync_sessions", asked, env=env)["ended"]

    def register(self, replica=REPLICA):
        register(self.env, replica)
