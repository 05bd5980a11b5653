"""Everything that is measured, in order."""

from __future__ import annotations

import statistics
import sys
from dataclasses import replace
from typing import Any

from testkit.credentials import mistyped, unknown_key
from testkit.stack import Stack

from bench import connections, mcp, oauth, pages, startup, storm, switch, targets
from bench.dataset import LARGE, SMALL, Question
from bench.generator import bare_server
from bench.odoo import Odoo
from bench.peers import RunningPeer
from bench.process import memory_mb
from bench.rounds import Effort, measure
from bench.table import Line

TOOL_LIST_LIMIT = 16_000
BAD_KEYS = 500
USERS = 16
# With it the sessions of a full cap (limits.sessions) take 128 MB.
SESSION_KB = 128


class Suite:
    """One run; collects the lines of the table and all figures behind them."""

    def __init__(self, stack: Stack, odoo: Odoo, peers: list[RunningPeer], effort: Effort) -> None:
        self.lines: list[Line] = []
        self.figures: dict[str, Any] = {}
        self._stack = stack
        self._sidecar_pid = stack.pids.get("sidecar")
        self._odoo = odoo
        self._peers = peers
        self._effort = effort

    def run(self, api_key: str, key: str, settings: int) -> None:
        """Measure everything."""
        self._memory("idle")
        if self._sidecar_pid:
            self._startup()
            self._storm(api_key, key)
        self._questions(api_key, key)
        self._pages(api_key, key)
        size = self._tool_list(key)
        self._oauth(api_key, key)
        self._refusals(key, settings, size)
        self._switch(api_key, key, settings)
        self._memory("after the load")

    # === Tool calls ===

    def _questions(self, api_key: str, key: str) -> None:
        self._question(SMALL, api_key, key, self._stack.mcp_url)
        if self._sidecar_pid:
            with startup.long_answers(self._sidecar_pid) as url:
                self._question(LARGE, api_key, key, url)

    def _question(self, question: Question, api_key: str, key: str, url: str) -> None:
        base, rows = targets.raw(self._odoo, api_key, question)
        ours = targets.sidecar(url, [key], question, rows)
        others = [target for peer in self._peers if (target := targets.peer(peer, question, rows))]
        named = targets.named(base, self._odoo.database)
        everyone = [base, named, ours, *others]
        for clients in self._effort.clients:
            found = self._measure(question.title, everyone, clients)
            if question is SMALL and clients == 1:
                found |= measure(f"{question.title}, closely", [base, named, ours], clients, self._effort.fine())
            self._call_lines(question, clients, found)
        self._sizes(question, everyone, found)
        if question is SMALL:
            self._unbatched([base, named], key, rows)
            self._many_users([base, named], rows)

    def _call_lines(self, question: Question, clients: int, found: dict[str, Any]) -> None:
        title = f"{question.title}, {_clients(clients)}"
        at_most = 1.05 if clients == 1 and question is SMALL else None
        self._line(f"{title}, p50", "ms", "p50_ms", found, "raw", at_most=at_most)
        if question is LARGE:
            self._line(title, "calls/s", "rps", found, "raw", at_least=2.0)
        elif clients == max(self._effort.clients):
            self._line(f"{title}, batched", "calls/s", "rps", found, "raw", at_least=3.0)
        else:
            self._line(title, "calls/s", "rps", found, "raw")
        self._line(f"{title}, p50", "ms", "p50_ms", found, "raw, named")
        self._line(title, "calls/s", "rps", found, "raw, named")

    def _unbatched(self, bases: list[targets.Target], key: str, rows: targets.Rows) -> None:
        if not self._sidecar_pid:
            return
        clients = max(self._effort.clients)
        with startup.unbatched(self._sidecar_pid) as url:
            ours = targets.sidecar(url, [key], SMALL, rows)
            found = self._measure(f"{SMALL.title}, unbatched", [*bases, ours], clients)
        title = f"{SMALL.title}, {_clients(clients)}, unbatched"
        self._line(title, "calls/s", "rps", found, "raw", at_least=1.1)
        self._line(title, "calls/s", "rps", found, "raw, named")

    def _many_users(self, bases: list[targets.Target], rows: targets.Rows) -> None:
        with connections.users(self._odoo, USERS) as keys:
            ours = targets.sidecar(self._stack.mcp_url, keys, SMALL, rows)
            found = self._measure(f"{SMALL.title}, {USERS} users", [*bases, ours], USERS)
        title = f"{SMALL.title}, {USERS} clients, as many users, batched"
        self._line(title, "calls/s", "rps", found, "raw", at_least=2.0)
        self._line(title, "calls/s", "rps", found, "raw, named")

    def _sizes(self, question: Question, everyone: list[targets.Target], found: dict[str, Any]) -> None:
        ratios = {target.name: target.text_ratio for target in everyone}
        line = Line(f"{question.title}, text against the rows as JSON", "ratio", ratios["sidecar"], at_most=1.15)
        line.peers = ratios
        self.lines.append(line)
        self._line(f"{question.title}, bytes on the wire", "B", "wire_bytes", found, "raw")

    # === Odoo's own users ===

    def _pages(self, api_key: str, key: str) -> None:
        found = pages.Pages(self._odoo, self._stack.mcp_url, key, api_key).measure(self._effort)
        self.figures[f"Odoo's pages, {pages.CLIENTS} clients"] = found
        print(f"- Odoo's pages, {pages.CLIENTS} clients", file=sys.stderr)
        title = f"{pages.PAGE} under {pages.CLIENTS} clients"
        for figure, name in (("p50_ms", "p50"), ("p95_ms", "p95")):
            ours, idle, raw = (found[who][figure] for who in ("sidecar", "idle", "raw, named"))
            goal = 1.3 if figure == "p95_ms" else None
            self.lines.append(Line(f"{title}, {name}", "ms", ours, idle, "idle", at_most=goal))
            # What counts where the load takes all cores.
            goal = 1.0 if figure == "p95_ms" else None
            self.lines.append(Line(f"{title}, {name}", "ms", ours, raw, "raw, named", at_most=goal))
        for who in ("raw, named", "sidecar"):
            if found[who]["errors"]:
                print(f"  pages, {who}: {found[who]['errors']} errors: {found[who]['error_samples']}", file=sys.stderr)
        self._line(f"the mix of {pages.CLIENTS} clients", "calls/s", "rps", _of_load(found), "raw, named")

    # === What needs no Odoo ===

    def _tool_list(self, key: str) -> int:
        ours, size = targets.tool_list("sidecar", self._stack.mcp_url, key)
        others = [targets.tool_list(peer.name, peer.url) for peer in self._peers]
        with bare_server(size) as bare:
            base = targets.plain("bare warp", f"{bare}/list", [mcp.request("tools/list", key=key)], [200])
            everyone = [base, ours, *(target for target, _size in others)]
            for clients in self._effort.clients:
                found = self._measure("tools/list", everyone, clients)
                goal = 0.4 if clients == max(self._effort.clients) else None
                self._line(f"tools/list, {_clients(clients)}", "calls/s", "rps", found, "bare warp", at_least=goal)
        line = Line("tools/list, size", "B", size, at_most=TOOL_LIST_LIMIT)
        line.peers = {peer.name: size for peer, (_, size) in zip(self._peers, others, strict=True)}
        self.lines.append(line)
        return size

    def _oauth(self, api_key: str, key: str) -> None:
        """What a call costs with a token in place of a key; renewals; documents."""
        with oauth.client(self._stack, self._odoo) as (client, browser):
            logins = [client.grant(browser) for _ in range(oauth.LOGINS)]
            oauth.unlimited(self._odoo)
            url, token = self._stack.mcp_url, logins[0].access
            _, rows = targets.raw(self._odoo, api_key, SMALL)
            cases = {
                SMALL.title: [targets.sidecar(url, [one], SMALL, rows) for one in (key, token)],
                "tools/list": [targets.tool_list("sidecar", url, one)[0] for one in (key, token)],
            }
            for title, (by_key, by_token) in cases.items():
                everyone = [replace(by_key, name="key"), by_token]
                case = f"{title}, access token"
                found = {1: measure(case, everyone, 1, self._effort.fine())}
                found |= {clients: self._measure(case, everyone, clients) for clients in self._effort.clients[1:]}
                for clients, figures in found.items():
                    self._line(f"{case}, {_clients(clients)}, p50", "ms", "p50_ms", figures, "key", at_most=1.05)
            renewed = oauth.renewals(client, logins, self._effort.seconds)
        self.figures["renewals"] = renewed
        self.lines.append(Line(f"renewals, {_clients(oauth.LOGINS)}", "1/s", renewed["rps"]))
        self.lines.append(Line(f"renewals, {_clients(oauth.LOGINS)}, p50", "ms", renewed["p50_ms"]))
        self._documents()

    def _documents(self) -> None:
        ours, size = oauth.document(self._stack)
        with bare_server(size) as bare:
            base = oauth.get("bare warp", f"{bare}/list")
            clients = max(self._effort.clients)
            found = self._measure("OAuth metadata", [base, ours], clients)
        self._line(f"OAuth metadata, {_clients(clients)}", "1/s", "rps", found, "bare warp", at_least=0.6)

    def _refusals(self, key: str, settings: int, size: int) -> None:
        url = self._stack.mcp_url
        floods = {
            "401, mistyped keys": [mcp.request("tools/list", key=mistyped(unknown_key())) for _ in range(BAD_KEYS)],
            "401, unknown keys": [mcp.request("tools/list", key=unknown_key()) for _ in range(BAD_KEYS)],
            "401, no key": [mcp.request("tools/list")],
        }
        with bare_server(size) as bare:
            base = targets.plain("bare warp", f"{bare}/refuse", [mcp.request("tools/list", key=key)], [401])
            for title, requests in floods.items():
                # An address that sends nothing but bad keys may be told to slow down.
                self._refusal_line(title, base, targets.plain("sidecar", url, requests, [401, 429]))
            self._odoo.call("mcp.server.settings", "write", [settings], {"enabled": False})
            try:
                self._refusal_line("503, switched off", base, switch.refused(url, key))
            finally:
                self._odoo.call("mcp.server.settings", "write", [settings], {"enabled": True})

    def _refusal_line(self, title: str, base: targets.Target, ours: targets.Target) -> None:
        clients = max(self._effort.clients)
        found = self._measure(title, [base, ours], clients)
        self._line(f"{title}, {clients} clients", "calls/s", "rps", found, "bare warp", at_least=0.6)

    # === Switch, memory, start ===

    def _switch(self, api_key: str, key: str, settings: int) -> None:
        print("- master switch", file=sys.stderr)
        _, rows = targets.raw(self._odoo, api_key, SMALL)
        found = switch.measure(self._odoo, settings, self._stack.mcp_url, key, rows, self._effort.flips)
        self.figures["master switch"] = found
        flips = f"switch off to last accepted, {found['flips']} flips"
        self.lines += [
            Line(f"{flips}, p50", "ms", found["p50_ms"]),
            Line(f"{flips}, p99", "ms", found["p99_ms"], at_most=300),
            Line(f"{flips}, max", "ms", found["max_ms"]),
            Line(f"{flips}, p99 from the click", "ms", found["click_p99_ms"]),
        ]
        if found["errors"]:
            print(f"  master switch: {found['errors']} errors: {found['error_samples']}", file=sys.stderr)

    def _startup(self) -> None:
        print("- start", file=sys.stderr)
        found = startup.measure(self._sidecar_pid, self._effort.rounds)
        self.figures["start"] = found
        self.lines.append(Line("start to ready", "ms", found["ready_ms"], at_most=200))
        self.lines.append(Line("memory of a fresh one, idle", "MB", found["idle_mb"], at_most=20))

    def _storm(self, api_key: str, key: str) -> None:
        print("- memory after a storm", file=sys.stderr)
        _, rows = targets.raw(self._odoo, api_key, LARGE)
        found = storm.measure(self._sidecar_pid, key, rows, self._effort.sessions, self._effort.idle)
        self.figures["memory after a storm"] = found
        after = f"memory, {self._effort.idle:g} idle seconds after a storm"
        self.lines += [
            Line("memory, most in a storm", "MB", found["peak_mb"]),
            Line(after, "MB", found["idle_mb"], found["fresh_mb"], "fresh", at_most=1.5),
            Line("a live legacy session", "kB", found["session_kb"], at_most=SESSION_KB),
            Line("an idle stream", "kB", found["stream_kb"], at_most=64),
        ]

    def _memory(self, when: str) -> None:
        pid = self._sidecar_pid
        line = Line(f"memory, {when}", "MB", memory_mb(pid) if pid else None)
        line.peers = {peer.name: memory_mb(peer.pid) for peer in self._peers}
        self.lines.append(line)

    # === Helpers ===

    def _measure(self, case: str, everyone: list[targets.Target], clients: int) -> dict[str, Any]:
        found = measure(case, everyone, clients, self._effort)
        self.figures[f"{case}, {clients} clients"] = found
        return found

    def _line(self, what: str, unit: str, figure: str, found: dict[str, Any], base: str, **bounds: Any) -> None:
        # A target that made no good call has no figures.
        values = {name: report[figure] if report["calls"] else None for name, report in found.items()}
        line = Line(what, unit, values.pop("sidecar"), values.pop(base), base, **bounds)
        line.peers = values
        self.lines.append(line)


def _of_load(found: dict[str, Any]) -> dict[str, Any]:
    """The reports of the load alone."""
    return {name: {**report, "calls": 1} for name, report in found.items() if "rps" in report}


def _clients(count: int) -> str:
    return f"{count} client{'s' if count > 1 else ''}"


def errors(figures: dict[str, Any]) -> int:
    """Failed answers of all measurements together."""
    reports = [report for found in figures.values() for report in found.values() if isinstance(report, dict)]
    return sum(report["errors"] for report in reports) + figures.get("master switch", {}).get("errors", 0)


def generator_share(figures: dict[str, Any]) -> float:
    """The median share of a core that the load generator took."""
    reports = [report for found in figures.values() for report in found.values() if isinstance(report, dict)]
    return statistics.median(report["cpu"] for report in reports) if reports else 0.0
