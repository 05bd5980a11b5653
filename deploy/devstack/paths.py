"""Where things lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The directories of one stack."""

    # The git checkout this script belongs to.
    checkout: Path
    # State of this stack; `reset` removes it.
    dev: Path
    # Downloads and what was made of them, shared by all checkouts of a user.
    cache: Path

    @classmethod
    def find(cls) -> Paths:
        """Take the directories from the environment, or the usual ones."""
        checkout = Path(__file__).resolve().parents[2]
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(
            checkout=checkout,
            dev=Path(os.environ.get("ODOO_MCP_DEV_DIR") or checkout / ".dev").absolute(),
            cache=Path(os.environ.get("ODOO_MCP_CACHE") or caches / "odoo-mcp-sidecar").absolute(),
        )

    @property
    def addons(self) -> Path:
        """The folder that holds our addon, for Odoo's addons path."""
        return self.checkout / "odoo_addon"

    @property
    def addon(self) -> Path:
        """Our addon."""
        return self.addons / "mcp_sidecar"

    @property
    def logs(self) -> Path:
        """One log file for each server."""
        return self.dev / "logs"

    @property
    def filestore(self) -> Path:
        """Where Odoo keeps attachments, one folder a database."""
        return self.dev / "odoo" / "filestore"
