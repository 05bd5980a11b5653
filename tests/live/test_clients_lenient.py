"""What real clients send beside the plain form: it is read, or refused in a way that a model can act on."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.odoo import Odoo
from support.sdk import MODES, client
from support.stack import Stack
from support.wait import until
from support.wire import LEGACY, META, Reply, Session, Wire, message_of

FOREIGN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "const", "default", "enum", "not"}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


def raw(wire: Wire, tool: str, arguments: bytes, era: str = "modern") -> Reply:
    """Call a tool with arguments that are put into the message as they are."""
    params: dict[str, Any] = {"name": tool, "arguments": "ARGUMENTS"}
    if era == "modern":
        params["_meta"], own = META, {}
    else:
        own = Session(wire)._own
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    body = json.dumps(message).encode().replace(b'"ARGUMENTS"', arguments)
    headers = wire.headers("tools/call", tool)
    if era == "legacy":
        headers = {name: value for name, value in headers.items() if not name.startswith("Mcp-")}
        headers.pop("MCP-Protocol-Version")
    answer = wire.http.post(wire.url, headers={**headers, **own}, content=body)
    return Reply(answer.status_code, answer.headers, message_of(answer))


def faults(schema: Any, at: str) -> list[str]:
    """What some client cannot take of a schema."""
    found = [f"{at}: {word}" for word in FOREIGN & schema.keys()]
    if schema.get("type") not in TYPES:
        found.append(f"{at}: not one type")
    if schema.get("type") == "array":
        found += faults(schema["items"], f"{at}[]") if schema.get("items") else [f"{at}: no items"]
    if schema.get("type") == "object":
        if not isinstance(schema.get("properties"), dict):
            found.append(f"{at}: no properties")
        for name, inner in schema.get("properties", {}).items():
            found += faults(inner, f"{at}.{name}")
    if len(schema.get("description", "")) >= 1024:
        found.append(f"{at}: long description")
    return found


def test_every_tool_is_one_that_every_client_takes(full: Wire) -> None:
    reply = full.request("tools/list")
    tools = reply.result["tools"]
    assert len(json.dumps(reply.message, separators=(",", ":"), ensure_ascii=False).encode()) <= 16_000
    for tool in tools:
        assert faults(tool["inputSchema"], tool["name"]) == []
        assert len(tool["description"]) < 1024
        for name, inner in tool["inputSchema"]["properties"].items():
            if inner["type"] == "object":
                assert inner["properties"] and inner.get("additionalProperties", True) is not False, name
                assert re.search(r"[Ee]\.g\. [\[{]", inner["description"]), (tool["name"], name)


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_arguments_come_as_text(full: Wire, era: str) -> None:
    plain = {"model": "res.partner", "domain": [["name", "ilike", "azure"]], "fields": ["name"], "limit": 3}
    expected = full.call("search_read", **plain).data["records"]
    assert expected
    text = json.dumps(plain)
    for form in [text, json.dumps(text), json.dumps(f"```json\n{text}\n```"), json.dumps(repr(plain))]:
        assert raw(full, "search_read", form.encode(), era).data["records"] == expected, form
    parts = {**plain, "domain": json.dumps(plain["domain"]), "fields": '```\n["name"]\n```', "limit": "3"}
    assert full.call("search_read", **parts).data["records"] == expected


@pytest.mark.parametrize("nothing", [None, "", []])
def test_nothing_is_not_given(full: Wire, nothing: Any) -> None:
    names = ("domain", "fields", "limit", "offset", "order", "total", "context")
    given = dict.fromkeys(names, nothing)
    plain = full.call("search_read", model="res.country").data
    assert full.call("search_read", model="res.country", **given).data == plain
    assert full.call("list_models", query=nothing, limit=nothing).data["count"] > 10
    assert full.call("get_session").data["user"]


def test_a_method_of_the_model_takes_no_records(connect: Callable, tag: str) -> None:
    wire = connect(level="any").wire
    for nothing in ([], None, ""):
        made = wire.call("execute_method", model="res.partner", method="name_create", args=[tag], ids=nothing)
        assert made.data["result"], made.text
    # A method of records refuses to work on none of them.
    refused = wire.call("execute_method", model="res.partner", method="action_archive", ids=[])
    assert "ids" in refused.complaint


def test_nothing_never_becomes_everything(full: Wire, odoo: Odoo, tag: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    before = odoo.count("res.partner", [])
    for nothing in ([], None, "", "[]", "```json\n[]\n```", "null"):
        assert "`ids`" in full.call("update_record", model="res.partner", ids=nothing, values={"name": "x"}).complaint
        assert "`ids`" in full.call("batch_delete", model="res.partner", ids=nothing).complaint
        assert "`id`" in full.call("delete_record", model="res.partner", id=nothing).complaint
        assert "`updates`" in full.call("batch_update", model="res.partner", updates=nothing).complaint
    assert odoo.count("res.partner", []) == before
    assert odoo.read("res.partner", partner, "name")["name"] == tag


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_an_odd_value_is_a_tool_answer(full: Wire, odoo: Odoo, tag: str, era: str) -> None:
    for arguments, expected in [
        (rb'{"model": "res.partner", "values": {"name": "%s\ud83d"}}', "`values.name` holds half a character"),
        (rb'{"model": "res.partner", "values": {"name": "%s", "color": 1e400}}', "`values.color` is a number"),
        (rb'{"model": "res.partner", "values": {"name": "%s", "color": NaN}}', "`values.color` is a number"),
        (rb'{"model": "res.partner", "values": {"name": "%s", "name": "b"}}', "`values` names name twice"),
        (b'{"model": "res.partner", "values": {"name": "%s\xe9"}}', "`values.name` holds half a character"),
    ]:
        reply = raw(full, "create_record", arguments % tag.encode(), era)
        assert reply.status == 200 and expected in reply.complaint
    assert odoo.count("res.partner", [["name", "=like", f"{tag}%"]]) == 0


def test_a_mark_compression_and_a_slash(full: Wire) -> None:
    headers = full.headers("tools/list")
    body = json.dumps(full.body("tools/list")).encode()
    assert full.http.post(full.url, headers=headers, content=b"\xef\xbb\xbf" + body).status_code == 200
    packed = full.http.post(full.url, headers={**headers, "Content-Encoding": "gzip"}, content=body)
    assert (packed.status_code, packed.json()["error"]["data"]["reason"]) == (415, "content_encoding")
    slashed = full.http.post(f"{full.url}/", headers=headers, content=body)
    assert len(slashed.json()["result"]["tools"]) == len(full.tools())


def test_a_client_that_writes_first_reads_its_refusal(stack: Stack, full: Wire) -> None:
    address = urlsplit(stack.mcp_url)
    length = 32 << 20
    with socket.create_connection((address.hostname, address.port), timeout=20) as client_socket:
        head = f"POST /odoo/mcp HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {full.key}\r\nContent-Length: {length}\r\n\r\n"
        client_socket.sendall(head.encode())
        for _ in range(length >> 16):
            client_socket.sendall(b" " * 65536)
        answer = client_socket.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 413 ") and '"body_too_large"' in answer, answer


def test_the_legacy_era_is_patient(full: Wire) -> None:
    session = Session(full)
    for method, member in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ]:
        assert session.request(method).result[member] == []
        assert full.request(method).error["code"] == -32601
    assert session.request("logging/setLevel", {"level": "info"}).result == {}
    headers = {"Content-Type": "application/json", **full.credential}
    bare = full.http.post(full.url, headers=headers, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert bare.status_code == 202
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    opened = full.http.post(full.url, headers={**headers, "MCP-Protocol-Version": "2026-07-28"}, json=message)
    assert message_of(opened)["result"]["protocolVersion"] == LEGACY
    with session.stream() as first, session.stream() as second:
        assert (first.status_code, second.status_code) == (200, 200)
        # Returns when the server ends the stream; the test's time-out ends it otherwise.
        list(first.iter_bytes())
        assert session.request("tools/list").status == 200


def test_a_tool_that_is_not_allowed_says_why(read_only: Wire, odoo: Odoo, connect: Callable) -> None:
    error = read_only.call("create_record", model="res.partner", values={}).error
    assert (error["code"], error["data"]["reason"]) == (-32602, "scope") and "read-only" in error["message"]
    error = Session(read_only).request("tools/call", {"name": "no_such", "arguments": {}}).error
    assert (error["code"], error["data"]["reason"]) == (-32602, "unknown_tool")
    listed, without = connect(), connect(level="none")
    odoo.call("mcp.connection", "write", [listed.id], {"allowed_tools": "search_count"})

    def reason(wire: Wire, tool: str) -> str | None:
        return wire.call(tool, model="res.partner").message.get("error", {}).get("data", {}).get("reason")

    until(lambda: reason(listed.wire, "search_read") == "list", "the list is named")
    until(lambda: reason(without.wire, "execute_method") == "switched_off", "the switch is named")


def test_little_of_the_day_is_said_and_its_end_too(connect: Callable, odoo: Odoo) -> None:
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"rate_limit_minute": 0, "rate_limit_day": 40})
    calls = [connection.wire.call("search_count", model="res.partner") for _ in range(40)]
    noted = [call.data.get("limit_note") for call in calls]
    # Below a tenth: 3, 2, 1 and none.
    assert noted[:36] == [None] * 36, noted
    assert [note.split(" ")[0] for note in noted[36:]] == ["3", "2", "1", "0"]
    refused = connection.wire.call("search_count", model="res.partner")
    assert (refused.status, refused.error["code"]) == (429, 1006)
    for part in ("40 requests a day", "rate_limit_day", refused.error["data"]["resets_at"]):
        assert part in refused.error["message"]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_the_python_sdk_takes_lists_and_leniencies(stack: Stack, mode: str) -> None:
    async with client(stack.mcp_url, stack.api_key, mode) as connected:
        tools = (await connected.list_tools()).tools
        assert len(tools) == 16 and all(tool.input_schema["properties"] is not None for tool in tools)
        result = await connected.call_tool(
            "search_read",
            {"model": "res.partner", "fields": "", "domain": None, "limit": "2", "context": "{}", "order": []},
        )
        assert not result.is_error and json.loads(result.content[0].text)["count"] == 2
        refused = await connected.call_tool("batch_delete", {"model": "res.partner", "ids": []})
        assert refused.is_error and "`ids`" in refused.content[0].text
        if mode == "legacy":
            assert (await connected.list_resources()).resources == []
            assert (await connected.list_prompts()).prompts == []
