"""The master switch."""

from collections.abc import Iterator

import httpx
import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Session, Wire


@pytest.fixture
def switch(odoo: Odoo, settings_id: int, full: Wire) -> Iterator:
    """Turns it, and leaves it on."""

    def turn(on: bool) -> None:
        odoo.call("mcp.server.settings", "write", [settings_id], {"enabled": on})

    yield turn
    turn(True)
    until(lambda: full.request("tools/list").status == 200, "requests are accepted again")


def test_off_refuses_everything_and_on_brings_it_back(switch, stack: Stack, full: Wire, read_only: Wire) -> None:
    session = Session(full)
    switch(False)
    reply = until(
        lambda: (found := full.request("tools/list")).status == 503 and found, "requests are refused", pause=0.02
    )
    assert reply.error["code"] == 1001, reply.error
    assert reply.error["data"]["reason"], reply.error
    assert reply.message["id"] == 1, "the id of the request comes back"
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["content-type"].startswith("application/json")
    for wire, method in ((full, "server/discover"), (read_only, "tools/list"), (full, "tools/list")):
        assert wire.request(method).status == 503, f"{method} was let through"
    assert full.call("search_read", model="res.partner", limit=1).status == 503, "a tool was run"
    assert session.request("tools/list").status == 503, "an open session was let through"
    assert Wire(stack.mcp_url, None).request("tools/list").status == 503, "no OAuth flow is started while off"

    switch(True)
    until(lambda: full.request("tools/list").status == 200, "requests are accepted again", pause=0.02)
    assert session.request("tools/list").status == 200, "the session has survived"


def test_off_ends_open_streams(switch, full: Wire) -> None:
    with Session(full).stream() as stream:
        assert stream.status_code == 200, f"the stream answers {stream.status_code}"
        switch(False)
        # Returns when the server ends the stream; the test's time-out ends it otherwise.
        list(stream.iter_bytes())


def test_nothing_is_written_while_off(switch, odoo: Odoo, full: Wire, tag: str) -> None:
    switch(False)
    until(lambda: full.request("tools/list").status == 503, "requests are refused")
    assert full.call("create_record", model="res.partner", values={"name": tag}).status == 503
    assert odoo.count("res.partner", [["name", "=", tag]]) == 0


def test_health_does_not_depend_on_it(switch, stack: Stack, full: Wire) -> None:
    switch(False)
    until(lambda: full.request("tools/list").status == 503, "requests are refused")
    for path in ("/healthz", "/readyz"):
        assert httpx.get(f"{stack.admin_url}{path}", trust_env=False).status_code == 200, path


def test_repeated_turns_are_never_lost(switch, full: Wire) -> None:
    for turn in range(10):
        switch(turn % 2 == 1)
    switch(False)
    until(lambda: full.request("tools/list").status == 503, "the last turn counts: off")
    switch(True)
    until(lambda: full.request("tools/list").status == 200, "the last turn counts: on")
