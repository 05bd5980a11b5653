"""The running stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.wait import until

CHECKOUT = Path(__file__).resolve().parents[3]
DEV = str(CHECKOUT / "deploy/dev")


@dataclass(frozen=True)
class Stack:
    """What `deploy/dev status --json` says, key by key."""

    mcp_url: str
    odoo_url: str
    database: str
    admin_login: str
    admin_password: str
    # Not in the output of a failed test.
    api_key: str = field(repr=False)
    api_key_read_only: str = field(repr=False)
    admin_url: str
    pids: dict[str, int | None]

    @classmethod
    def load(cls, status: Path | None) -> Stack:
        """Read the given status, or ask for it."""
        if status:
            return cls(**json.loads(status.read_text(encoding="utf-8")))
        return cls(**_status())

    @property
    def folder(self) -> Path:
        """Where the stack keeps its state, logs among it."""
        return Path(os.environ.get("ODOO_MCP_DEV_DIR") or CHECKOUT / ".dev")

    @property
    def logs(self) -> list[Path]:
        """All that its servers wrote."""
        return sorted((self.folder / "logs").glob("*.log"))

    def odoo_pid(self) -> int:
        """Odoo's main process, which a restart changes."""
        return _pid("odoo")

    def sidecar_pid(self) -> int:
        """The sidecar's process, which a restart changes."""
        return _pid("sidecar")

    def stop_odoo(self) -> int:
        """Shut Odoo down, as its administrator would, and wait until it is gone; gives its process id."""
        pid = self.odoo_pid()
        os.kill(pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{pid}").exists(), "Odoo shuts down", seconds=90)
        return pid

    @contextmanager
    def fresh_sidecar(self) -> Iterator[None]:
        """Kill the sidecar and have one started anew, without all the rest that `up` does."""
        pid = self.sidecar_pid()
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
        folder = Path(f"/proc/{pid}/cwd").readlink()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), "the sidecar is gone")
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                yield
            finally:
                child.terminate()
        self.up()

    def up(self) -> None:
        """Start what does not run."""
        done = subprocess.run([DEV, "up"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"deploy/dev up failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _pid(server: str) -> int:
    pid = _status()["pids"][server]
    assert pid, f"{server} does not run"
    return pid


def _status() -> dict[str, Any]:
    # Its exit code says whether all servers run; here the text counts.
    done = subprocess.run([DEV, "status", "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)
