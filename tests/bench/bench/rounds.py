"""Measurements in rounds: all targets one after the other, again and again, so that drift hits all alike."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, replace
from typing import Any

from bench.generator import load
from bench.targets import Target

FIGURES = ("calls", "errors", "rps", "p50_ms", "p95_ms", "p99_ms", "body_bytes", "wire_bytes", "cpu")


@dataclass(frozen=True)
class Effort:
    """How long everything takes."""

    rounds: int
    seconds: float
    flips: int
    # Two figures that are nearly the same are told apart by many short rounds, not by few long ones.
    fine_rounds: int
    clients: tuple[int, ...] = (1, 4, 16)
    # Of the storm: legacy sessions, and how long the sidecar rests afterwards.
    sessions: int = 2000
    idle: float = 120

    def fine(self) -> Effort:
        """The same, in many short rounds."""
        return replace(self, rounds=self.fine_rounds, seconds=FINE_SECONDS)


FINE_SECONDS = 1.0
FULL = Effort(rounds=5, seconds=2.0, flips=100, fine_rounds=30)
QUICK = Effort(rounds=1, seconds=0.7, flips=5, fine_rounds=2, sessions=200, idle=5)
# Bounds a runaway: no target answers so many in the time.
MAX_CALLS = 400_000


def measure(case: str, targets: list[Target], clients: int, effort: Effort) -> dict[str, dict[str, Any]]:
    """The medians of each target by its name."""
    reports: dict[str, list[dict[str, Any]]] = {target.name: [] for target in targets}
    for _round in range(effort.rounds):
        for target in targets:
            plan = {
                "target": target.plan,
                "clients": clients,
                "warmup_calls": 1,
                "seconds": effort.seconds,
                "max_calls": MAX_CALLS,
            }
            report = load("run", plan)
            reports[target.name].append(report)
            if report["errors"]:
                print(f"  {case}, {target.name}: {report['errors']} errors: {report['error_samples']}", file=sys.stderr)
    print(f"- {case}, {clients} clients", file=sys.stderr)
    return {name: _median(found) for name, found in reports.items()}


def _median(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds, the sum of the errors, and the spread of the rate."""
    figures = {name: statistics.median(report[name] for report in reports) for name in FIGURES}
    figures["errors"] = sum(report["errors"] for report in reports)
    figures["error_samples"] = [text for report in reports for text in report["error_samples"]][:3]
    figures["rps_rounds"] = [round(report["rps"], 1) for report in reports]
    figures["p50_ms_rounds"] = [round(report["p50_ms"], 3) for report in reports]
    return figures
