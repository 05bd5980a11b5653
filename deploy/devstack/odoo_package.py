"""Odoo 19 in the cache: Debian's package, unpacked, and a virtual environment that can run it.

The package cannot be installed on Debian 12 (it asks for a newer Python), but it is pure Python: unpacked beside a
virtual environment with its dependencies it runs as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from devstack.console import Failure, step
from devstack.files import empty_directory, locked, write_text
from devstack.process import run

PACKAGE = "odoo-19"
SUITE = "sid"
LIBRARY = "usr/lib/python3/dist-packages"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
REQUIREMENTS = Path(__file__).with_name("odoo-requirements.txt")
# What Debian's package links to outside itself: the packages deploy/dev installs put it there.
SHARED = ("javascript", "fonts", "fonts-font-awesome")
# Named in an asset bundle, but not in the package; without it every page logs an error.
LEFT_OUT = ("mail/static/lib/selfie_segmentation/selfie_segmentation.js",)
# Debian's Python, whatever version manager comes first in PATH.
PYTHON = Path("/usr/bin/python3")
INJECTED = ("PYTHON", "VIRTUAL_ENV", "PG", "ODOO")
LAUNCHER = Path(__file__).resolve().parents[1] / "lib/odoo-bin"


@dataclass(frozen=True)
class OdooPackage:
    """An Odoo that can be run."""

    version: str
    library: Path
    python: Path

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of an Odoo program."""
        return [str(self.python), str(LAUNCHER), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """The environment it needs, without what the caller's own set-up of Python, PostgreSQL or Odoo may inject."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(INJECTED)}
        return {**kept, "PYTHONPATH": str(self.library), "ODOO_RC": os.devnull}


def ensure(cache: Path) -> OdooPackage:
    """Bring Odoo and its virtual environment into the cache, unless they are there."""
    with locked(cache / "locks" / "odoo"):
        unpacked = _unpacked(cache / PACKAGE)
        python = _virtual_environment(cache / "venv")
    return OdooPackage(
        version=(unpacked / "version").read_text(encoding="utf-8").strip(),
        library=unpacked / LIBRARY,
        python=python,
    )


def _unpacked(target: Path) -> Path:
    if target.exists():
        return target
    with step(f"{PACKAGE}: download"):
        archive = _download(empty_directory(target.with_name(f"{PACKAGE}.download")))
    with step(f"{PACKAGE}: unpack"):
        draft = empty_directory(target.with_name(f"{PACKAGE}.unpacking"))
        run(["dpkg-deb", "-x", archive, draft])
        for name in SHARED:
            link = draft / "usr/share" / name
            if not link.exists():
                link.symlink_to(Path("/usr/share") / name)
        for name in LEFT_OUT:
            file = draft / LIBRARY / "odoo/addons" / name
            if not file.exists():
                write_text(file, "")
        write_text(draft / "version", run(["dpkg-deb", "-f", archive, "Version"]))
        shutil.rmtree(archive.parent)
        draft.rename(target)
    return target


def _download(folder: Path) -> Path:
    """Fetch the package with an apt set-up of its own, from the mirror this machine uses anyway."""
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n", encoding="utf-8")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null"]
    apt += ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"]
    # apt would otherwise drop to a user that cannot enter a private cache directory.
    apt += ["-o", "APT::Sandbox::User=root"]
    run([*apt, "update"])
    run([*apt, "download", PACKAGE], cwd=folder)
    archives = list(folder.glob(f"{PACKAGE}_*.deb"))
    if len(archives) != 1:
        raise Failure(f"apt-get found no package {PACKAGE} in suite {SUITE} of this machine's Debian mirror.")
    return archives[0]


def _mirror() -> str:
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian"]).split()
    mirrors = [site for site in sites if "security" not in site]
    if not mirrors:
        raise Failure("No Debian mirror in this machine's apt sources; run apt-get update and look at its errors.")
    return mirrors[0]


def _virtual_environment(folder: Path) -> Path:
    """A virtual environment for the pinned requirements; one that was cut off is made again."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    python, complete = folder / "bin/python", folder / "complete"
    if complete.exists() and complete.read_text(encoding="utf-8") == digest and python.exists():
        return python
    with step("Python packages for Odoo"):
        empty_directory(folder)
        run([PYTHON, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "--quiet", "--no-input", "--requirement", REQUIREMENTS])
    write_text(complete, digest)
    return python
