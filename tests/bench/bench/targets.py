"""What is asked of whom, and how an answer is checked.

Each request is sent once before the clock starts and its answer is read row by row. From then on the load generator
checks status, size of the answer in rows, and that no error hides in it.
"""

from __future__ import annotations

import json
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench import mcp
from bench.dataset import MARK, MODEL, Question
from bench.odoo import Odoo
from bench.peers import RunningPeer

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Target:
    """One server, asked one thing."""

    name: str
    plan: dict[str, Any]
    # Characters that a model reads, against the same rows as compact JSON.
    text_ratio: float | None = None


def raw(odoo: Odoo, api_key: str, question: Question) -> tuple[Target, Rows]:
    """Odoo itself; its rows are what the others are compared with."""
    request = odoo.request(api_key, MODEL, "search_read", **question.keywords)
    status, body = mcp.send(odoo.object_url, request)
    rows = xmlrpc.client.loads(body)[0][0]
    _require("raw XML-RPC", status, rows, rows, question)
    return Target("raw", _plan(odoo.object_url, [request], body, ["faultCode"])), rows


def named(base: Target, database: str) -> Target:
    """The same requests with the database named in a header, as a plain XML-RPC client does not do.

    It spares Odoo the list of its databases, which costs a PostgreSQL connection where there is a database filter.
    """
    header = {"X-Odoo-Database": database}
    requests = [{**request, "headers": {**request["headers"], **header}} for request in base.plan["requests"]]
    return Target("raw, named", {**base.plan, "requests": requests})


def sidecar(url: str, keys: list[str], question: Question, rows: Rows) -> Target:
    """The sidecar, with one client per key."""
    requests = [
        mcp.request("tools/call", {"name": "search_read", "arguments": question.arguments}, key) for key in keys
    ]
    return _mcp_target("sidecar", url, requests, question, rows)


def peer(server: RunningPeer, question: Question, rows: Rows) -> Target | None:
    """Another server; None if it does not answer so many rows."""
    if question.limit > server.max_rows:
        return None
    request = mcp.request("tools/call", {"name": "search_records", "arguments": question.arguments})
    return _mcp_target(server.name, server.url, [request], question, rows)


def plain(name: str, url: str, requests: list[dict[str, Any]], statuses: list[int]) -> Target:
    """Requests of which only the status counts."""
    return Target(name, {"url": url, "requests": requests, "rotate": True, "expect": {"statuses": statuses}})


def tool_list(name: str, url: str, key: str | None = None) -> tuple[Target, int]:
    """The list of tools, and its size in bytes."""
    request = mcp.request("tools/list", key=key)
    status, body = mcp.send(url, request)
    count = len(mcp.result(body)["tools"]) if status == 200 else 0
    if not count:
        raise SystemExit(f"{name} lists no tools: {status} {body[:300]!r}")
    # Schemas may have a property of any name, so nothing is forbidden; one input schema a tool must be there.
    return Target(name, _plan(url, [request], body, [], '"inputSchema"')), len(body)


def _mcp_target(name: str, url: str, requests: list[dict[str, Any]], question: Question, rows: Rows) -> Target:
    for request in requests:
        status, body = _first_answer(url, request)
        if status != 200:
            raise SystemExit(f"{name} answers {status}: {body[:500]!r}")
        answer = mcp.result(body)
        text = next(block["text"] for block in answer["content"] if block["type"] == "text")
        _require(name, status, _find_rows(json.loads(text), len(rows)), rows, question)
    ratio = len(mcp.texts(answer).encode()) / len(mcp.compact(rows).encode())
    return Target(name, _plan(url, requests, body, ['"isError":true', '"error":{']), ratio)


def _first_answer(url: str, request: dict[str, Any]) -> tuple[int, bytes]:
    """Keys that the sidecar has never seen are looked up a few at a time; this is not what is measured."""
    for _attempt in range(30):
        status, body = mcp.send(url, request)
        if status != 429:
            break
        time.sleep(1)
    return status, body


def _plan(
    url: str, requests: list[dict[str, Any]], body: bytes, without: list[str], marker: str = MARK
) -> dict[str, Any]:
    count = body.count(marker.encode())
    expect = {"statuses": [200], "marker": {"text": marker, "count": count}, "without": without}
    return {"url": url, "requests": requests, "expect": expect}


def _require(name: str, status: int, found: Rows | None, rows: Rows, question: Question) -> None:
    """The rows must be the right ones, with every plain value that Odoo itself answers."""
    if status != 200 or found is None or len(found) != question.limit:
        raise SystemExit(f"{name} does not answer {question.limit} rows (status {status}).")
    for ours, theirs in zip(rows, found, strict=True):
        for field in ("id", *question.fields):
            value = ours[field]
            if value and isinstance(value, (str, int)) and field != "create_date" and theirs.get(field) != value:
                raise SystemExit(f"{name}: {field} of row {ours['id']} is {theirs.get(field)!r}, in Odoo {value!r}")


def _find_rows(value: Any, count: int) -> Rows | None:
    """The list of that many objects, wherever an answer keeps it."""
    is_rows: Callable[[Any], bool] = lambda item: (  # noqa: E731
        isinstance(item, list) and len(item) == count and all(isinstance(row, dict) and "id" in row for row in item)
    )
    return next((item for item in _walk(value) if is_rows(item)), None)


def _walk(value: Any) -> Iterator[Any]:
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _walk(child)
