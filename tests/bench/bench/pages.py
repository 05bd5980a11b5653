"""How long a page of Odoo's own takes: idle, and while 16 clients use the sidecar or raw XML-RPC.

The clients mix 80 % small reads, 15 % heavy reads (many records x all of their fields) and 5 % writes. Where that load
takes all cores by itself, a page cannot be as fast as idle; the same number of raw calls says how slow it has to be.
"""

from __future__ import annotations

import statistics
import threading
import time
import urllib.request
from typing import Any

from testkit.http import DIRECT

from bench import mcp
from bench.dataset import DOMAIN, MODEL, SMALL
from bench.generator import load
from bench.odoo import Odoo
from bench.rounds import MAX_CALLS, Effort

CLIENTS = 16
PAGE = "/web/login"
HEAVY_ROWS = 400
# One block of the mix; the clients take one after the other.
BLOCK = [
    *["small"] * 3,
    "heavy",
    *["small"] * 4,
    "heavy",
    *["small"] * 3,
    "write",
    *["small"] * 3,
    "heavy",
    *["small"] * 3,
]
BLOCKS = 4
# Between two pages, as a person would not ask again at once.
PAUSE_SECONDS = 0.02
# The load is under way before the first page counts.
LEAD_SECONDS = 0.5


class Pages:
    """The page, and the mix as requests to either side."""

    def __init__(self, odoo: Odoo, mcp_url: str, key: str, api_key: str) -> None:
        self._page = urllib.request.Request(f"{odoo.url}{PAGE}", headers={"X-Odoo-Database": odoo.database})
        self._odoo = odoo
        self._ids = odoo.call(MODEL, "search", DOMAIN, order="id")
        self._fields = _fields(odoo)
        sidecar = [self._tool(key, kind, number) for number, kind in enumerate(BLOCK * BLOCKS)]
        raw = [self._raw(api_key, kind, number) for number, kind in enumerate(BLOCK * BLOCKS)]
        self._loads = {
            "sidecar": _target(mcp_url, sidecar, ['"isError":true', '"error":{']),
            "raw, named": _target(odoo.object_url, raw, ["faultCode"]),
        }

    def measure(self, effort: Effort) -> dict[str, dict[str, Any]]:
        """Milliseconds of the page by what else goes on, all interleaved, with the reports of the load."""
        taken: dict[str, list[float]] = {name: [] for name in ("idle", *self._loads)}
        reports: dict[str, list[dict[str, Any]]] = {name: [] for name in self._loads}
        for _round in range(effort.rounds):
            end = time.monotonic() + effort.seconds
            self._until(lambda end=end: time.monotonic() >= end, taken["idle"])
            for name, target in self._loads.items():
                reports[name].append(self._under(target, effort.seconds, taken[name]))
        found = {name: _figures(milliseconds) for name, milliseconds in taken.items()}
        for name, of_name in reports.items():
            found[name]["errors"] = sum(report["errors"] for report in of_name)
            found[name]["error_samples"] = [text for report in of_name for text in report["error_samples"]][:3]
            found[name] |= {
                figure: statistics.median(report[figure] for report in of_name) for figure in ("rps", "cpu")
            }
        return found

    def _under(self, target: dict[str, Any], seconds: float, taken: list[float]) -> dict[str, Any]:
        plan = {
            "target": target,
            "clients": CLIENTS,
            "warmup_calls": 0,
            "seconds": seconds + LEAD_SECONDS,
            "max_calls": MAX_CALLS,
        }
        reports: list[dict[str, Any]] = []
        running = threading.Thread(target=lambda: reports.append(load("run", plan)))
        running.start()
        time.sleep(LEAD_SECONDS)
        self._until(lambda: not running.is_alive(), taken)
        running.join()
        return reports[0]

    def _until(self, over: Any, taken: list[float]) -> None:
        while not over():
            start = time.monotonic()
            with DIRECT.open(self._page, timeout=60) as answer:
                answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{PAGE} answers {answer.status}.")
            taken.append((time.monotonic() - start) * 1000)
            time.sleep(PAUSE_SECONDS)

    # === The mix ===

    def _tool(self, key: str, kind: str, number: int) -> dict[str, Any]:
        if kind == "small":
            return _call(key, "search_read", SMALL.arguments)
        if kind == "heavy":
            return _call(key, "get_record", {"model": MODEL, "ids": self._ids[:HEAVY_ROWS], "fields": self._fields})
        values = {"model": MODEL, "ids": [self._ids[-1 - number]], "values": {"function": f"Number {number}"}}
        return _call(key, "update_record", values)

    def _raw(self, api_key: str, kind: str, number: int) -> dict[str, Any]:
        if kind == "small":
            request = self._odoo.request(api_key, MODEL, "search_read", **SMALL.keywords)
        elif kind == "heavy":
            request = self._odoo.request(api_key, MODEL, "read", self._ids[:HEAVY_ROWS], self._fields)
        else:
            values = {"function": f"Number {number}"}
            request = self._odoo.request(api_key, MODEL, "write", [self._ids[-1 - number]], values)
        return {**request, "headers": {**request["headers"], "X-Odoo-Database": self._odoo.database}}


def _call(key: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return mcp.request("tools/call", {"name": tool, "arguments": arguments}, key)


def _fields(odoo: Odoo) -> list[str]:
    """All stored fields of the model but files and lists of records."""
    found = odoo.call(MODEL, "fields_get", [], ["type", "store"])
    left = {"binary", "one2many", "many2many"}
    return sorted(name for name, field in found.items() if field["store"] and field["type"] not in left)


def _target(url: str, requests: list[dict[str, Any]], without: list[str]) -> dict[str, Any]:
    return {"url": url, "requests": requests, "rotate": True, "expect": {"statuses": [200], "without": without}}


def _figures(milliseconds: list[float]) -> dict[str, Any]:
    ranked = sorted(milliseconds)
    at = lambda share: ranked[min(len(ranked) - 1, int(share * len(ranked)))]  # noqa: E731
    return {"pages": len(ranked), "p50_ms": at(0.5), "p95_ms": at(0.95), "errors": 0, "cpu": 0.0}
