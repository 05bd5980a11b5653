"""The two other MCP servers, each from its own virtual environment, started the way its manual says."""

from __future__ import annotations

import os
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import mcp
from bench.odoo import Odoo
from bench.process import free_port, server


@dataclass(frozen=True)
class Peer:
    """How to start one."""

    name: str
    # Names a variable that holds the path of its program.
    program: str
    arguments: Callable[[int], list[str]]
    environment: Callable[[int], dict[str, str]]
    # The most rows that one call answers.
    max_rows: int


@dataclass(frozen=True)
class RunningPeer:
    """Where one runs."""

    name: str
    url: str
    pid: int
    max_rows: int


PEERS = (
    Peer(
        "mcp-server-odoo 0.9.0",
        "BENCH_PEER_IVNVXD",
        lambda port: [],
        lambda port: {
            "ODOO_YOLO": "true",
            "ODOO_RPC_TRANSPORT": "xmlrpc",
            "ODOO_MCP_TRANSPORT": "streamable-http",
            "ODOO_MCP_PORT": str(port),
            # Its default of 100 would leave the large question unanswered.
            "ODOO_MCP_MAX_LIMIT": "1000",
        },
        1000,
    ),
    Peer(
        "odoo-mcp 1.3.0",
        "BENCH_PEER_ODOO_MCP",
        lambda port: ["--transport", "streamable-http", "--host", "127.0.0.1", "--port", str(port)],
        lambda port: {"ODOO_TRANSPORT": "xmlrpc"},
        100,
    ),
)


@contextmanager
def running(peer: Peer, odoo: Odoo, logs: Path) -> Iterator[RunningPeer]:
    """Run one for the length of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    login = {"ODOO_USER": odoo.login, "ODOO_USERNAME": odoo.login, "ODOO_PASSWORD": odoo.password}
    environment = {"ODOO_URL": odoo.url, "ODOO_DB": odoo.database, **login, **peer.environment(port)}
    command = [os.environ[peer.program], *peer.arguments(port)]
    log = logs / f"{peer.name.split()[0]}.log"
    with server(command, environment, log, lambda: _answers(url), cwd=logs) as (pid, _seconds):
        yield RunningPeer(peer.name, url, pid, peer.max_rows)


def _answers(url: str) -> bool:
    try:
        return mcp.send(url, mcp.request("tools/list"))[0] == 200
    except (urllib.error.URLError, ConnectionError):
        return False
