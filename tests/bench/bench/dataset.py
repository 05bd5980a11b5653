"""The rows that everybody reads, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.odoo import Odoo

MODEL = "res.partner"
ROWS = 1000
# In every row's name: an answer holds as many rows as it holds this.
MARK = "MCP benchmark"
DOMAIN = [["ref", "=like", "mcp-benchmark-%"]]


@dataclass(frozen=True)
class Question:
    """One search_read."""

    title: str
    fields: list[str]
    limit: int

    @property
    def keywords(self) -> dict[str, object]:
        """As keywords of Odoo's search_read."""
        return {"domain": DOMAIN, "fields": self.fields, "limit": self.limit, "order": "id"}

    @property
    def arguments(self) -> dict[str, object]:
        """As arguments of an MCP tool."""
        return {"model": MODEL, **self.keywords}


SMALL = Question("20 rows x 3 fields", ["name", "email", "phone"], 20)
LARGE = Question(
    "1000 rows x 20 fields",
    [
        *("name", "email", "phone", "street", "street2", "city", "zip", "country_id", "state_id", "is_company"),
        *("active", "type", "lang", "tz", "ref", "function", "website", "create_date", "color", "company_name"),
    ],
    1000,
)


def _values(number: int, country: int) -> dict[str, object]:
    return {
        "name": f"{MARK} {number:04}",
        "ref": f"mcp-benchmark-{number:04}",
        "email": f"benchmark{number:04}@example.com",
        "phone": f"+1 555 {number:04}",
        "street": f"{number} Example Street",
        "street2": "Building B" if number % 3 == 0 else False,
        "city": "Example City",
        "zip": f"{10000 + number}",
        "country_id": country,
        "is_company": number % 4 == 0,
        "function": "Purchasing" if number % 2 else False,
        "website": f"https://benchmark{number:04}.example.com",
        "company_name": f"Benchmark Company {number % 50}",
        "color": number % 11,
        "tz": "Europe/Brussels",
    }


@contextmanager
def rows(odoo: Odoo) -> Iterator[None]:
    """Have the rows in Odoo for the length of the block."""
    _drop(odoo)
    [country] = odoo.call("res.country", "search", [["code", "=", "BE"]])
    quiet = {"tracking_disable": True, "mail_create_nolog": True}
    for start in range(0, ROWS, 250):
        batch = [_values(number, country) for number in range(start, start + 250)]
        odoo.call(MODEL, "create", batch, context=quiet)
    try:
        yield
    finally:
        _drop(odoo)


def _drop(odoo: Odoo) -> None:
    ids = odoo.call(MODEL, "search", DOMAIN, context={"active_test": False})
    if ids:
        odoo.call(MODEL, "unlink", ids)
