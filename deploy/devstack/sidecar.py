"""The sidecar of one stack: built from this checkout, configured for its Odoo, started."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from testkit.http import http_status

from devstack.console import Failure, step
from devstack.files import last_lines, write_text
from devstack.paths import Paths
from devstack.process import Process, run, run_shown, start, wait_until
from devstack.state import State

BINARY = "odoo-mcp-sidecar"
SERVICE_LOGIN = "mcp_sidecar_service"


def mcp_url(state: State) -> str:
    """Where AI tools connect."""
    return f"{_origin(state)}/odoo/mcp"


def admin_url(state: State) -> str:
    """Health and metrics."""
    return f"http://127.0.0.1:{state.port('admin')}"


def _origin(state: State) -> str:
    return f"http://127.0.0.1:{state.port('mcp')}"


def find_cargo() -> str:
    """The Rust toolchain, also where rustup put it but the shell does not look."""
    usual = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "bin/cargo"
    found = shutil.which("cargo") or (str(usual) if usual.exists() else None)
    if not found:
        raise Failure(
            "There is no cargo here. Install a Rust toolchain (rustup), version 1.88 or newer, and try again."
        )
    return found


class Sidecar:
    """The sidecar process."""

    def __init__(self, paths: Paths, state: State, odoo_url: str, database: str) -> None:
        self._paths = paths
        self._state = state
        self._odoo_url = odoo_url
        self._database = database
        self._config = paths.dev / "sidecar.toml"
        self._data = paths.dev / "sidecar"
        # A copy: another build, with other features, may replace cargo's own at any time.
        self._binary = paths.dev / "bin" / BINARY
        self.key_file = paths.dev / "service.key"
        self.log = paths.logs / "sidecar.log"

    def build(self) -> None:
        """Build the release binary; cargo says in a moment if there is nothing to do."""
        cargo = find_cargo()
        with step("sidecar: cargo build --release"):
            run_shown([cargo, "build", "--release", "--locked", "--quiet"], cwd=self._paths.checkout)
        metadata = run([cargo, "metadata", "--format-version", "1", "--no-deps", "--locked"], cwd=self._paths.checkout)
        built = Path(json.loads(metadata)["target_directory"]) / "release" / BINARY
        if not self._binary.exists() or built.read_bytes() != self._binary.read_bytes():
            self._binary.parent.mkdir(parents=True, exist_ok=True)
            draft = self._binary.with_suffix(".draft")
            shutil.copy2(built, draft)
            draft.replace(self._binary)

    def start(self) -> None:
        """Have the sidecar run this binary with this configuration and key."""
        self._write_config()
        inputs = (self._binary, self._config, self.key_file)
        digest = hashlib.sha256(b"\0".join(hashlib.sha256(path.read_bytes()).digest() for path in inputs)).hexdigest()
        if self.process() and self._state.get("sidecar") == digest:
            self._wait_until_ready()
            return
        self._state.stop("sidecar")
        for port in ("mcp", "admin"):
            self._state.require_free_port(port, "the sidecar")
        with step(f"sidecar on {mcp_url(self._state)}"):
            self._data.mkdir(exist_ok=True)
            command = [self._binary, "--config", self._config]
            # The file alone decides, whatever settings the caller's environment may hold.
            environment = {name: value for name, value in os.environ.items() if not name.startswith("ODOO_MCP_")}
            process = start(command, log=self.log, marker=str(self._binary), cwd=self._data, env=environment)
            self._state.remember_process("sidecar", process)
            self._state.put("sidecar", digest)
            self._wait_until_ready()

    def process(self) -> Process | None:
        """The running sidecar."""
        return self._state.process("sidecar")

    def _wait_until_ready(self) -> None:
        probe = f"{admin_url(self._state)}/readyz"
        wait_until(lambda: not self.process() or http_status(probe) == 200, 60)
        if not self.process():
            raise Failure(f"The sidecar ended.\n{last_lines(self.log)}\n(whole log: {self.log})")
        if http_status(probe) != 200:
            raise Failure(
                f"The sidecar does not become ready ({probe}).\n{last_lines(self.log)}\n(whole log: {self.log})"
            )

    def _write_config(self) -> None:
        top = {
            "listen": f"127.0.0.1:{self._state.port('mcp')}",
            "admin_listen": f"127.0.0.1:{self._state.port('admin')}",
            "public_url": _origin(self._state),
            "data_dir": str(self._data),
        }
        odoo = {
            "url": self._odoo_url,
            "database": self._database,
            "login": SERVICE_LOGIN,
            "api_key_file": str(self.key_file),
        }
        lines = [
            "# Written by deploy/dev, which overwrites changes.",
            *_toml(top),
            "",
            "[odoo]",
            *_toml(odoo),
        ]
        write_text(self._config, "\n".join(lines) + "\n")


def _toml(values: dict[str, str]) -> list[str]:
    # A TOML string and a JSON string agree on everything that occurs here.
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]
