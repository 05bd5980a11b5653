"""The audit log of one connection, as an administrator reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.odoo import Odoo
from support.wait import until

FIELDS = [
    *("request_id", "method", "tool", "model", "res_ids", "user_id", "connection_id", "session_id", "client"),
    *("ip_address", "status", "reason", "error", "duration_ms", "count", "request_payload", "response_summary"),
]


class Log:
    """The entries of a connection."""

    def __init__(self, odoo: Odoo, connection_id: int) -> None:
        self._odoo = odoo
        self._domain = [["connection_id", "=", connection_id]]

    def entries(self, **wanted: Any) -> list[dict[str, Any]]:
        """All entries so far with these values, oldest first."""
        domain = [*self._domain, *([name, "=", value] for name, value in wanted.items())]
        return self._odoo.call("mcp.audit.log", "search_read", domain, FIELDS, order="sequence")

    def total(self, **wanted: Any) -> int:
        """How many requests these entries stand for."""
        return sum(entry["count"] for entry in self.entries(**wanted))

    def holding(self, count: int, **wanted: Any) -> list[dict[str, Any]]:
        """The entries once they stand for so many requests; more is an error as well."""
        until(lambda: self.total(**wanted) >= count, f"{count} requests are in the log", seconds=60, pause=0.25)
        found = self.entries(**wanted)
        assert sum(entry["count"] for entry in found) == count, found
        return found


def counts(read: Callable[..., dict[str, Any]], connection_id: int) -> tuple[int, int]:
    """Requests and refusals as the connection itself tells them."""
    row = read("mcp.connection", connection_id, "request_count", "refusal_count")
    return row["request_count"], row["refusal_count"]
