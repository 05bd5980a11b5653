"""MCP as bare HTTP, to see status, headers and body of every answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ACCEPT = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "live tests", "version": "1"},
}


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
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def headers(self, method: str, name: str | None = None) -> dict[str, str]:
        """All headers of a request."""
        headers = {"Accept": ACCEPT, "Content-Type": "application/json", "MCP-Protocol-Version": MODERN}
        return {**headers, "Mcp-Method": method, **({"Mcp-Name": name} if name else {}), **self.credential}

    @staticmethod
    def body(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request message."""
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": META}}

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
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "live tests", "version": "1"}}
        answer = self._post("initialize", params, {})
        assert answer.status_code == 200, f"initialize answers {answer.status_code}: {answer.text}"
        self.id = answer.headers["mcp-session-id"]
        self._notify("notifications/initialized")

    @property
    def _own(self) -> dict[str, str]:
        return {"Mcp-Session-Id": self.id, "MCP-Protocol-Version": LEGACY}

    def _post(self, method: str, params: dict[str, Any], own: dict[str, str]) -> httpx.Response:
        headers = {"Accept": ACCEPT, "Content-Type": "application/json", **self._wire.credential, **own}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._wire.http.post(self._wire.url, headers=headers, json=message)

    def _notify(self, method: str) -> None:
        headers = {"Accept": ACCEPT, "Content-Type": "application/json", **self._wire.credential, **self._own}
        answer = self._wire.http.post(self._wire.url, headers=headers, json={"jsonrpc": "2.0", "method": method})
        assert answer.status_code == 202, f"{method} answers {answer.status_code}: {answer.text}"

    def request(self, method: str, params: dict[str, Any] | None = None) -> Reply:
        """Send one request in the session."""
        answer = self._post(method, params or {}, self._own)
        return Reply(answer.status_code, answer.headers, message_of(answer))

    def stream(self) -> Any:
        """The stream of server messages, as a context manager."""
        headers = {"Accept": "text/event-stream", **self._wire.credential, **self._own}
        return self._wire.http.stream("GET", self._wire.url, headers=headers)

    def close(self) -> httpx.Response:
        """End the session."""
        return self._wire.http.delete(self._wire.url, headers={**self._wire.credential, **self._own})


def message_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an answer, alone or the last of its events."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        lines = [line[5:].strip() for line in answer.text.split("\n") if line.startswith("data:")]
        return json.loads([line for line in lines if line][-1])
    return answer.json() if answer.content else {}
