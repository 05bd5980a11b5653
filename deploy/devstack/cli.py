"""The commands of deploy/dev."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from devstack.console import Failure, say
from devstack.files import locked
from devstack.paths import Paths
from devstack.stack import SERVERS, Stack
from devstack.template import FULL, MODULES, STANDARD

# The addon's tests that each database is for. Odoo itself leaves out what is not tagged "standard", unless named.
DEFAULT_TAGS = {STANDARD: "/mcp_sidecar", FULL: "mcp_full/mcp_sidecar"}
SUMMARY = """
MCP endpoint   {mcp_url}
API key        {api_key}
 read-only     {api_key_read_only}
Odoo           {odoo_url}  (login {admin_login}, password {admin_password})
Health         {admin_url}/readyz

Claude Code:
  claude mcp add --transport http odoo {mcp_url} --header "Authorization: Bearer {api_key}"

curl:
  curl -s {mcp_url} -H "Authorization: Bearer {api_key}" \\
    -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \\
    -H "MCP-Protocol-Version: 2026-07-28" -H "Mcp-Method: tools/list" \\
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":\
"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(Paths.find(), options)
    except Failure as failure:
        say(f"\ndeploy/dev: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted; run the same command again to go on")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/dev", description="The development stack of this checkout.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("up", _up, "Install, start and provision whatever is not there yet, and make one real call.")
    status = command("status", _status, "Say where everything is; exit code 1 unless all servers run.")
    status.add_argument("--json", action="store_true", help="for programs")
    command("down", _down, "Stop what up started.")
    command("reset", _reset, "Stop, then delete database, keys and all other state; downloads stay.")
    logs = command("logs", _logs, "Show the logs.")
    logs.add_argument("server", nargs="?", choices=SERVERS, help="only this one")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as the logs grow")
    prepare = command("prepare", _prepare, "Only downloads, PostgreSQL and the template database.")
    tests = command("test-addon", _test_addon, "Run the addon's tests inside Odoo, on a throw-away database.")
    tests.add_argument("tags", nargs="?", help="Odoo's --test-tags (default: all of the addon that these modules run)")
    for with_database in (prepare, tests):
        with_database.add_argument("--modules", choices=MODULES, default=STANDARD, help="what else is installed")
    return parser


def _up(paths: Paths, _options: argparse.Namespace) -> int:
    with locked(paths.dev / "lock"):
        stack = Stack(paths)
        stack.up()
        _describe(stack)
    return 0


def _status(paths: Paths, options: argparse.Namespace) -> int:
    stack = Stack(paths)
    if options.json:
        print(json.dumps(stack.status(), indent=2))
    else:
        _describe(stack)
    return 0 if all(stack.status()["pids"].values()) else 1


def _down(paths: Paths, _options: argparse.Namespace) -> int:
    with locked(paths.dev / "lock"):
        Stack(paths).down()
    return 0


def _reset(paths: Paths, _options: argparse.Namespace) -> int:
    with locked(paths.dev / "lock"):
        Stack(paths).reset()
    return 0


def _logs(paths: Paths, options: argparse.Namespace) -> int:
    logs = Stack(paths).logs()
    wanted = [str(log) for name, log in logs.items() if options.server in (None, name) and log.exists()]
    if not wanted:
        raise Failure("There are no logs yet; run deploy/dev up.")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", "100", *(["-F"] if options.follow else []), *wanted])


def _prepare(paths: Paths, options: argparse.Namespace) -> int:
    with locked(paths.dev / "lock"):
        Stack(paths).prepare(options.modules)
    return 0


def _test_addon(paths: Paths, options: argparse.Namespace) -> int:
    with locked(paths.dev / "lock"):
        odoo = Stack(paths).odoo(options.modules)
    # A lock of its own: tests take minutes, and the servers of the stack are not in their way.
    with locked(paths.dev / "test.lock"):
        odoo.run_addon_tests(options.tags or DEFAULT_TAGS[options.modules])
    return 0


def _describe(stack: Stack) -> None:
    facts = stack.status()
    for name, pid in facts["pids"].items():
        print(f"{name:<9} {f'running (process {pid})' if pid else 'not running'}")
    if facts["api_key"]:
        print(SUMMARY.format(**facts))
    else:
        print("Not set up yet: run deploy/dev up.")
