"""One MCP tool call, the way a client of the 2026-07-28 protocol makes it: a single POST."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from devstack.console import Failure
from devstack.rpc import DIRECT

PROTOCOL = "2026-07-28"


# How long the sidecar may take to learn that an administrator switched it on.
PATIENCE = 20


class Unauthorized(Failure):
    """The sidecar does not know this key (any more)."""


class Unavailable(Failure):
    """The sidecar answers nobody now, or can't do what was asked: switched off, or Odoo is only coming back."""


def call_tool(url: str, key: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool; answers its result."""
    return _request(url, key, "tools/call", {"name": tool, "arguments": arguments}, {"Mcp-Name": tool})


def check_key(url: str, key: str) -> bool:
    """Whether the sidecar accepts a key."""
    try:
        _request(url, key, "server/discover", {}, {})
    except Unauthorized:
        return False
    return True


def _request(url: str, key: str, method: str, params: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "deploy/dev", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    request = urllib.request.Request(
        url,
        data=json.dumps(message).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": PROTOCOL,
            "Mcp-Method": method,
            **headers,
        },
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _result(_send(request, f"{method} at {url}"), f"{method} at {url}")
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _result(reply: dict[str, Any], what: str) -> dict[str, Any]:
    if "error" in reply:
        raise Failure(f"{what} answers {reply['error']}")
    if reply["result"].get("isError"):
        raise Unavailable(f"{what} answers {reply['result']['content']}")
    return reply["result"]


def _send(request: urllib.request.Request, what: str) -> dict[str, Any]:
    try:
        with DIRECT.open(request, timeout=60) as answer:
            return _reply(answer.headers.get_content_type(), answer.read().decode())
    except urllib.error.HTTPError as error:
        kind = {401: Unauthorized, 503: Unavailable}.get(error.code, Failure)
        raise kind(f"{what} answers {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(f"{what}: {error}") from error


def _reply(content_type: str, body: str) -> dict[str, Any]:
    """The JSON-RPC response, alone or as the last event of a stream."""
    if content_type == "text/event-stream":
        body = [line[5:] for line in body.splitlines() if line.startswith("data:")][-1]
    return json.loads(body)
