"""The official Python SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from mcp import Client

# How a client may find its era: the old handshake, the new protocol at once, or by asking.
MODES = ("legacy", "2026-07-28", "auto")


@asynccontextmanager
async def client(url: str, key: str, mode: str) -> AsyncIterator[Client]:
    """A connected client."""
    headers = {"Authorization": f"Bearer {key}"}
    # Straight to this machine, whatever proxy its environment names.
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as connected,
    ):
        yield connected


async def call(connected: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that has to succeed."""
    result = await connected.call_tool(tool, arguments)
    text = "".join(block.text for block in result.content if block.type == "text")
    assert not result.is_error, f"{tool} failed: {text}"
    return json.loads(text)
