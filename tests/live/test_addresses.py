"""Address rules of a connection, as real clients and administrators meet them."""

from collections.abc import Callable
from xmlrpc.client import Fault

import pytest
from support.odoo import Odoo
from support.wait import until

# Clients of these tests come from this machine.
HERE = "127.0.0.0/8  # this machine\n::1"
ELSEWHERE = "203.0.113.0/24\n2001:db8::/32"


def test_rules_are_kept_at_once_and_headers_are_not_believed(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    wire = connection.wire

    def rules(allowed: str, blocked: str) -> None:
        values = {"allowed_ips": allowed, "blocked_ips": blocked}
        odoo.call("mcp.connection", "write", [connection.id], values)

    def refused() -> bool:
        return wire.request("tools/list").status == 403

    assert not refused()
    for allowed, blocked in ((ELSEWHERE, ""), ("", HERE), (HERE, HERE)):
        rules(allowed, blocked)
        reply = until(lambda: (found := wire.request("tools/list")).status == 403 and found, "the address is refused")
        assert (reply.error["code"], reply.message["id"]) == (1004, 1), reply.error
        for claim in ("203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9"):
            wire.http.headers["X-Forwarded-For"] = claim
            assert refused(), f"{claim} was believed"
        del wire.http.headers["X-Forwarded-For"]
        rules(HERE, ELSEWHERE)
        until(lambda: not refused(), "the address is let in")
    assert not wire.call("search_read", model="res.partner", fields=["name"], limit=1).failed


def test_a_line_that_is_no_address_is_refused_when_saving(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    for name in ("allowed_ips", "blocked_ips"):
        with pytest.raises(Fault, match="line 3: “my office”"):
            odoo.call("mcp.connection", "write", [connection.id], {name: "# ok\n10.0.0.0/8\nmy office"})
        assert not odoo.read("mcp.connection", connection.id, name)[name]
