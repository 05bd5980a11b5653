"""The one table, and the targets in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Line:
    """One row: what the sidecar reached, against a base, a target and the others."""

    what: str
    unit: str
    sidecar: float | None
    base: float | None = None
    base_name: str = ""
    # Against the base where there is one, else absolute.
    at_least: float | None = None
    at_most: float | None = None
    peers: dict[str, float | None] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The sidecar against the base."""
        return self.sidecar / self.base if self.sidecar is not None and self.base else None

    @property
    def verdict(self) -> str:
        """Whether the target is reached."""
        value = self.ratio if self.base_name else self.sidecar
        if self.at_least is None and self.at_most is None:
            return ""
        if value is None:
            return "?"
        reached = value >= self.at_least if self.at_least is not None else value <= self.at_most
        return "ok" if reached else "short"

    @property
    def target(self) -> str:
        """The target in words."""
        sign, bound = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        if bound is None:
            return ""
        return f"{sign} {bound:g} x" if self.base_name else f"{sign} {_number(bound)}"

    def facts(self) -> dict[str, Any]:
        """For the JSON file."""
        return {**asdict(self), "ratio": self.ratio, "target": self.target, "verdict": self.verdict}


def render(lines: list[Line], peers: list[str]) -> str:
    """The table as text."""
    head = ["", "", "base", "base", "sidecar", "ratio", "target", "", *peers]
    body = [
        [
            line.what,
            line.unit,
            line.base_name,
            _number(line.base),
            _number(line.sidecar),
            f"{line.ratio:.2f} x" if line.ratio is not None else "",
            line.target,
            line.verdict,
            *(_number(line.peers.get(peer)) for peer in peers),
        ]
        for line in lines
    ]
    widths = [max(len(row[at]) for row in [head, *body]) for at in range(len(head))]
    left = {0, 1, 2, 6, 7}
    texts = [
        "  ".join(cell.ljust(width) if at in left else cell.rjust(width) for at, (cell, width) in enumerate(cells))
        for cells in ([*zip(row, widths, strict=True)] for row in [head, *body])
    ]
    return "\n".join([texts[0].rstrip(), "-" * max(map(len, texts)), *(text.rstrip() for text in texts[1:])])


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
