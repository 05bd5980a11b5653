"""Files that are whole or absent, and locks that two runs at once can agree on."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.console import say

PRIVATE = 0o600


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file in one move: a reader, or a run that is cut off, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def empty_directory(path: Path) -> Path:
    """A fresh directory in place of whatever an earlier, interrupted run left there."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for the length of the block; says so if it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"- waiting for another run to release {path}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def tree_digest(root: Path, *, skip: Iterable[str] = ()) -> str:
    """A digest of the names and contents below a directory, without byte code and the given folders."""
    ignored = {"__pycache__", *skip}
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if ignored.isdisjoint(relative.parts) and path.is_file():
            digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def last_lines(path: Path, count: int = 30) -> str:
    """The end of a log file, for an error message."""
    if not path.exists():
        return f"({path} does not exist)"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-count:])
