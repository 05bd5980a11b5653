"""What a person sees while the stack works: one line a step, with the seconds it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Failure(Exception):
    """Something that the person at the terminal has to know; shown without a traceback."""


def say(text: str) -> None:
    """Print one line of progress (standard error: standard output belongs to results)."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step that may take a while, then the seconds it took."""
    say(f"- {name} ...")
    start = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - start:.1f} s")
