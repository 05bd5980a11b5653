"""A connection that may only read."""

import pytest
from support.odoo import Odoo
from support.wait import until
from support.wire import Session, Wire

WRITES = {
    "create_record": {"model": "res.partner", "values": {"name": "{tag}"}},
    "update_record": {"model": "res.partner", "ids": ["{id}"], "values": {"name": "{tag} changed"}},
    "delete_record": {"model": "res.partner", "id": "{id}"},
    "batch_create": {"model": "res.partner", "records": [{"name": "{tag}"}]},
    "batch_update": {"model": "res.partner", "updates": [{"id": "{id}", "values": {"name": "{tag} changed"}}]},
    "batch_delete": {"model": "res.partner", "ids": ["{id}"]},
    "execute_method": {"model": "res.partner", "method": "action_archive", "ids": ["{id}"]},
}


def test_only_reading_tools_are_listed(read_only: Wire, full: Wire) -> None:
    tools = read_only.tools()
    assert tools, "a read-only connection has tools"
    assert all(tool["annotations"]["readOnlyHint"] is True for tool in tools), [tool["name"] for tool in tools]
    assert {tool["name"] for tool in tools}.isdisjoint(WRITES)
    assert WRITES.keys() <= {tool["name"] for tool in full.tools()}, "a full connection has the others too"


@pytest.mark.parametrize("tool", WRITES)
@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_a_writing_tool_is_unknown_and_writes_nothing(
    read_only: Wire, odoo: Odoo, tag: str, tool: str, era: str
) -> None:
    partner = odoo.call("res.partner", "create", {"name": f"{tag} kept"})
    arguments = _filled(WRITES[tool], tag, partner)
    params = {"name": tool, "arguments": arguments}
    reply = (Session(read_only) if era == "legacy" else read_only).request("tools/call", params)
    assert reply.error["code"] == -32602, reply.error
    assert odoo.search("res.partner", [["name", "=like", f"{tag}%"]]) == [partner], "nothing was created or deleted"
    assert odoo.read("res.partner", partner, "name", "active") == {"id": partner, "name": f"{tag} kept", "active": True}


def test_reading_works(read_only: Wire) -> None:
    assert read_only.call("search_read", model="res.partner", fields=["name"], limit=1).data["count"] == 1
    assert read_only.call("get_session").data["scope"] == "read_only"


def test_changing_the_scope_takes_effect(connect, odoo: Odoo, tag: str) -> None:
    connection = connect()
    assert connection.wire.call("create_record", model="res.partner", values={"name": tag}).data["created"]
    odoo.call("mcp.connection", "write", [connection.id], {"scope": "read_only"})
    until(lambda: "create_record" not in [tool["name"] for tool in connection.wire.tools()], "writing tools are hidden")
    reply = connection.wire.call("create_record", model="res.partner", values={"name": tag})
    assert reply.error["code"] == -32602
    assert odoo.count("res.partner", [["name", "=", tag]]) == 1


def _filled(value, tag: str, partner: int):
    if isinstance(value, dict):
        return {name: _filled(item, tag, partner) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, tag, partner) for item in value]
    return partner if value == "{id}" else value.replace("{tag}", tag)
