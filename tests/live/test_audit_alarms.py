"""Server code and SQL tamper with the audit log: the sidecar raises an alarm within seconds, and only then."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.audit import Log
from support.database import Database
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Wire

READ = {"model": "res.partner", "domain": [], "fields": ["name"], "limit": 1}
COLUMNS = (
    *("sequence", "replica", "request_id", "create_date", "method", "tool", "model", "res_ids", "user_id", "user_name"),
    *("connection_id", "connection_name", "session_id", "client", "ip_address", "status", "reason", "error"),
    *("duration_ms", "count", "request_payload", "response_summary"),
)


class Alarms:
    """Alarms in Odoo and in the sidecar's own words."""

    def __init__(self, odoo: Odoo, admin_url: str) -> None:
        self._odoo = odoo
        self._admin_url = admin_url

    def open(self) -> list[dict[str, Any]]:
        """What no administrator has acknowledged yet."""
        fields = ["kind", "sequence", "missing", "replica", "found"]
        return self._odoo.call("mcp.audit.alarm", "search_read", [["acknowledged_on", "=", False]], fields)

    def told(self) -> int:
        """What `/readyz` says, which stays 200."""
        answer = httpx.get(f"{self._admin_url}/readyz", trust_env=False)
        assert answer.status_code == 200, "an alarm is no reason to stop serving"
        return answer.json()["audit"]["open_alarms"]

    def raised(self, kind: str) -> dict[str, Any]:
        """The alarm of that kind, once there is one and the sidecar says so too."""
        alarm = until(lambda: next((one for one in self.open() if one["kind"] == kind), None), f"an alarm: {kind}", 30)
        assert self.told() >= 1
        return alarm

    def acknowledge(self) -> None:
        """Close all of them, as an administrator does, until the sidecar knows of none."""
        until(self._is_quiet, "the sidecar knows that all alarms are acknowledged", 60)

    def _is_quiet(self) -> bool:
        if ids := [alarm["id"] for alarm in self.open()]:
            self._odoo.call("mcp.audit.alarm", "write", ids, {"note": "A live test did this."})
            self._odoo.call("mcp.audit.alarm", "action_acknowledge", ids)
        return self.told() == 0


@pytest.fixture
def alarms(stack: Stack, odoo: Odoo, full: Wire) -> Iterator[Alarms]:
    """No alarm before the test, and none left behind."""
    found = Alarms(odoo, stack.admin_url)
    assert (found.open(), found.told()) == ([], 0), "nothing was done to this log so far"
    yield found
    # The end that is missing is a gap as soon as entries follow it, which is found anew.
    for _turn in range(4):
        found.acknowledge()
        full.call("search_read", **READ)
        time.sleep(8)
        if not found.open():
            break


@pytest.fixture
def database(stack: Stack) -> Database:
    """The database as the role that Odoo uses."""
    return Database(stack)


@pytest.fixture
def entries(odoo: Odoo, connect: Callable) -> list[dict[str, Any]]:
    """Some entries of the running sidecar, the newest of the log."""
    connection = connect()
    for _turn in range(5):
        assert not connection.wire.call("search_read", **READ).failed
    found = Log(odoo, connection.id).holding(5)
    ids = [entry["id"] for entry in found]
    return odoo.call("mcp.audit.log", "read", ids, ["replica", "sequence"])


def run_server_code(odoo: Odoo, code: str) -> None:
    """What a Settings administrator may write into a server action."""
    model = odoo.search("ir.model", [["model", "=", "res.partner"]])[0]
    values = {"name": f"live-{uuid.uuid4().hex[:8]}", "model_id": model, "state": "code", "code": code}
    action = odoo.call("ir.actions.server", "create", values)
    try:
        odoo.call("ir.actions.server", "run", [action])
    finally:
        odoo.call("ir.actions.server", "unlink", [action])


def settled(alarms: Alarms, wire: Wire) -> None:
    """Entries come and are checked twice: whatever is wrong would be found by then."""
    for _turn in range(3):
        wire.call("search_read", **READ)
        time.sleep(4)
    assert (alarms.open(), alarms.told()) == ([], 0)


def test_server_code_that_sets_the_flag_of_the_retention(alarms: Alarms, odoo: Odoo, entries: list) -> None:
    victim = entries[1]
    code = f"""
env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
env.cr.execute("DELETE FROM mcp_audit_log WHERE id = {victim["id"]}")
"""
    run_server_code(odoo, code)
    alarm = alarms.raised("missing")
    assert (alarm["sequence"], alarm["missing"], alarm["replica"]) == (victim["sequence"], 1, victim["replica"])
    settings = odoo.call("mcp.server.settings", "get_settings")
    assert odoo.read("mcp.server.settings", settings[0], "alarm_count")["alarm_count"] >= 1


def test_the_newest_entry_and_an_alarm_that_is_deleted_with_it(
    alarms: Alarms, database: Database, entries: list
) -> None:
    newest = max(entries, key=lambda entry: entry["sequence"])
    database.sql(
        "ALTER TABLE mcp_audit_log DISABLE TRIGGER mcp_audit_guard",
        f"DELETE FROM mcp_audit_log WHERE replica = '{newest['replica']}' AND sequence >= {newest['sequence']}",
        "ALTER TABLE mcp_audit_log ENABLE TRIGGER mcp_audit_guard",
    )
    assert alarms.raised("lowered")["sequence"] >= newest["sequence"]
    database.sql("DELETE FROM mcp_audit_alarm WHERE acknowledged_on IS NULL")
    alarms.raised("lowered")


def test_a_chain_that_was_made_anew(alarms: Alarms, odoo: Odoo, database: Database, entries: list) -> None:
    replica = entries[0]["replica"]
    _rebuild(database, replica, entries[0]["sequence"])
    verify = odoo.call("mcp.audit.log", "action_verify", [])
    lines = odoo.call("mcp.audit.verify", "read", [verify["res_id"]], ["line_ids"])[0]["line_ids"]
    of = {line["replica"]: line["kind"] for line in odoo.call("mcp.audit.verify.line", "read", lines)}
    assert of[replica] != "changed", "the hashes are all right again"
    assert alarms.raised("changed")["replica"] == replica


def test_the_method_of_the_retention_with_another_date(alarms: Alarms, odoo: Odoo, entries: list) -> None:
    replica = entries[0]["replica"]
    run_server_code(odoo, f"env['mcp.audit.log']._delete_batch('{replica}', datetime.datetime.now())")
    assert alarms.raised("deleted")["replica"] == replica


def test_the_retention_itself_and_everyday_work_raise_nothing(
    stack: Stack, alarms: Alarms, odoo: Odoo, full: Wire, entries: list
) -> None:
    assert entries
    cron = odoo.call("ir.model.data", "search_read", [["name", "=", "ir_cron_delete_old_audit_entries"]], ["res_id"])
    odoo.call("ir.cron", "method_direct_trigger", [cron[0]["res_id"]])
    settled(alarms, full)
    # A restart of either side, and one of them without the other.
    stack.stop_odoo()
    stack.up()
    with stack.fresh_sidecar():
        until(lambda: _ready(stack), "the fresh sidecar is ready", 30)
    settled(alarms, full)


def _ready(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.admin_url}/readyz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _rebuild(database: Database, replica: str, sequence: int) -> None:
    """Changes an entry and hashes it and all that follow anew, checkpoint included."""
    guard = "TRIGGER mcp_audit_guard"
    before = database.sql(f"SELECT hash FROM mcp_audit_log WHERE replica = '{replica}' AND sequence = {sequence - 1}")
    columns = ", ".join(
        "to_char(create_date, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')" if name == "create_date" else name for name in COLUMNS
    )
    changes = [
        f"ALTER TABLE mcp_audit_log DISABLE {guard}",
        f"UPDATE mcp_audit_log SET tool = 'forged' WHERE replica = '{replica}' AND sequence = {sequence}",
    ]
    database.sql(*changes)
    text = database.sql(
        f"SELECT json_build_array({columns}) FROM mcp_audit_log"
        f" WHERE replica = '{replica}' AND sequence >= {sequence} ORDER BY sequence"
    )
    statements, digest = [], before
    for line in text.splitlines():
        row = json.loads(line)
        told = "".join(_told(name, value) for name, value in zip(COLUMNS, row, strict=True))
        digest = hashlib.sha256(f"{digest}{told}".encode()).hexdigest()
        statements.append(
            f"UPDATE mcp_audit_log SET hash = '{digest}' WHERE replica = '{replica}' AND sequence = {row[0]}"
        )
    statements.append(
        f"UPDATE mcp_audit_checkpoint SET hash = '{digest}', sequence = {row[0]}"
        f" WHERE replica = '{replica}' AND place = 'tip'"
    )
    database.sql(*statements, f"ALTER TABLE mcp_audit_log ENABLE {guard}")


def _told(name: str, value: Any) -> str:
    if value is None:
        return "-;"
    if name == "create_date":
        return value
    return f"{value};" if isinstance(value, int) else f"{len(value.encode())}:{value}"
