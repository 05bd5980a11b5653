"""Messages and headers of MCP, for whichever HTTP client sends them."""

from __future__ import annotations

import json
from typing import Any

# The protocol without sessions: one POST a request.
MODERN = "2026-07-28"
# The newest protocol with sessions.
LEGACY = "2025-11-25"
ACCEPT = "application/json, text/event-stream"
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def credential(key: str | None) -> dict[str, str]:
    """The header that proves who calls."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def headers(method: str, name: str | None = None, key: str | None = None) -> dict[str, str]:
    """All headers of a request; `name` is that of the tool where one is called."""
    found = {"Accept": ACCEPT, "Content-Type": "application/json", "MCP-Protocol-Version": MODERN}
    return {**found, "Mcp-Method": method, **({"Mcp-Name": name} if name else {}), **credential(key)}


def meta(client: str = "tests") -> dict[str, Any]:
    """What a request of the newer protocol says of its sender."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": client, "version": "1"},
    }


def message(method: str, params: dict[str, Any] | None = None, client: str = "tests") -> dict[str, Any]:
    """A request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": meta(client)}}


def initialize(client: str = "tests", protocol: str = LEGACY) -> dict[str, Any]:
    """The request that opens a session."""
    params = {"protocolVersion": protocol, "capabilities": {}, "clientInfo": {"name": client, "version": "1"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


def in_session(session: str, protocol: str = LEGACY) -> dict[str, str]:
    """Headers that name the session of a request."""
    return {"Mcp-Session-Id": session, "MCP-Protocol-Version": protocol}


def parse(text: str) -> dict[str, Any]:
    """The JSON-RPC message of an answer, alone or as the last event of a stream."""
    if text.lstrip().startswith("{"):
        return json.loads(text)
    events = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    return json.loads([event for event in events if event][-1])
