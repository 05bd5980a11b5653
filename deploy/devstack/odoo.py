"""The Odoo server of one stack, its database, and our addon in it."""

from __future__ import annotations

import re
import shutil

from testkit.http import http_status

from devstack.console import Failure, step
from devstack.files import last_lines, tree_digest, write_text
from devstack.odoo_package import LAUNCHER, OdooPackage
from devstack.paths import Paths
from devstack.postgres import ROLE, Postgres
from devstack.process import Process, free_ports, run, run_shown, start, wait_until
from devstack.state import State
from devstack.template import Template

DATABASE = "odoo_dev"
TEST_DATABASE = "odoo_test"
ADMIN = ("admin", "admin")
MODULE = "mcp_sidecar"
# XML-RPC is what the sidecar speaks; a notice for each call would bury everything else.
MUTED = ("odoo.addons.rpc.controllers.xmlrpc:ERROR", "odoo.addons.rpc.controllers.jsonrpc:ERROR")
# Changed tests change nothing that is installed.
NOT_INSTALLED = ("tests",)
# Everything the tests say, and from the rest of Odoo only complaints.
TEST_LOG = (":WARNING", "werkzeug:WARNING", f"odoo.addons.{MODULE}.tests:INFO", "odoo.tests:INFO")
TEST_SUMMARY = re.compile(r"\d+ failed, \d+ error\(s\) of (\d+) tests")


def odoo_url(state: State) -> str:
    """Where Odoo answers."""
    return f"http://127.0.0.1:{state.port('odoo')}"


class Odoo:
    """Odoo with two worker processes, as an administrator would run it."""

    def __init__(
        self, paths: Paths, state: State, package: OdooPackage, postgres: Postgres, template: Template
    ) -> None:
        self._paths = paths
        self._state = state
        self._package = package
        self._postgres = postgres
        self._template = template
        self._config = paths.dev / "odoo.conf"
        self.log = paths.logs / "odoo.log"
        self.url = odoo_url(state)

    def ensure_database(self) -> None:
        """Make the development database from the template unless there is one."""
        if DATABASE in self._postgres.databases():
            return
        with step(f"database {DATABASE}"):
            # Odoo would follow the address at which an administrator last logged in, and print it in links.
            parameters = {"web.base.url": self.url, "web.base.url.freeze": "True"}
            self._template.copy(DATABASE, self._paths.filestore, parameters)
        # What was installed went with the database before.
        self._state.put("addon", None)

    def start(self) -> None:
        """Install or upgrade the addon if its files changed, and have the server run."""
        self._write_config()
        self._ensure_addon()
        if self._serves():
            return
        # Its workers outlive a master that was killed, for a while, and hold the port.
        self._state.stop("odoo")
        self._state.require_free_port("odoo", "Odoo")
        with step(f"Odoo on {self.url}"):
            command = self._package.command("--config", self._config)
            environment = self._package.environment
            process = start(command, log=self.log, marker=str(LAUNCHER), cwd=self._paths.dev, env=environment)
            self._state.remember_process("odoo", process)
            # The first request loads the registry.
            ready = f"{self.url}/web/health"
            wait_until(lambda: not process.alive() or http_status(ready, timeout=60) == 200, 120)
            if not process.alive() or http_status(ready) != 200:
                raise Failure(f"Odoo does not start.\n{last_lines(self.log)}\n(whole log: {self.log})")

    def process(self) -> Process | None:
        """The running server."""
        return self._state.process("odoo")

    def _serves(self) -> bool:
        """Whether the server answers. One that was just told to end still has a process, but no ear."""
        process, health = self.process(), f"{self.url}/web/health"
        if not process:
            return False
        wait_until(lambda: not process.alive() or http_status(health) == 200, 15)
        return process.alive() and http_status(health) == 200

    def run_addon_tests(self, tags: str) -> None:
        """Run the addon's tests on a database of their own; output goes to the terminal."""
        self._require_addon()
        self._postgres.drop(TEST_DATABASE)
        self._template.copy(TEST_DATABASE, self._paths.filestore, {})
        [port] = free_ports(1, f"{self._paths.dev} tests")
        arguments = [*self._database_options(TEST_DATABASE), "--http-interface=127.0.0.1", f"--http-port={port}"]
        arguments += [f"--init={MODULE}", f"--test-tags={tags}", "--stop-after-init"]
        arguments += ["--log-handler", ",".join((*TEST_LOG, *MUTED))]
        try:
            output = run_shown(self._package.command(*arguments), env=self._package.environment)
            # Odoo is content with no tests at all, for example where the tags match nothing.
            results = TEST_SUMMARY.findall(output)
            if not results or results[-1] == "0":
                raise Failure(f"Odoo ran no tests for the tags {tags}.")
        finally:
            self._postgres.drop(TEST_DATABASE)
            shutil.rmtree(self._paths.filestore / TEST_DATABASE, ignore_errors=True)

    def _ensure_addon(self) -> None:
        self._require_addon()
        digest = tree_digest(self._paths.addon, skip=NOT_INSTALLED)
        known = self._state.get("addon")
        if known == digest:
            return
        verb, option = ("upgrade", "-u") if known else ("install", "-i")
        with step(f"addon {MODULE}: {verb}"):
            # Workers would go on with the old code, and their transactions would fight the upgrade.
            self._state.stop("odoo")
            log = self._paths.logs / "addon.log"
            log.unlink(missing_ok=True)
            arguments = [*self._database_options(DATABASE), option, MODULE, "--stop-after-init", "--no-http"]
            run(self._package.command(*arguments), env=self._package.environment, log=log)
            state = self._postgres.sql(DATABASE, f"SELECT state FROM ir_module_module WHERE name = '{MODULE}'").strip()
            if state != "installed":
                raise Failure(f"Odoo did not {verb} {MODULE} (its state: {state or 'unknown'}).\n{last_lines(log)}")
        self._state.put("addon", digest)

    def _require_addon(self) -> None:
        if not (self._paths.addon / "__manifest__.py").exists():
            raise Failure(f"No addon at {self._paths.addon}.")

    def _database_options(self, database: str) -> list[str]:
        folders = ["--addons-path", self._addons_path(), "--data-dir", str(self._paths.dev / "odoo")]
        server = ["--db_host", "127.0.0.1", "--db_port", str(self._postgres.port), "--db_user", ROLE]
        return [*folders, *server, "-d", database]

    def _addons_path(self) -> str:
        return f"{self._package.library / 'odoo/addons'},{self._paths.addons}"

    def _write_config(self) -> None:
        options = {
            "addons_path": self._addons_path(),
            "data_dir": self._paths.dev / "odoo",
            "db_host": "127.0.0.1",
            "db_port": self._postgres.port,
            "db_user": ROLE,
            "db_name": DATABASE,
            "dbfilter": f"^{DATABASE}$",
            "list_db": False,
            "http_interface": "127.0.0.1",
            "http_port": self._state.port("odoo"),
            "gevent_port": self._state.port("odoo_gevent"),
            "proxy_mode": False,
            "workers": 2,
            "max_cron_threads": 1,
            "limit_time_cpu": 300,
            "limit_time_real": 600,
            "log_handler": ",".join((":INFO", *MUTED)),
        }
        lines = [f"{name} = {value}\n" for name, value in options.items()]
        text = "".join(["[options]\n", *lines])
        if self._config.exists() and self._config.read_text(encoding="utf-8") == text:
            return
        # A running server has read the old one.
        self._state.stop("odoo")
        write_text(self._config, text)
