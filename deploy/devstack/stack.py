"""The whole stack: what the commands of deploy/dev do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from devstack import odoo_package
from devstack.console import step
from devstack.odoo import ADMIN, DATABASE, Odoo, odoo_url
from devstack.paths import Paths
from devstack.postgres import Postgres
from devstack.process import Process
from devstack.provision import Provision
from devstack.sidecar import Sidecar, admin_url, find_cargo, mcp_url
from devstack.state import State
from devstack.template import STANDARD, Template

SERVERS = ("postgres", "odoo", "sidecar")


class Stack:
    """One PostgreSQL, one Odoo and one sidecar that belong together."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._state = State(paths.dev)
        self._postgres = Postgres(self._state, paths.dev)
        self._sidecar = Sidecar(paths, self._state, odoo_url(self._state), DATABASE)

    def up(self) -> None:
        """Bring everything up; what is up already stays as it is."""
        find_cargo()
        odoo = self.odoo()
        odoo.ensure_database()
        odoo.start()
        provision = Provision(self._state, odoo.url)
        provision.service_key(self._sidecar.key_file)
        provision.switch_on()
        self._sidecar.build()
        self._sidecar.start()
        provision.connections(mcp_url(self._state))
        provision.first_call(mcp_url(self._state))

    def prepare(self, modules: str = STANDARD) -> None:
        """Downloads, PostgreSQL and the template: everything that does not need our own code."""
        self.odoo(modules)

    def down(self) -> None:
        """Stop the servers."""
        for name, stop in (
            ("sidecar", lambda: self._state.stop("sidecar")),
            ("odoo", lambda: self._state.stop("odoo")),
            ("postgres", self._postgres.stop),
        ):
            if self._state.process(name):
                with step(f"stop {name}"):
                    stop()

    def reset(self) -> None:
        """Stop the servers and forget database, keys, ports and logs."""
        self.down()
        with step(f"delete the state in {self._paths.dev}"):
            self._postgres.remove()
            # By name: the directory may be one that the user keeps other things in.
            for name in ("odoo", "sidecar", "bin", "logs"):
                shutil.rmtree(self._paths.dev / name, ignore_errors=True)
            for name in ("odoo.conf", "sidecar.toml", "service.key", "secrets.json", "state.json"):
                (self._paths.dev / name).unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """Where everything is."""
        return {
            "mcp_url": mcp_url(self._state),
            "odoo_url": odoo_url(self._state),
            "database": DATABASE,
            "admin_login": ADMIN[0],
            "admin_password": ADMIN[1],
            "api_key": self._state.secrets.get("api_key"),
            "api_key_read_only": self._state.secrets.get("api_key_read_only"),
            "admin_url": admin_url(self._state),
            "pids": {name: _pid(self._state.process(name)) for name in SERVERS},
        }

    def logs(self) -> dict[str, Path]:
        """The log of each server."""
        return {
            "odoo": self._paths.logs / "odoo.log",
            "sidecar": self._paths.logs / "sidecar.log",
            "postgres": self._postgres.log,
        }

    def odoo(self, modules: str = STANDARD) -> Odoo:
        """Odoo's half, with everything it needs in place and these modules in its databases."""
        package = odoo_package.ensure(self._paths.cache)
        self._postgres.start()
        template = Template(self._paths.cache, package, self._postgres, self._paths.logs / "template.log", modules)
        template.ensure()
        return Odoo(self._paths, self._state, package, self._postgres, template)


def _pid(process: Process | None) -> int | None:
    return process.pid if process else None
