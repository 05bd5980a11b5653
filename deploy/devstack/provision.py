"""What an administrator does once after installing: switch the server on and hand out keys."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from testkit.settings import settings_id

from devstack import mcp
from devstack.console import Failure, say, step
from devstack.files import PRIVATE, write_text
from devstack.odoo import ADMIN, DATABASE
from devstack.rpc import OdooClient
from devstack.sidecar import SERVICE_LOGIN
from devstack.state import State

# One connection for each scope: what status calls its key, its scope, its name in Odoo.
CONNECTIONS = (
    ("api_key", "full", "Development, full access"),
    ("api_key_read_only", "read_only", "Development, read-only"),
)


# The development connections are not throttled: benches, the live tests and a person at work all use them.
UNLIMITED = {
    "rate_limit_minute": 0,
    "rate_limit_day": 0,
    "notes": "Made by deploy/dev for development: without rate limits.",
}


class Provision:
    """The administrator's part, by XML-RPC."""

    def __init__(self, state: State, odoo_url: str) -> None:
        self._state = state
        self._url = odoo_url

    def service_key(self, key_file: Path) -> None:
        """Give the sidecar a key of its own, unless the one it has still works."""
        if key_file.exists() and self._lets_in(key_file.read_text(encoding="utf-8").strip()):
            return
        with step("service account: API key"):
            key = self._admin.call("mcp.server.settings", "generate_service_key")
            write_text(key_file, f"{key}\n", PRIVATE)

    def switch_on(self) -> None:
        """Turn the master switch on."""
        settings = settings_id(self._admin)
        if not self._admin.read("mcp.server.settings", settings, "enabled")["enabled"]:
            with step("MCP server: switch on"):
                self._admin.call("mcp.server.settings", "write", [settings], {"enabled": True})

    def connections(self, mcp_url: str) -> None:
        """Have one full and one read-only connection whose keys the sidecar accepts."""
        for name, scope, title in CONNECTIONS:
            key = self._state.secrets.get(name)
            if not (key and mcp.check_key(mcp_url, key)):
                with step(f"connection: {title}"):
                    key = self._admin.call("mcp.connection", "create_api_key", title, self._admin.user_id, scope)
                    self._state.secrets.put(name, key)
            self._lift_limits(title)

    def _lift_limits(self, title: str) -> None:
        """Let the connections of that name make any number of requests, unless they may already."""
        limited = ["|", ["rate_limit_minute", "!=", 0], ["rate_limit_day", "!=", 0]]
        ids = self._admin.call("mcp.connection", "search", [["name", "=", title], *limited])
        if ids:
            with step(f"connection: {title}: no rate limits"):
                self._admin.call("mcp.connection", "write", ids, UNLIMITED)

    def first_call(self, mcp_url: str) -> None:
        """Prove the whole road: one tool call that Odoo has to answer."""
        arguments = {"model": "res.partner", "fields": ["name"], "limit": 3}
        result = mcp.call_tool(mcp_url, self._state.secrets.get("api_key"), "search_read", arguments)
        text = next((block["text"] for block in result["content"] if block["type"] == "text"), "")
        say(f"- tool call search_read(res.partner) answers: {text[:160]}{'...' if len(text) > 160 else ''}")

    @cached_property
    def _admin(self) -> OdooClient:
        return OdooClient(self._url, DATABASE, *ADMIN)

    def _lets_in(self, key: str) -> bool:
        try:
            OdooClient(self._url, DATABASE, SERVICE_LOGIN, key)
        except Failure:
            return False
        return True
