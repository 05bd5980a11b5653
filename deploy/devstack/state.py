"""What one stack remembers between two runs: ports, processes, what was installed, and keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devstack.console import Failure
from devstack.files import PRIVATE, write_text
from devstack.process import Process, free_ports, port_open

PORTS = ("postgres", "odoo", "odoo_gevent", "mcp", "admin")


class Store:
    """A JSON object on disk; every change is written at once, so that a cut-off run loses nothing."""

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        self._mode = mode
        self._values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, name: str, default: Any = None) -> Any:
        """A remembered value."""
        return self._values.get(name, default)

    def put(self, name: str, value: Any) -> None:
        """Remember a value; None forgets it."""
        if self._values.get(name) == value:
            return
        if value is None:
            del self._values[name]
        else:
            self._values[name] = value
        write_text(self._path, json.dumps(self._values, indent=2, sort_keys=True) + "\n", self._mode)


class State:
    """The remembered facts of one stack by name."""

    def __init__(self, dev: Path) -> None:
        self._dev = dev
        self._facts = Store(dev / "state.json", 0o644)
        # API keys; nobody else on the machine may read them.
        self.secrets = Store(dev / "secrets.json", PRIVATE)

    def get(self, name: str, default: Any = None) -> Any:
        """A remembered fact."""
        return self._facts.get(name, default)

    def put(self, name: str, value: Any) -> None:
        """Remember a fact; None forgets it."""
        self._facts.put(name, value)

    def port(self, name: str) -> int:
        """The port of a server of this stack, chosen at the first question and kept from then on."""
        if self.get("ports") is None:
            self.put("ports", dict(zip(PORTS, free_ports(len(PORTS), str(self._dev)), strict=True)))
        return self.get("ports")[name]

    def require_free_port(self, name: str, program: str) -> None:
        """Stop with a clear word where another program took the port of one of ours."""
        port = self.port(name)
        if port_open(port):
            raise Failure(
                f"Port {port}, which belongs to {program} of this stack, is taken by another program. "
                "End that program, or let deploy/dev reset choose other ports (this deletes the database)."
            )

    def process(self, name: str) -> Process | None:
        """A server that was started and still runs."""
        record = self.get(f"process.{name}")
        process = Process(**record) if record else None
        return process if process and process.alive() else None

    def remember_process(self, name: str, process: Process | None) -> None:
        """Remember a started server, or forget a stopped one."""
        self.put(f"process.{name}", asdict(process) if process else None)

    def stop(self, name: str) -> None:
        """Stop a server that this stack started, and nothing else."""
        record = self.get(f"process.{name}")
        if record:
            Process(**record).stop()
        self.remember_process(name, None)
