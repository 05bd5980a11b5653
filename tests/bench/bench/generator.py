"""The load generator, a program of its own (tests/bench/load)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOAD = os.environ["BENCH_LOAD"]
# The longest plan takes a fraction of this.
PATIENCE = 900


def load(command: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Run one plan and return its report."""
    # Its errors are sentences; a backtrace adds nothing to them.
    environment = {**os.environ, "RUST_BACKTRACE": "0"}
    done = subprocess.run(
        [LOAD, command],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"load {command} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


@contextmanager
def bare_server(size: int) -> Iterator[str]:
    """A bare warp handler that answers that many bytes; gives its address."""
    with subprocess.Popen([LOAD, "bare", str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        port = json.loads(child.stdout.readline())["port"]
        yield f"http://127.0.0.1:{port}"
        child.stdin.close()
