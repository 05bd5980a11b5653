"""Further sidecars with the configuration of the running one: how fast they start, and one without batches."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testkit.http import http_status

from bench.process import free_port, memory_mb, server

# More than the longest answer of the bench.
LONG_ANSWERS = "max_answer_chars = 2000000\n"


def measure(pid: int, times: int) -> dict[str, Any]:
    """Start one several times, on other ports and with a data directory of its own."""
    program, config = running(pid)
    seconds, memory = [], []
    for _time in range(times):
        with tempfile.TemporaryDirectory() as folder:
            took, idle = _once(program, config, Path(folder))
        seconds.append(took)
        memory.append(idle)
    return {"ready_ms": statistics.median(seconds) * 1000, "idle_mb": statistics.median(memory)}


@contextmanager
def unbatched(pid: int) -> Iterator[str]:
    """One that sends each read alone; yields the URL of its endpoint."""
    program, config = running(pid)
    config = re.sub(r"(?m)^\[odoo\]\n", "[odoo]\nbatch_size = 1\n", config)
    with tempfile.TemporaryDirectory() as folder, started(program, config, Path(folder)) as (listen, _pid, _seconds):
        yield f"http://{listen}/odoo/mcp"


@contextmanager
def long_answers(pid: int) -> Iterator[str]:
    """One whose answers may be as long as those of Odoo that they are compared with."""
    program, config = running(pid)
    if "[limits]" in config:
        raise SystemExit("The configuration of the stack must not set limits of its own.")
    config = f"{config}\n[limits]\n{LONG_ANSWERS}"
    with tempfile.TemporaryDirectory() as folder, started(program, config, Path(folder)) as (listen, _pid, _seconds):
        yield f"http://{listen}/odoo/mcp"


def running(pid: int) -> tuple[str, str]:
    """The program of a sidecar and the text of its configuration."""
    words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
    return words[0], Path(words[words.index("--config") + 1]).read_text(encoding="utf-8")


def _once(program: str, config: str, folder: Path) -> tuple[float, float]:
    with started(program, config, folder) as (_listen, pid, seconds):
        time.sleep(2)
        return seconds, memory_mb(pid)


@contextmanager
def started(program: str, config: str, folder: Path) -> Iterator[tuple[str, int, float]]:
    listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    changed = {"listen": listen, "admin_listen": admin, "data_dir": str(folder / "data")}
    for name in changed:
        config = re.sub(rf"(?m)^{name} = .*\n", "", config)
    own = folder / "sidecar.toml"
    own.write_text("".join(f'{name} = "{value}"\n' for name, value in changed.items()) + config, encoding="utf-8")
    command = [program, "--config", str(own)]
    ready = f"http://{admin}/readyz"
    with server(command, {}, folder / "log", lambda: http_status(ready) == 200, cwd=folder) as (pid, seconds):
        yield listen, pid, seconds
