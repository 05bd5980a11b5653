"""Odoo goes away and comes back; the sidecar needs no help."""

import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Wire

READ = {"model": "res.partner", "fields": ["name"], "limit": 1}


def assert_temporary(reply: Reply) -> None:
    """A sentence for the model that says to come back."""
    assert reply.status == 200, f"expected a tool's error, got {reply.status}: {reply.message}"
    assert "temporary" in reply.complaint.lower() or "try again" in reply.complaint.lower(), reply.complaint


def recovers(wire: Wire) -> None:
    """Calls work again without anybody's help."""
    until(
        lambda: (reply := wire.call("search_read", **READ)).status == 200 and not reply.failed,
        "calls work again after Odoo came back",
        seconds=90,
        pause=0.5,
    )


@pytest.fixture
def warm(full: Wire) -> Wire:
    """A connection that has just been used, so that who calls is known."""
    assert full.call("search_read", **READ).data["count"] == 1
    # What an administrator changed before (an upgrade, a setting) may still be on its way and ask for a new look.
    time.sleep(1)
    assert full.call("search_read", **READ).data["count"] == 1
    return full


@pytest.fixture
def odoo_stopped(stack: Stack, warm: Wire) -> Iterator[None]:
    """Odoo is shut down; it is started again afterwards."""
    stack.stop_odoo()
    yield
    stack.up()
    recovers(warm)


@pytest.fixture
def odoo_frozen(stack: Stack, warm: Wire) -> Iterator[None]:
    """Odoo accepts connections but answers nothing; it goes on afterwards."""
    group = os.getpgid(stack.odoo_pid())
    assert group != os.getpgid(0), "Odoo must not share a process group with this test"
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)
    recovers(warm)


def test_a_stopped_odoo_is_temporary_and_recovered_from(odoo_stopped, stack: Stack, warm: Wire) -> None:
    for _attempt in range(8):
        assert_temporary(warm.call("search_read", **READ))
    assert_temporary(warm.call("create_record", model="res.partner", values={"name": "live never stored"}))
    assert warm.request("tools/list").status == 200, "what needs no Odoo is answered"
    health = httpx.get(f"{stack.admin_url}/healthz", trust_env=False)
    assert health.status_code == 200, "the sidecar itself is alive"


def test_a_write_refused_in_an_outage_was_not_made(odoo: Odoo) -> None:
    assert odoo.count("res.partner", [["name", "=", "live never stored"]]) == 0


def test_a_restarted_odoo_is_found_by_itself(stack: Stack, warm: Wire) -> None:
    pid = stack.stop_odoo()
    stack.up()
    recovers(warm)
    assert stack.odoo_pid() != pid


def test_a_frozen_odoo_is_temporary_and_recovered_from(odoo_frozen, warm: Wire) -> None:
    # Waits for the deadline of a read.
    assert_temporary(warm.call("search_read", **READ))
    assert warm.request("tools/list").status == 200, "what needs no Odoo is answered"


def test_a_write_whose_answer_is_late_is_not_doubled(stack: Stack, odoo: Odoo, warm: Wire, tag: str) -> None:
    group = os.getpgid(stack.odoo_pid())
    os.killpg(group, signal.SIGSTOP)
    try:
        values = {"model": "res.partner", "values": {"name": tag}, "idempotency_key": tag}
        reply = warm.call("create_record", **values)
    finally:
        os.killpg(group, signal.SIGCONT)
    recovers(warm)
    if reply.status == 200 and not reply.failed:
        assert odoo.count("res.partner", [["name", "=", tag]]) == 1, "it was answered as done"
        return
    # Whether it was done is open; the same key settles it either way.
    repeated = until(
        lambda: (again := warm.call("create_record", **values)).status == 200 and not again.failed and again,
        "the write can be repeated with its key",
        seconds=60,
        pause=1,
    )
    [made] = repeated.data["created"]
    assert odoo.search("res.partner", [["name", "=", tag]]) == [made["id"]], "exactly one record"
