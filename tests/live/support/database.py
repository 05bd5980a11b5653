"""The database as its owner reaches it: what server code of an administrator can do, and more."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.stack import Stack


class Database:
    """SQL as the role that Odoo itself uses."""

    def __init__(self, stack: Stack) -> None:
        state = json.loads((stack.folder / "state.json").read_text(encoding="utf-8"))
        self._arguments = ["-h", "127.0.0.1", "-p", str(state["ports"]["postgres"]), "-U", "odoo", "-d", stack.database]

    def sql(self, *statements: str) -> str:
        """Run statements in one transaction; what they print."""
        command = [_psql(), *self._arguments, "-XAtq", "-v", "ON_ERROR_STOP=1", "-1"]
        command += [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _psql() -> str:
    return str(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1])
