"""Limits a minute and a day: exact, named, and changed while tools are at work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Wire

CLIENTS = 50
MOST = 120
EACH = 5


def served(wire: Wire) -> Reply:
    """One request that was let through or refused by the limit: too many at the same time is another matter."""
    while True:
        reply = wire.request("tools/list")
        if reply.status != 429 or not reply.error["data"]["limit"].startswith("in_flight"):
            return reply


def test_fifty_clients_get_exactly_the_limit(stack: Stack, odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"rate_limit_minute": 0, "rate_limit_day": MOST})

    def client(_number: int) -> list[Reply]:
        wire = Wire(stack.mcp_url, connection.key)
        try:
            return [served(wire) for _ in range(EACH)]
        finally:
            wire.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        replies = [reply for found in pool.map(client, range(CLIENTS)) for reply in found]
    refused = [reply for reply in replies if reply.status != 200]
    assert len(replies) - len(refused) == MOST
    for reply in refused:
        assert (reply.status, reply.error["code"], reply.message["id"]) == (429, 1006, 1)
        assert (reply.error["data"]["limit"], reply.error["data"]["most"]) == ("rate_limit_day", MOST)
        assert reply.error["data"]["resets_at"] in reply.error["message"]
        assert 0 < int(reply.headers["retry-after"]) <= 25 * 3600
    # A raised limit counts against what was used: five more pass.
    odoo.call("mcp.connection", "write", [connection.id], {"rate_limit_day": MOST + 5})
    until(lambda: served(connection.wire).status == 200, "the raised limit counts")
    more = [served(connection.wire).status for _ in range(9)]
    assert more.count(200) == 4, more


@pytest.fixture
def default(odoo: Odoo, settings_id: int) -> Callable[[int], None]:
    """Changes the default limit a day; none is left behind."""

    def change(most: int) -> None:
        odoo.call("mcp.server.settings", "write", [settings_id], {"rate_limit_day": most})

    yield change
    change(0)


def test_a_changed_default_reaches_who_has_no_own_limit(odoo: Odoo, connect: Callable, default: Callable) -> None:
    follower, other = connect(), connect()
    odoo.call("mcp.connection", "write", [other.id], {"rate_limit_day": 0})
    assert served(follower.wire).status == 200
    default(3)
    until(lambda: served(follower.wire).status == 429, "the new default counts")
    assert all(served(other.wire).status == 200 for _ in range(9)), "an own limit was overruled"
    default(0)
    until(lambda: served(follower.wire).status == 200, "the default is gone again")
