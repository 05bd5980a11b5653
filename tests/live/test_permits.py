"""What calls hold: Odoo's workers in turns, and memory until the last byte of an answer is read."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlparse

import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wire import Reply, Wire

# More than the 32 of one connection that there were places for once.
PARALLEL = 40
# Answers that are not read, each as long as an answer may be: half a million bytes in 132,000 characters.
UNREAD = 120
ROWS = 12
ROW_CHARS = 11_000
# limits.memory, and what the process takes besides.
MOST_MB = 128 + 64
# Long enough for every one of them to have been answered or refused.
SETTLED_SECONDS = 15


@pytest.fixture
def heavy(odoo: Odoo) -> dict[str, object]:
    """Arguments of a read that is long by what it asks for: a thousand rows of more than 25 fields."""
    found = odoo.call("ir.model.fields", "fields_get", [], ["type", "store"])
    stored = sorted(name for name, field in found.items() if field["store"] and field["type"] != "binary")
    assert len(stored) > 25
    return {"model": "ir.model.fields", "domain": [], "fields": stored[:30], "limit": 1000, "order": "id"}


def test_parallel_long_calls_wait_and_others_go_on(
    stack: Stack, connect: Callable, heavy: dict[str, object], tag: str, odoo: Odoo
) -> None:
    first, second = connect(), connect()
    partner = odoo.call("res.partner", "create", {"name": tag})

    def long_one(_number: int) -> Reply:
        wire = Wire(stack.mcp_url, first.key)
        try:
            return wire.call("search_read", **heavy)
        finally:
            wire.close()

    with ThreadPoolExecutor(PARALLEL) as pool:
        running = [pool.submit(long_one, number) for number in range(PARALLEL)]
        while not any(future.done() for future in running):
            time.sleep(0.01)
        # The first has been answered, so the others are on their way.
        for _time in range(3):
            reply = second.wire.call("get_record", model="res.partner", ids=[partner], fields=["name"])
            assert reply.data["records"][0]["name"] == tag
        assert not all(future.done() for future in running), "the small reads had to wait for all the long ones"
        replies = [future.result() for future in running]
    # Too slow a machine may leave no time for the last ones; none is turned away for being the 33rd.
    assert {reply.status for reply in replies} == {200}
    refused = [reply.complaint for reply in replies if reply.failed]
    assert all("temporary" in text for text in refused), refused
    assert len(refused) < PARALLEL - 32, refused


@pytest.fixture
def long_rows(odoo: Odoo, tag: str) -> Iterator[list[int]]:
    """Records whose text makes an answer of more than half a million bytes."""
    text = "\N{GRINNING FACE}" * ROW_CHARS
    yield [odoo.call("res.partner", "create", {"name": f"{tag} {row}", "function": text}) for row in range(ROWS)]


def test_unread_answers_are_bounded_and_a_reader_gets_all(
    stack: Stack, connect: Callable, long_rows: list[int]
) -> None:
    pid = stack.sidecar_pid()
    connection = connect()
    arguments = {"model": "res.partner", "ids": long_rows, "fields": ["function"]}
    assert len(connection.wire.call("get_record", **arguments).data["records"]) == ROWS
    sockets = [_ask(stack.mcp_url, connection, arguments) for _ in range(UNREAD)]
    try:
        most = _watch(pid, SETTLED_SECONDS)
        assert most < MOST_MB, f"{most:.0f} MB for answers that no one reads"
        heads = [_head(unread) for unread in sockets]
    finally:
        for unread in sockets:
            unread.close()
    answered = [head for head in heads if head]
    assert all(head.startswith(("HTTP/1.1 200", "HTTP/1.1 429")) for head in answered), answered
    # What the socket has taken is no longer held here. That longer answers are refused: tests/api/web_permits.rs.
    refused = [head for head in answered if '"isError":true' in head]
    assert all("temporary" in head for head in refused), refused
    assert len(refused) < len(answered), "all were refused"
    # The readers are gone, and so is what they held.
    deadline = time.monotonic() + 60
    while (reply := connection.wire.call("get_record", **arguments)).failed and time.monotonic() < deadline:
        time.sleep(1)
    rows = reply.data["records"]
    assert [row["id"] for row in rows] == long_rows


def _ask(url: str, connection: object, arguments: dict[str, object]) -> socket.socket:
    """Send a call over a socket with a small buffer, and read nothing."""
    wire = connection.wire
    address = urlparse(url)
    params = {"name": "get_record", "arguments": arguments}
    body = json.dumps(wire.body("tools/call", params)).encode()
    headers = {**wire.headers("tools/call", "get_record"), "Host": address.netloc, "Content-Length": len(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    unread = socket.socket()
    unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unread.connect((address.hostname, address.port))
    unread.sendall(f"POST {address.path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return unread


def _head(unread: socket.socket) -> str:
    """What has come so far; nothing of one that waits still."""
    unread.setblocking(False)
    try:
        return unread.recv(2000).decode(errors="replace")
    except (BlockingIOError, ConnectionError):
        return ""


def _watch(pid: int, seconds: float) -> float:
    """The most memory that a process takes in this time, in MB."""
    most, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        most = max(most, int(resident.split()[1]) / 1024)
        time.sleep(0.1)
    return most
