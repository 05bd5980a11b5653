"""A second sidecar with the configuration of the running one: time from start to ready, and memory when idle."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
import urllib.error
from pathlib import Path
from typing import Any

from bench.mcp import DIRECT
from bench.process import free_port, memory_mb, server


def measure(pid: int, times: int) -> dict[str, Any]:
    """Start one several times, on other ports and with a data directory of its own."""
    words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
    config = Path(words[words.index("--config") + 1])
    seconds, memory = [], []
    for _time in range(times):
        with tempfile.TemporaryDirectory() as folder:
            took, idle = _once(words[0], config.read_text(encoding="utf-8"), Path(folder))
        seconds.append(took)
        memory.append(idle)
    return {"ready_ms": statistics.median(seconds) * 1000, "idle_mb": statistics.median(memory)}


def _once(program: str, config: str, folder: Path) -> tuple[float, float]:
    admin = f"127.0.0.1:{free_port()}"
    changed = {"listen": f"127.0.0.1:{free_port()}", "admin_listen": admin, "data_dir": str(folder / "data")}
    for name in changed:
        config = re.sub(rf"(?m)^{name} = .*\n", "", config)
    own = folder / "sidecar.toml"
    own.write_text("".join(f'{name} = "{value}"\n' for name, value in changed.items()) + config, encoding="utf-8")
    command = [program, "--config", str(own)]
    with server(command, {}, folder / "log", lambda: _ready(f"http://{admin}/readyz"), cwd=folder) as (pid, seconds):
        time.sleep(2)
        return seconds, memory_mb(pid)


def _ready(url: str) -> bool:
    try:
        with DIRECT.open(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False
