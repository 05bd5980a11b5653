"""The running stack, as `deploy/dev status --json` tells it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
DEV = str(CHECKOUT / "deploy/dev")


@dataclass(frozen=True)
class Stack:
    """Addresses, logins and processes."""

    mcp_url: str
    odoo_url: str
    database: str
    admin_login: str
    admin_password: str
    admin_url: str
    sidecar_pid: int | None

    @classmethod
    def load(cls, status: Path | None) -> Stack:
        """Read the given status, or bring the stack up and ask it."""
        if status:
            text = status.read_text(encoding="utf-8")
        else:
            subprocess.run([DEV, "up"], check=True, stdout=subprocess.DEVNULL)
            text = subprocess.run([DEV, "status", "--json"], check=True, capture_output=True, text=True).stdout
        facts: dict[str, Any] = json.loads(text)
        names = ("mcp_url", "odoo_url", "database", "admin_login", "admin_password", "admin_url")
        return cls(**{name: facts[name] for name in names}, sidecar_pid=facts["pids"].get("sidecar"))
