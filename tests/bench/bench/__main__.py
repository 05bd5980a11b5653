"""Command line of the benchmark."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from testkit import settings
from testkit.stack import DEV, Stack, state_folder

from bench import connections, dataset
from bench.odoo import Odoo
from bench.peers import PEERS, running
from bench.rounds import FULL, QUICK
from bench.suite import Suite, errors, generator_share
from bench.table import render

KEY_NAME = "MCP benchmark"


def main() -> int:
    """Run it; the exit code is 1 where any answer was an error."""
    options = _parser().parse_args()
    effort = QUICK if options.quick else FULL
    if not options.stack:
        subprocess.run([DEV, "up"], check=True, stdout=subprocess.DEVNULL)
    stack = Stack.load(options.stack)
    odoo = Odoo(stack.odoo_url, stack.database, stack.admin_login, stack.admin_password)
    with ExitStack() as context:
        enter = context.enter_context
        logs = Path(enter(tempfile.TemporaryDirectory()))
        settings_id = enter(settings.unlimited(odoo))
        enter(dataset.rows(odoo))
        context.callback(odoo.drop_api_key, KEY_NAME)
        api_key = odoo.make_api_key(KEY_NAME)
        key = enter(connections.key(odoo))
        peers = [] if options.no_peers else [enter(running(peer, odoo, logs)) for peer in PEERS]
        suite = Suite(stack, odoo, peers, effort)
        suite.run(api_key, key, settings_id)
    failed = errors(suite.figures)
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "cores": os.cpu_count(),
        "errors": failed,
        "generator_cpu": generator_share(suite.figures),
        "lines": [line.facts() for line in suite.lines],
        "figures": suite.figures,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(render(suite.lines, [peer.name for peer in peers]))
    print(
        f"\nMedians of {effort.rounds} interleaved rounds of {effort.seconds:g} s; all share {os.cpu_count()} cores. "
        "Raw: execute_kw of search_read with an Odoo API key. Wrong or missing rows count as errors, not as calls: "
        f"{failed} errors. The generator took {facts['generator_cpu']:.2f} of a core (median). "
        f"All figures: {options.json}"
    )
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="The sidecar beside raw XML-RPC and others.")
    parser.add_argument("--json", type=Path, default=state_folder() / "bench.json", help="where all figures go")
    parser.add_argument("--quick", action="store_true", help="one short round of everything: a smoke test")
    parser.add_argument("--no-peers", action="store_true", help="without the other servers")
    parser.add_argument("--stack", type=Path, help="the output of deploy/dev status --json; default: deploy/dev up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
