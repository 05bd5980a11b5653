"""The running development stack, as `deploy/dev status --json` describes it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

CHECKOUT = Path(__file__).resolve().parents[3]
DEV = str(CHECKOUT / "deploy/dev")


@dataclass(frozen=True)
class Stack:
    """Addresses, logins and processes, key by key."""

    mcp_url: str
    odoo_url: str
    database: str
    admin_login: str
    # Secrets are not in the output of a failed test.
    admin_password: str = field(repr=False)
    api_key: str = field(repr=False)
    api_key_read_only: str = field(repr=False)
    admin_url: str
    pids: dict[str, int | None]

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Read the status from a file, or ask for it."""
        return cls(**(json.loads(file.read_text(encoding="utf-8")) if file else status()))


def status() -> dict[str, Any]:
    """What `deploy/dev status --json` answers now."""
    # Its exit code says whether all servers run; here the text counts.
    done = subprocess.run([DEV, "status", "--json"], stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout)


def state_folder() -> Path:
    """Where the stack keeps its state, logs among it."""
    return Path(os.environ.get("ODOO_MCP_DEV_DIR") or CHECKOUT / ".dev")
