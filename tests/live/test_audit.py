"""Each request is in the audit log, once: seen by counting, through outages and kills of both sides."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.audit import Log, counts
from support.credentials import mistyped
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Session, Wire

READ = {"model": "res.partner", "fields": ["name"], "limit": 1}


def attempt(wire: Wire, tool: str, **arguments: object) -> Reply | None:
    """A call whose client may lose its answer."""
    try:
        return wire.call(tool, **arguments)
    except httpx.HTTPError:
        return None


def test_calls_are_told_with_what_they_did(odoo: Odoo, connect: Callable, tag: str) -> None:
    connection = connect()
    made = connection.wire.call("create_record", model="res.partner", values={"name": f"{tag} one"}).data
    partner = odoo.search("res.partner", [["name", "=", f"{tag} one"]])[0]
    connection.wire.call("get_record", model="res.partner", id=partner, fields=["name"])
    assert made
    created, read = Log(odoo, connection.id).holding(2)
    assert (created["tool"], created["model"], created["status"]) == ("create_record", "res.partner", "success")
    assert str(partner) in created["res_ids"], created
    assert str(partner) in read["res_ids"], read
    for entry in (created, read):
        assert (entry["method"], entry["user_id"], entry["count"]) == ("tools/call", odoo.user_id, 1)
        assert (entry["client"], entry["ip_address"]) == ("live tests 1", "127.0.0.1")
        assert entry["duration_ms"] >= 0
        assert not entry["request_payload"], "payloads are not logged unless asked for"
        assert not entry["response_summary"], "payloads are not logged unless asked for"


def test_every_kind_of_outcome_is_counted(odoo: Odoo, connect: Callable) -> None:
    connection = connect(scope="read_only")
    wire = connection.wire
    for _turn in range(3):
        assert wire.request("tools/list").status == 200
    assert wire.call("search_read", **READ).status == 200
    assert wire.call("search_read", model="no.such.model").failed
    assert wire.call("search_read", model="res.partner", fields=["no_such_field"]).failed
    assert "error" in wire.call("create_record", model="res.partner", values={}).message
    assert "error" in wire.call("no_such_tool").message
    log = Log(odoo, connection.id)
    log.holding(8)
    assert log.total(method="tools/list", status="success") == 3
    assert log.total(tool="search_read", status="success") == 1
    assert log.total(tool="search_read", status="error") == 2
    assert log.total(status="refused") == 2
    until(lambda: counts(odoo.read, connection.id) == (8, 2), "the counters of the connection match its log")


def test_limits_are_audited_to_the_last_refusal(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"rate_limit_day": 20})
    statuses: list[int] = []
    until(lambda: _limited(connection.wire, statuses), "the limit counts")

    def client(_number: int) -> list[int]:
        wire = Wire(connection.wire.url, connection.key)
        try:
            return [wire.request("tools/list").status for _turn in range(4)]
        finally:
            wire.close()

    with ThreadPoolExecutor(10) as pool:
        for found in pool.map(client, range(10)):
            statuses += found
    log = Log(odoo, connection.id)
    log.holding(len(statuses))
    assert log.total(status="success") == statuses.count(200)
    assert log.total(status="refused") == statuses.count(429)


def _limited(wire: Wire, statuses: list[int]) -> bool:
    statuses.append(wire.request("tools/list").status)
    return statuses[-1] == 429


def test_wrong_keys_are_summed(stack: Stack, odoo: Odoo, full: Wire) -> None:
    def refused() -> int:
        domain = [["status", "=", "refused"], ["connection_id", "=", False]]
        return sum(entry["count"] for entry in odoo.call("mcp.audit.log", "search_read", domain, ["count"]))

    before = refused()
    wire = Wire(stack.mcp_url, mistyped(full.key))
    assert {wire.request("tools/list").status for _turn in range(30)} <= {401, 429}
    wire.close()
    until(lambda: refused() >= before + 30, "all refusals are in the log", seconds=90, pause=0.5)


@pytest.fixture
def payloads(odoo: Odoo, settings_id: int) -> Iterator[None]:
    """Payloads are logged for the time of a test."""
    odoo.call("mcp.server.settings", "write", [settings_id], {"log_payloads": True})
    time.sleep(1)
    yield
    odoo.call("mcp.server.settings", "write", [settings_id], {"log_payloads": False})


@pytest.mark.usefixtures("payloads")
def test_payloads_are_logged_without_secrets(odoo: Odoo, connect: Callable, tag: str) -> None:
    connection = connect()
    values = {"name": f"{tag} secret", "comment": f"the key is {connection.key}, keep it"}
    connection.wire.call("create_record", model="res.partner", values=values)
    connection.wire.call("search_read", model="res.partner", domain=[["name", "=", f"{tag} secret"]], fields=["name"])
    written, read = Log(odoo, connection.id).holding(2)
    assert f"{tag} secret" in written["request_payload"]
    assert f"{tag} secret" in read["response_summary"]
    for entry in (written, read):
        assert connection.key not in f"{entry['request_payload']}{entry['response_summary']}", "a key is in the log"


def test_an_outage_loses_nothing(stack: Stack, odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    assert not connection.wire.call("search_read", **READ).failed
    stack.stop_odoo()
    try:
        replies = [connection.wire.call("search_read", **READ) for _turn in range(8)]
    finally:
        stack.up()
    answered = [reply for reply in replies if reply.status == 200]
    assert answered, "a known connection is served while Odoo is away"
    Log(odoo, connection.id).holding(1 + len(replies))


@pytest.mark.timeout(600)
def test_kills_lose_nothing_and_repeat_nothing(stack: Stack, odoo: Odoo, connect: Callable, tag: str) -> None:
    """Writes go on while first the sidecar is killed, then Odoo, then both."""
    connection = connect()
    replies: dict[str, Reply | None] = {}
    for round_number, victims in enumerate((["sidecar"], ["odoo"], ["sidecar", "odoo"])):
        names = [f"{tag} {round_number}-{number}" for number in range(40)]
        with ThreadPoolExecutor(4) as pool:
            working = [pool.submit(_create, connection.wire.url, connection.key, name) for name in names]
            time.sleep(0.4)
            for victim in victims:
                _kill(stack, victim)
            stack.up()
            for name, work in zip(names, working, strict=True):
                replies[name] = work.result()
        until(lambda: _works(connection.wire), "calls work again", seconds=90, pause=0.5)
    made = odoo.count("res.partner", [["name", "=like", f"{tag} %"]])
    log = Log(odoo, connection.id)
    until(lambda: log.total(tool="create_record", status="success") >= made, "all writes are in the log", seconds=90)
    # A sidecar that has just started knows nobody yet: what it refuses then is told of nobody. Of a change that Odoo
    # does not know either the log waits a minute to be told, since it may still be running.
    answered = sum(reply is not None and reply.status == 200 for reply in replies.values())
    until(lambda: log.total(tool="create_record") >= answered, "all that was answered is in the log", seconds=120)
    time.sleep(3)
    written = log.entries(tool="create_record", status="success")
    assert len(written) == made, f"{made} records, {len(written)} successful entries"
    assert len({entry["request_id"] for entry in written}) == made
    told = sum(reply is not None and reply.status == 200 and not reply.failed for reply in replies.values())
    assert told <= made
    everything = log.total(tool="create_record")
    assert answered <= everything <= len(replies), (answered, everything, len(replies))


def _create(url: str, key: str, name: str) -> Reply | None:
    wire = Wire(url, key)
    try:
        return attempt(wire, "create_record", model="res.partner", values={"name": name})
    finally:
        wire.close()


def _kill(stack: Stack, victim: str) -> None:
    if victim == "sidecar":
        os.kill(stack.sidecar_pid(), signal.SIGKILL)
        return
    group = os.getpgid(stack.odoo_pid())
    assert group != os.getpgid(0), "Odoo must not share a process group with this test"
    os.killpg(group, signal.SIGKILL)


def _works(wire: Wire) -> bool:
    reply = attempt(wire, "search_read", **READ)
    return bool(reply and reply.status == 200 and not reply.failed)


def test_the_log_is_whole_and_nobody_changes_it(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    assert not connection.wire.call("search_read", **READ).failed
    [entry] = Log(odoo, connection.id).holding(1)
    for method, arguments in (("write", [{"status": "refused"}]), ("unlink", []), ("copy", [])):
        with pytest.raises(Exception, match=r"(?s)Fault"):
            odoo.call("mcp.audit.log", method, [entry["id"]], *arguments)
    with pytest.raises(Exception, match=r"(?s)Fault"):
        odoo.call("mcp.audit.log", "create", {"method": "tools/call"})
    assert Log(odoo, connection.id).entries() == [entry]


def test_sessions_are_rows_and_end_when_told(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    session = Session(connection.wire)
    assert session.request("tools/list").status == 200
    connection.wire.request("tools/list")

    def rows() -> list[dict]:
        fields = ["session_id", "era", "client", "user_id", "request_count", "active"]
        return odoo.call("mcp.session", "search_read", [["connection_id", "=", connection.id]], fields)

    until(lambda: {row["era"] for row in rows()} == {"legacy", "modern"}, "both eras have a row")
    legacy = next(row for row in rows() if row["era"] == "legacy")
    assert (legacy["session_id"], legacy["client"]) == (session.id, "live tests 1")
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(_read_to_the_end, session)
        time.sleep(0.3)
        odoo.call("mcp.session", "action_deactivate", [legacy["id"]])
        stream.result(timeout=15)
    until(lambda: session.request("tools/list").status == 404, "the session has ended")
    assert connection.wire.request("tools/list").status == 200, "the connection lives on"


def _read_to_the_end(session: Session) -> None:
    with session.stream() as answer:
        for _line in answer.iter_lines():
            pass


def test_no_dead_session_is_counted(stack: Stack, odoo: Odoo, settings_id: int, connect: Callable) -> None:
    connection = connect()
    Session(connection.wire).request("tools/list")

    def live() -> int:
        return odoo.count("mcp.session", [["connection_id", "=", connection.id], ["live", "=", True]])

    until(lambda: live() == 1, "the session is counted")
    assert odoo.read("mcp.server.settings", settings_id, "session_count")["session_count"] >= 1
    os.kill(stack.sidecar_pid(), signal.SIGKILL)
    until(lambda: live() == 0, "a dead sidecar has no live sessions", seconds=40, pause=0.5)
    stack.up()
    assert live() == 0


def test_revoking_ends_the_sessions(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    session = Session(connection.wire)
    rows = [["connection_id", "=", connection.id], ["live", "=", True]]
    until(lambda: odoo.count("mcp.session", rows) == 1, "the session has a row")
    odoo.call("mcp.connection", "action_revoke", [connection.id])
    assert odoo.count("mcp.session", rows) == 0
    until(lambda: session.request("tools/list").status == 401, "nobody gets in any more")
