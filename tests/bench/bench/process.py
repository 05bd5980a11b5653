"""Processes: memory, free ports, a server for the length of a block."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def memory_mb(pid: int) -> float:
    """Resident memory, in 10^6 bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6


@contextmanager
def server(
    command: list[str], environment: dict[str, str], log: Path, ready: Callable[[], bool], cwd: Path | None = None
) -> Iterator[tuple[int, float]]:
    """Run a server; gives its process id and the seconds it took until it was ready."""
    with log.open("wb") as stream:
        start = time.monotonic()
        child = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=cwd,
        )
    try:
        while not ready():
            if child.poll() is not None or time.monotonic() - start > 60:
                end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise SystemExit(f"{command[0]} does not start:\n{end}")
            time.sleep(0.001)
        yield child.pid, time.monotonic() - start
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
