"""A crash of either side in the middle of a write: the write is made once, or not at all.

Processes are killed, not the machine: the development PostgreSQL runs with fsync off, so that nothing here speaks of a
loss of power.
"""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Wire

COUNT = 300


def write_and_crash(wire: Wire, arguments: dict, crash: Callable[[], None]) -> None:
    """Start a batch that takes a while, and crash something before it is done."""
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(_attempt, wire, arguments)
        time.sleep(0.2)
        crash()
        reply.result()


def _attempt(wire: Wire, arguments: dict) -> Reply | None:
    try:
        return wire.call("batch_create", **arguments)
    except httpx.HTTPError:
        return None


def repeated(wire: Wire, arguments: dict) -> Reply:
    """The same call again, until it succeeds."""
    return until(
        lambda: (reply := _attempt(wire, arguments)) and reply.status == 200 and not reply.failed and reply,
        "the write can be repeated with its key",
        seconds=90,
        pause=0.5,
    )


@pytest.fixture
def arguments(tag: str) -> dict:
    records = [{"name": f"{tag} {number}"} for number in range(COUNT)]
    return {"model": "res.partner", "records": records, "idempotency_key": f"{tag}-crash"}


def assert_made_once(odoo: Odoo, tag: str, reply: Reply) -> None:
    stored = odoo.search("res.partner", [["name", "=like", f"{tag} %"]])
    assert len(stored) == COUNT, f"{len(stored)} records instead of {COUNT}"
    assert sorted(row["id"] for row in reply.data["created"]) == sorted(stored), "the answer names other records"


def test_odoo_killed_in_mid_write(stack: Stack, odoo: Odoo, full: Wire, arguments: dict, tag: str) -> None:
    group = os.getpgid(stack.odoo_pid())
    assert group != os.getpgid(0), "Odoo must not share a process group with this test"

    def crash() -> None:
        os.killpg(group, signal.SIGKILL)
        stack.up()

    write_and_crash(full, arguments, crash)
    assert_made_once(odoo, tag, repeated(full, arguments))


def test_sidecar_killed_in_mid_write(stack: Stack, odoo: Odoo, full: Wire, arguments: dict, tag: str) -> None:
    write_and_crash(full, arguments, lambda: os.kill(stack.sidecar_pid(), signal.SIGKILL))
    stack.up()
    assert_made_once(odoo, tag, repeated(full, arguments))


def test_a_fresh_sidecar_is_never_open_while_switched_off(
    stack: Stack, odoo: Odoo, settings_id: int, full: Wire
) -> None:
    odoo.call("mcp.server.settings", "write", [settings_id], {"enabled": False})
    until(lambda: full.request("tools/list").status == 503, "requests are refused")
    with stack.fresh_sidecar():
        # From its first breath on: before it has heard of Odoo's settings, and after.
        answers = [status for _turn in range(200) if (status := _status(full))]
        until(lambda: _code(full) == 1001, "it says that it is switched off")
    assert set(answers) == {503}, f"a fresh sidecar let requests through while switched off: {set(answers)}"
    odoo.call("mcp.server.settings", "write", [settings_id], {"enabled": True})
    until(lambda: full.request("tools/list").status == 200, "requests are accepted again")


def _status(wire: Wire) -> int | None:
    time.sleep(0.005)
    try:
        return wire.request("tools/list").status
    except httpx.HTTPError:
        return None


def _code(wire: Wire) -> int | None:
    reply = wire.request("tools/list")
    return reply.error["code"] if reply.status == 503 else None
