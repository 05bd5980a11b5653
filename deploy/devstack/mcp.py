"""One MCP tool call, the way a client of the 2026-07-28 protocol makes it: a single POST."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import testkit.mcp
from testkit.http import DIRECT

from devstack.console import Failure

# How long the sidecar may take to learn that an administrator switched it on.
PATIENCE = 20


class Unauthorized(Failure):
    """The sidecar does not know this key (any more)."""


class Unavailable(Failure):
    """The sidecar answers nobody now, or can't do what was asked: switched off, or Odoo is only coming back."""


def call_tool(url: str, key: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool; answers its result."""
    return _request(url, key, "tools/call", {"name": tool, "arguments": arguments})


def check_key(url: str, key: str) -> bool:
    """Whether the sidecar accepts a key."""
    try:
        _request(url, key, "server/discover", {})
    except Unauthorized:
        return False
    return True


def _request(url: str, key: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    message = testkit.mcp.message(method, params, client="deploy/dev")
    headers = testkit.mcp.headers(method, params.get("name"), key)
    request = urllib.request.Request(url, data=json.dumps(message).encode(), headers=headers)
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
            return testkit.mcp.parse(answer.read().decode())
    except urllib.error.HTTPError as error:
        kind = {401: Unauthorized, 503: Unavailable}.get(error.code, Failure)
        raise kind(f"{what} answers {error.code}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(f"{what}: {error}") from error
