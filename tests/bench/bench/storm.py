"""What a storm leaves in memory, and what a session and a stream cost, on a fresh sidecar of its own."""

from __future__ import annotations

import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testkit.credentials import unknown_key

from bench import mcp, startup, targets
from bench.dataset import LARGE
from bench.generator import load
from bench.process import memory_mb
from bench.sessions import Sessions

CLIENTS = 64
BAD_KEYS = 10_000
CONNECTS = 5_000
# Just below max_body_bytes.
BODY_BYTES = 4 * 1024 * 1024 - 4096
BODIES = 64
IDLE_SECONDS = 120
# The caps are not what is measured here.
LIMITS = f"[limits]\n{startup.LONG_ANSWERS}" + "".join(
    f"{name} = 16384\n"
    for name in ("sessions_per_connection", "sessions", "streams_per_connection", "streams", "in_flight_per_connection")
)


def measure(pid: int, key: str, rows: targets.Rows, sessions: int, idle: float = IDLE_SECONDS) -> dict[str, Any]:
    """Figures in 10^6 bytes, those of a session and a stream in 10^3."""
    program, config = startup.running(pid)
    if "[limits]" in config:
        raise SystemExit("The configuration of the stack must not set limits of its own.")
    config = f"{config}\n{LIMITS}"
    with tempfile.TemporaryDirectory() as folder, startup.started(program, config, Path(folder)) as started:
        listen, own, _seconds = started
        time.sleep(2)
        url = f"http://{listen}/odoo/mcp"
        found: dict[str, Any] = {"fresh_mb": memory_mb(own), "sessions": sessions}
        with _peak(own, found):
            found |= _sessions(own, url, key, sessions)
            _reads(url, key, rows)
            _bodies(url, key)
            _connects(url)
            _bad_keys(url)
        found["after_mb"] = memory_mb(own)
        time.sleep(idle)
        found["idle_mb"] = memory_mb(own)
    found["ratio"] = found["idle_mb"] / found["fresh_mb"]
    return found


@contextmanager
def _peak(pid: int, found: dict[str, Any]) -> Iterator[None]:
    """The most memory that was resident at once within the block, as the kernel keeps it."""
    yield
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found["peak_mb"] = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e6


def _sessions(pid: int, url: str, key: str, count: int) -> dict[str, float]:
    with Sessions(url, key) as sessions:
        # Caches and threads come with the first ones.
        sessions.open(count // 20)
        start = memory_mb(pid)
        sessions.open(count)
        opened = memory_mb(pid)
        sessions.listen()
        listening = memory_mb(pid)
    return {
        "session_kb": (opened - start) / count * 1e3,
        "stream_kb": (listening - opened) / (count + count // 20) * 1e3,
    }


def _reads(url: str, key: str, rows: targets.Rows) -> None:
    plan = targets.sidecar(url, [key], LARGE, rows).plan
    load("run", {"target": plan, "clients": CLIENTS, "warmup_calls": 0, "seconds": 15, "max_calls": 1000})


def _bodies(url: str, key: str) -> None:
    arguments = {"model": "res.partner", "values": {"comment": "x" * BODY_BYTES}}
    request = mcp.request("tools/call", {"name": "no_such_tool", "arguments": arguments}, key)

    def send() -> None:
        for _body in range(BODIES // 8):
            mcp.send(url, request)

    threads = [threading.Thread(target=send) for _thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _connects(url: str) -> None:
    parts = urlsplit(url)
    for _connect in range(CONNECTS):
        socket.create_connection((parts.hostname, parts.port), timeout=60).close()


def _bad_keys(url: str) -> None:
    requests = [mcp.request("tools/list", key=unknown_key()) for _ in range(BAD_KEYS)]
    plan = targets.plain("sidecar", url, requests, [401, 429]).plan
    load("run", {"target": plan, "clients": CLIENTS, "warmup_calls": 0, "seconds": 60, "max_calls": BAD_KEYS})
