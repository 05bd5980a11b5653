"""MCP requests of the 2026-07-28 protocol, which all servers here speak: one POST a call, no session."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import testkit.mcp
from testkit.http import DIRECT


def request(method: str, params: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
    """A request for the load generator."""
    headers = testkit.mcp.headers(method, (params or {}).get("name"), key)
    return {"headers": headers, "body": json.dumps(testkit.mcp.message(method, params, client="bench"))}


def send(url: str, message: dict[str, Any]) -> tuple[int, bytes]:
    """Send such a request once; status and body of the answer."""
    post = urllib.request.Request(url, message["body"].encode(), message["headers"])
    try:
        with DIRECT.open(post, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def result(body: bytes) -> dict[str, Any]:
    """The result in an answer, alone or in a stream of events."""
    message = testkit.mcp.parse(body.decode())
    if "error" in message or message["result"].get("isError"):
        raise SystemExit(f"An MCP server refuses: {json.dumps(message)[:500]}")
    return message["result"]


def texts(answer: dict[str, Any]) -> str:
    """All that a model gets to read: text blocks, and structured content where a server sends it too."""
    parts = [block["text"] for block in answer["content"] if block["type"] == "text"]
    if answer.get("structuredContent") is not None:
        parts.append(compact(answer["structuredContent"]))
    return "".join(parts)


def compact(value: Any) -> str:
    """JSON without a blank more than needed."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
