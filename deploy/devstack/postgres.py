"""A private PostgreSQL cluster: loopback only, no passwords, not made to survive a power failure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from devstack.console import Failure, step
from devstack.files import last_lines
from devstack.process import Process, run, wait_until
from devstack.state import State

# Odoo refuses the role name "postgres".
SUPERUSER = "cluster"
ROLE = "odoo"


class Postgres:
    """The cluster of one stack."""

    def __init__(self, state: State, dev: Path) -> None:
        self._state = state
        self._dev = dev
        self.port = state.port("postgres")
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None

    @property
    def _home(self) -> Path:
        """The directory of data and log, remembered because it may lie outside the stack's own."""
        return Path(self._state.get("postgres.home") or self._dev / "postgres")

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._home / "log"

    def start(self) -> None:
        """Make the cluster if there is none, and start it if it does not run."""
        if self.process():
            return
        with step("PostgreSQL"):
            self._state.stop("postgres")
            if not (self._home / "complete").exists():
                self._create()
            self._state.require_free_port("postgres", "PostgreSQL")
            self._launch()

    def process(self) -> Process | None:
        """The running server."""
        return self._state.process("postgres")

    def stop(self) -> None:
        """Stop the server at once; a "smart" stop would wait for clients."""
        process = self.process()
        if process:
            self._control("stop", "-m", "fast")
        self._state.remember_process("postgres", None)

    def remove(self) -> None:
        """Delete the cluster."""
        shutil.rmtree(self._home, ignore_errors=True)
        self._state.put("postgres.home", None)

    def sql(self, database: str, statement: str, *, role: str = ROLE) -> str:
        """Run a statement in a database; answers the bare values."""
        psql = self.client("psql", role)
        return run([*psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement])

    def databases(self) -> set[str]:
        """The names of all databases."""
        return set(self.sql("postgres", "SELECT datname FROM pg_database").split())

    def copy(self, source: str, target: str) -> None:
        """Make a database from another one, file by file."""
        run([*self.client("createdb"), "--template", source, target])

    def rename(self, database: str, name: str) -> None:
        """Give a database its final name: the sign that it is complete."""
        self.sql("postgres", f"ALTER DATABASE {database} RENAME TO {name}")

    def drop(self, database: str) -> None:
        """Delete a database, throwing out whoever uses it."""
        run([*self.client("dropdb"), "--if-exists", "--force", database])

    def client(self, program: str, role: str = ROLE) -> list[str]:
        """The start of a command line of a PostgreSQL client program."""
        return [str(_programs() / program), "-h", "127.0.0.1", "-p", str(self.port), "-U", role, "-w"]

    def _create(self) -> None:
        self.remove()
        home = self._choose_home()
        home.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(home, self._user, self._user)
        data = home / "data"
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        run([_programs() / "initdb", "-D", data, "-U", SUPERUSER, *options], user=self._user)
        # Fast rather than durable: what survives a kill of a process here need not survive a loss of power.
        settings = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": "''",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "256MB",
            "max_connections": 200,
        }
        with (data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self._launch()
        try:
            self.sql("postgres", f"CREATE ROLE {ROLE} LOGIN CREATEDB", role=SUPERUSER)
        finally:
            self._control("stop", "-m", "fast")
        (home / "complete").touch()

    def _choose_home(self) -> Path:
        """The stack's own directory, or one in /var/tmp where PostgreSQL's user cannot reach that."""
        if not self._user or self._reachable(self._dev):
            return self._home
        home = Path(tempfile.mkdtemp(prefix="odoo-mcp-sidecar-", dir="/var/tmp"))
        self._state.put("postgres.home", str(home))
        return home

    def _reachable(self, folder: Path) -> bool:
        folder.mkdir(parents=True, exist_ok=True)
        return not subprocess.run(
            ["test", "-x", folder], user=self._user, group=self._user, extra_groups=[], cwd="/", check=False
        ).returncode

    def _launch(self) -> None:
        self.log.touch()
        if self._user:
            shutil.chown(self.log, self._user, self._user)
        try:
            self._control("start", "-l", str(self.log), "-t", "60")
        except Failure as failure:
            raise Failure(f"PostgreSQL does not start on port {self.port}.\n{last_lines(self.log)}") from failure
        pid_file = self._home / "data/postmaster.pid"
        wait_until(pid_file.exists, 5)
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        self._state.remember_process("postgres", Process.of(pid, str(self._home / "data")))

    def _control(self, *arguments: str) -> None:
        # Output to a file: the server inherits it, and a pipe would never end.
        log = self._home / "pg_ctl.log"
        run([_programs() / "pg_ctl", "-D", self._home / "data", "-w", *arguments], user=self._user, log=log)


def _programs() -> Path:
    """The newest PostgreSQL on this machine (Debian keeps the server's programs out of PATH)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: _version(path.parents[1].name))
    if not found:
        raise Failure("PostgreSQL is not installed; run deploy/dev up.")
    return found[-1].parent


def _version(name: str) -> int:
    digits = re.match(r"\d+", name)
    return int(digits[0]) if digits else 0
