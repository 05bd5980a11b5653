"""A second sidecar beside the running one: the same program, key and Odoo; other ports and another data directory."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testkit.http import http_status

from support.stack import Stack
from support.wait import until


@contextmanager
def replica(stack: Stack, log: Path, **changed: str) -> Iterator[str]:
    """Runs for the length of the block; gives its origin. Its public URL stays that of the first one."""
    program, _flag, config_file = (
        Path(f"/proc/{stack.sidecar_pid()}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
    )
    config = Path(config_file).read_text(encoding="utf-8")
    listen, admin = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        own = {"listen": listen, "admin_listen": admin, "data_dir": f"{folder}/data", **changed}
        for name in own:
            config = re.sub(rf"(?m)^{name} = .*\n", "", config)
        file = Path(folder) / "sidecar.toml"
        file.write_text("".join(f'{name} = "{value}"\n' for name, value in own.items()) + config, encoding="utf-8")
        with log.open("wb") as stream:
            child = subprocess.Popen([program, "--config", str(file)], stdout=stream, stderr=stream, cwd=folder)
        try:
            until(lambda: http_status(f"http://{admin}/readyz") == 200, "the second sidecar is ready", seconds=60)
            yield f"http://{listen}"
        finally:
            child.terminate()
            child.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
