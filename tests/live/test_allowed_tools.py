"""A connection for some tools sees no other one, and reaches none."""

from collections.abc import Callable

from support.odoo import Odoo
from support.wait import until


def test_other_tools_are_neither_seen_nor_reached(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    reads = {"model": "res.partner", "fields": ["name"], "limit": 1}
    assert not connection.wire.call("search_read", **reads).failed
    odoo.call("mcp.connection", "write", [connection.id], {"allowed_tools": "search_count\nlist_models"})
    # Odoo itself enforces it: not even the next call gets through, whatever the sidecar has heard.
    reply = connection.wire.call("search_read", **reads)
    assert "error" in reply.message or reply.failed

    def names() -> set[str]:
        return {tool["name"] for tool in connection.wire.tools()}

    until(lambda: names() == {"search_count", "list_models"}, "only the allowed tools are listed")
    assert connection.wire.call("search_read", **reads).error["code"] == -32602
    assert connection.wire.call("search_count", model="res.partner").data["count"] > 0
    odoo.call("mcp.connection", "write", [connection.id], {"allowed_tools": False})
    until(lambda: "search_read" in names(), "all tools are back")
