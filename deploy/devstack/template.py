"""A database with Odoo's own modules and demo data, made once for a machine and copied ever after.

Making one takes minutes, restoring its dump seconds, copying it inside a cluster one second. Our addon is not in it:
installing the addon is what the tests are about.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from devstack.console import step
from devstack.files import empty_directory, locked
from devstack.odoo_package import OdooPackage
from devstack.postgres import ROLE, SUPERUSER, Postgres
from devstack.process import run

STANDARD = "standard"
FULL = "full"
_STANDARD_MODULES = ("base", "web", "sale_management", "contacts")
_MORE_MODULES = ("sale_stock", "purchase", "crm", "project", "calendar", "hr")
# What one can be made with; Odoo adds the modules that link these, such as purchase_stock.
MODULES = MappingProxyType({STANDARD: _STANDARD_MODULES, FULL: (*_STANDARD_MODULES, *_MORE_MODULES)})
# Style sheets and scripts are compiled at the first page of each database, unless it comes with them.
WARM_UP = "env['ir.qweb']._pregenerate_assets_bundles(); env.cr.commit()"


class Template:
    """The template in the cache and in the cluster of one stack."""

    def __init__(
        self, cache: Path, package: OdooPackage, postgres: Postgres, log: Path, modules: str = STANDARD
    ) -> None:
        self._modules = MODULES[modules]
        key = hashlib.sha256("\n".join((package.version, *self._modules, WARM_UP)).encode()).hexdigest()[:12]
        self.database = f"template_{key}"
        self._folder = cache / "templates" / key
        self._lock = cache / "locks" / "template"
        self._package = package
        self._postgres = postgres
        self._log = log

    def ensure(self) -> None:
        """Have the template in the cluster."""
        with locked(self._lock):
            if not self._folder.exists():
                self._make()
            if self.database not in self._postgres.databases():
                self._restore()

    def copy(self, database: str, filestore: Path, parameters: Mapping[str, str]) -> None:
        """Make a database from the template, with these system parameters and an identity of its own."""
        self.ensure()
        draft = f"{database}_draft"
        self._postgres.drop(draft)
        self._postgres.copy(self.database, draft)
        values = {"database.uuid": str(uuid4()), "database.secret": str(uuid4()), **parameters}
        rows = ", ".join(f"('{name}', '{value}')" for name, value in values.items())
        self._postgres.sql(
            draft,
            f"INSERT INTO ir_config_parameter (key, value) VALUES {rows}"
            " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        )
        target = filestore / database
        shutil.rmtree(target, ignore_errors=True)
        # Links instead of copies: Odoo names these files by content and never changes one.
        shutil.copytree(self._folder / "filestore", target, copy_function=_link)
        self._postgres.rename(draft, database)

    def _make(self) -> None:
        draft = empty_directory(self._folder.with_suffix(".draft"))
        database = f"{self.database}_draft"
        data = draft / "data"
        options = ["--data-dir", data, "--no-http", "--log-level=warn", "-d", database]
        options += ["--db_host", "127.0.0.1", "--db_port", str(self._postgres.port), "--db_user", ROLE]
        with step(f"template database ({', '.join(self._modules)}, demo data; once, takes minutes)"):
            self._postgres.drop(database)
            self._postgres.copy("template0", database)
            self._odoo(*options, "-i", ",".join(self._modules), "--with-demo", "--stop-after-init")
        with step("template database: assets"):
            self._odoo("shell", *options, stdin=WARM_UP)
        with step("template database: dump"):
            dump = draft / "dump"
            run([*self._postgres.client("pg_dump"), "-Fc", "--no-owner", "-f", dump, "-d", database])
            (draft / "filestore").mkdir()
            if (data / "filestore" / database).exists():
                shutil.rmtree(draft / "filestore")
                (data / "filestore" / database).rename(draft / "filestore")
            shutil.rmtree(data, ignore_errors=True)
            draft.rename(self._folder)
        self._postgres.rename(database, self.database)

    def _odoo(self, *arguments: str | Path, stdin: str = "") -> None:
        command = self._package.command(*arguments)
        run(command, env=self._package.environment, cwd=self._folder.parent, log=self._log, stdin=stdin)

    def _restore(self) -> None:
        draft = f"{self.database}_draft"
        with step("template database: restore"):
            self._postgres.drop(draft)
            self._postgres.copy("template0", draft)
            restore = ["--no-owner", "--no-comments", "--exit-on-error", "--jobs", "2", "-d", draft]
            run([*self._postgres.client("pg_restore"), *restore, self._folder / "dump"])
            self._postgres.sql(draft, "ANALYZE", role=SUPERUSER)
        self._postgres.rename(draft, self.database)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # The cache lies on another file system.
        shutil.copy2(source, target)
