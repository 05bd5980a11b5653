"""MCP as bare HTTP, to see status, headers and body of every answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from testkit import mcp
from testkit.mcp import ACCEPT, LEGACY, MODERN

__all__ = ["ACCEPT", "LEGACY", "META", "MODERN", "Reply", "Session", "Wire", "message_of"]

CLIENT = "live tests"
META = mcp.meta(CLIENT)


@dataclass(frozen=True)
class Reply:
    """What a tool call came back with."""

    status: int
    headers: httpx.Headers
    message: dict[str, Any]

    @property
    def error(self) -> dict[str, Any]:
        """The JSON-RPC error."""
        assert "error" in self.message, f"expected an error, got status {self.status}: {self.message}"
        return self.message["error"]

    @property
    def result(self) -> dict[str, Any]:
        """The result, whether the tool succeeded or not."""
        assert "result" in self.message, f"expected a result, got status {self.status}: {self.message}"
        return self.message["result"]

    @property
    def failed(self) -> bool:
        """Whether the tool itself says that it failed."""
        return bool(self.result.get("isError"))

    @property
    def text(self) -> str:
        """What a model reads."""
        return "".join(block["text"] for block in self.result["content"] if block["type"] == "text")

    @property
    def data(self) -> dict[str, Any]:
        """The answer of a tool that succeeded."""
        assert not self.failed, f"the tool failed: {self.text}"
        return json.loads(self.text)

    @property
    def complaint(self) -> str:
        """The sentence of a tool that failed."""
        assert self.failed, f"the tool should have failed, but answered: {self.text[:500]}"
        assert "Traceback" not in self.text, f"a traceback reached the client: {self.text}"
        return self.text


class Wire:
    """One credential at one endpoint; requests of the 2026-07-28 protocol."""

    def __init__(self, url: str, key: str | None, timeout: float = 120) -> None:
        self.url = url
        self.key = key
        # Straight to this machine, whatever proxy its environment names.
        self.http = httpx.Client(timeout=timeout, trust_env=False)

    @property
    def credential(self) -> dict[str, str]:
        """The header that proves who calls."""
        return mcp.credential(self.key)

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        """All headers of a request."""
        return mcp.headers(method, name, self.key)

    @staticmethod
    def body(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request message."""
        return mcp.message(method, params, CLIENT)

    def request(self, method: str, params: dict[str, Any] | None = None) -> Reply:
        """Send one request."""
        name = (params or {}).get("name")
        answer = self.http.post(self.url, headers=self.headers(method, name), json=self.body(method, params))
        return Reply(answer.status_code, answer.headers, message_of(answer))

    def call(self, tool: str, **arguments: Any) -> Reply:
        """Call a tool."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def tools(self) -> list[dict[str, Any]]:
        """The tools that this credential may use."""
        return self.request("tools/list").result["tools"]

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()


class Session:
    """A session of the 2025-11-25 protocol, with its stream of server messages."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        answer = self._post(mcp.initialize(CLIENT), {})
        assert answer.status_code == 200, f"initialize answers {answer.status_code}: {answer.text}"
        self.id = answer.headers["mcp-session-id"]
        answer = self._post(mcp.INITIALIZED, self._own)
        assert answer.status_code == 202, f"notifications/initialized answers {answer.status_code}: {answer.text}"

    @property
    def _own(self) -> dict[str, str]:
        return mcp.in_session(self.id)

    def _post(self, message: dict[str, Any], own: dict[str, str]) -> httpx.Response:
        headers = {"Accept": ACCEPT, "Content-Type": "application/json", **self._wire.credential, **own}
        return self._wire.http.post(self._wire.url, headers=headers, json=message)

    def request(self, method: str, params: dict[str, Any] | None = None) -> Reply:
        """Send one request in the session."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        answer = self._post(message, self._own)
        return Reply(answer.status_code, answer.headers, message_of(answer))

    def stream(self) -> Any:
        """The stream of server messages, as a context manager."""
        headers = {"Accept": "text/event-stream", **self._wire.credential, **self._own}
        return self._wire.http.stream("GET", self._wire.url, headers=headers)

    def close(self) -> httpx.Response:
        """End the session."""
        return self._wire.http.delete(self._wire.url, headers={**self._wire.credential, **self._own})


def message_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an answer, if there is one."""
    return mcp.parse(answer.text) if answer.content else {}
