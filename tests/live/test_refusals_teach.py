"""A refusal says what is wrong, where, and what to do; a database that is away reads as temporary."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Wire

INTERNAL = "Odoo failed to carry this out"
# Words of PostgreSQL, of its tables and of its constraints.
FOREIGN = ("violates", "DETAIL", "Detail:", "Key (", "_fkey", "null value", "SELECT", "psycopg", "Traceback")


@pytest.fixture
def any_method(connect: Callable) -> Wire:
    """A connection that may call any public method."""
    return connect(level="any").wire


@pytest.fixture
def partner(odoo: Odoo, tag: str) -> int:
    """A contact of the test."""
    return odoo.call("res.partner", "create", {"name": tag})


def teaches(complaint: str, *parts: str) -> None:
    """The sentence names these, and is no excuse."""
    assert INTERNAL not in complaint, complaint
    for word in FOREIGN:
        assert word not in complaint, complaint
    for part in parts:
        assert part in complaint, complaint


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "parts"),
    [
        ("message_post", [], {"body": "x", "colour": "red"}, ["colour"]),
        ("message_post", [], {"body": "x", "partner_ids": ["six"]}, ["partner_ids"]),
        ("activity_schedule", [], {"date_deadline": "soon"}, ["date_deadline"]),
        ("action_archive", [1], {}, ["It takes no arguments"]),
        ("address_get", [5], {}, ["adr_pref"]),
        ("write", [["name"]], {}, ["values by field name"]),
        ("write", [{"color": "red"}], {}, ["color"]),
    ],
)
def test_arguments_of_methods(
    any_method: Wire, partner: int, method: str, args: list, kwargs: dict, parts: list
) -> None:
    reply = any_method.call(
        "execute_method", model="res.partner", method=method, ids=[partner], args=args, kwargs=kwargs
    )
    teaches(reply.complaint, *parts)


def test_a_method_with_right_arguments_goes_on_working(any_method: Wire, partner: int) -> None:
    reply = any_method.call(
        "execute_method", model="res.partner", method="address_get", ids=[partner], args=[["invoice"]]
    )
    assert not reply.failed, reply.text


@pytest.mark.parametrize(
    ("model", "values", "parts"),
    [
        ("sale.order", {}, ["partner_id", "Customer", "required"]),
        ("sale.order.line", {"name": "without an order"}, ["order_id"]),
        ("res.country", {"name": "live", "code": "BE"}, ["code"]),
        ("res.partner", {"name": "live", "country_id": 999999}, ["999999", "res.country"]),
    ],
)
def test_values_that_are_missing_or_doubled(full: Wire, model: str, values: dict, parts: list) -> None:
    teaches(full.call("create_record", model=model, values=values).complaint, *parts)


def test_a_line_and_a_record_of_a_batch_are_named(full: Wire, tag: str) -> None:
    lines = [[0, 0, {"name": f"{tag} a"}], [0, 0, {"name": f"{tag} b", "color": "red"}]]
    reply = full.call("create_record", model="res.partner", values={"name": tag, "child_ids": lines})
    teaches(reply.complaint, "child_ids[1].color")
    records = [{"name": tag}, {"name": tag}, {"street": "no name"}]
    teaches(full.call("batch_create", model="res.partner", records=records).complaint, "records[2]")


def test_a_record_in_use_says_by_what(full: Wire, odoo: Odoo) -> None:
    company = odoo.search("res.company", [])[0]
    currency = odoo.read("res.company", company, "currency_id")["currency_id"]
    teaches(full.call("delete_record", model="res.currency", id=currency).complaint, "Currency", "archive")


# === A database that goes away ===


@pytest.fixture
def postgres_stopped(stack: Stack, full: Wire, tag: str) -> Iterator[None]:
    """PostgreSQL is shut down at once, and started again before the records of the tag are deleted."""
    assert full.call("search_count", model="res.partner").data["count"]
    pid = stack.pids["postgres"]
    assert pid, "the stack has a PostgreSQL of its own"
    os.kill(pid, signal.SIGINT)
    until(lambda: not Path(f"/proc/{pid}").exists(), "PostgreSQL shuts down", seconds=60)
    yield
    stack.up()
    until(
        lambda: (reply := full.call("search_count", model="res.partner")).status == 200 and not reply.failed,
        "calls work again after PostgreSQL came back",
        seconds=90,
        pause=0.5,
    )


def test_a_stopped_postgresql_is_temporary(postgres_stopped: None, full: Wire, tag: str) -> None:
    for _attempt in range(3):
        reply = full.call("search_read", model="res.partner", fields=["name"], limit=1)
        assert "temporary" in reply.complaint, reply.complaint
        time.sleep(0.5)
    reply = full.call("create_record", model="res.partner", values={"name": tag})
    teaches(reply.complaint, "temporary")
