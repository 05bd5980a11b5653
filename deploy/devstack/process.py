"""Programs: run one to its end, or start one in the background and find it again later."""

from __future__ import annotations

import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devstack.console import Failure
from devstack.files import last_lines

Command = Sequence[str | Path]

# Below the range from which the kernel picks the local ends of outgoing connections.
PORT_RANGE = range(20000, 30000)


def run(
    command: Command,
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    stdin: str = "",
) -> str:
    """Run a program to its end and return what it printed; a failure shows the end of its output.

    With a log, everything goes there instead. Another user's program starts in the root directory, since that user
    may not be allowed to stand in the caller's.
    """
    words = [str(word) for word in command]
    as_user = {"user": user, "group": user, "extra_groups": [], "cwd": "/"} if user else {"cwd": cwd}
    with _opened(log) as target:
        done = subprocess.run(
            words,
            input=stdin.encode(),
            stdout=target,
            stderr=subprocess.STDOUT,
            env=env,
            check=False,
            **as_user,
        )
    output = (done.stdout or b"").decode(errors="replace")
    if done.returncode:
        tail = f"{last_lines(log)}\n(whole log: {log})" if log else "\n".join(output.splitlines()[-30:])
        raise Failure(f"This command failed ({done.returncode}): {shlex.join(words)}\n{tail}")
    return output


@contextmanager
def _opened(log: Path | None) -> Iterator[IO[bytes] | int]:
    if log is None:
        yield subprocess.PIPE
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        yield stream


def run_shown(command: Command, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program to its end with its output on the terminal, and return that output too."""
    lines = []
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        text=True,
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            lines.append(line)
            sys.stderr.write(line)
            sys.stderr.flush()
    if child.returncode:
        raise Failure(f"This command failed ({child.returncode}): {shlex.join(map(str, command))}")
    return "".join(lines)


def _stat(pid: int | str) -> list[str]:
    """The kernel's record of a process, from its state on; empty if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name before, in parentheses, may itself hold spaces and parentheses.
    return text.rpartition(")")[2].split()


def _ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to take note."""
    return (_stat(pid) or "X")[0] in "ZX"


def _start_time(pid: int) -> str:
    """When a process started, in ticks since boot."""
    return (_stat(pid) or [""] * 20)[19]


def _session(leader: int) -> list[int]:
    """The processes of the session that a process opened, also after its own end."""
    pids = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [int(pid) for pid in pids if (_stat(pid) or [""] * 4)[3] == str(leader)]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True)
class Process:
    """A background process, remembered by more than its number, which the system uses again."""

    pid: int
    start_time: str
    # A word of its command line that no other program has.
    marker: str

    @classmethod
    def of(cls, pid: int, marker: str) -> Process:
        """Take down a process that runs now."""
        return cls(pid, _start_time(pid), marker)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        same = _start_time(self.pid) == self.start_time and not _ended(self.pid)
        return same and self.marker in _command_line(self.pid)

    def stop(self, *, patience: float = 20) -> None:
        """Ask it to end, and end what is left of it after a while, workers that lost their master included."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not self.alive(), patience)
        remains = [pid for pid in _session(self.pid) if self.marker in _command_line(pid)]
        for pid in remains:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Killed is not yet gone: until then they hold their ports, and their numbers may stand in lock files.
        wait_until(lambda: _start_time(self.pid) != self.start_time and all(map(_ended, remains)), 10)


def start(
    command: Command,
    *,
    log: Path,
    marker: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Start a program in a session of its own, so that it outlives this one; output goes to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    # The command line is that of this script until the child has become its program.
    wait_until(lambda: marker in _command_line(child.pid) or child.poll() is not None, 5)
    return Process.of(child.pid, marker)


def wait_until(condition: Callable[[], bool], seconds: float, *, pause: float = 0.1) -> bool:
    """Poll a condition; False if it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def port_open(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int, seed: str) -> list[int]:
    """Free loopback ports; the same seed finds the same ones again while they stay free."""
    candidates = random.Random(seed).sample(PORT_RANGE, len(PORT_RANGE))
    found = [port for port, _ in zip((p for p in candidates if _can_bind(p)), range(count), strict=False)]
    if len(found) < count:
        raise Failure("No free loopback ports left on this machine.")
    return found
