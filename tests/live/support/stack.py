"""The running stack."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import testkit.stack
from testkit.stack import DEV, state_folder, status

from support.wait import until


class Stack(testkit.stack.Stack):
    """The stack, whose servers a test may stop and start."""

    @property
    def folder(self) -> Path:
        """Where the stack keeps its state, logs among it."""
        return state_folder()

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
    pid = status()["pids"][server]
    assert pid, f"{server} does not run"
    return pid
