"""Answers that are right: pages without gaps, conditions that mean what they say, values in their own form."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from support.cleaner import Cleaner
from support.odoo import Odoo
from support.wire import Wire


def every(full: Wire, tool: str, member: str, limit: int, **arguments: Any) -> list[dict[str, Any]]:
    """All rows of a tool, page by page as its answers say."""
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = full.call(tool, limit=limit, offset=offset, **arguments).data
        rows += page[member]
        assert page["has_more"] == ("next_offset" in page)
        offset = page.get("next_offset")
    return rows


# === Pages ===


@pytest.mark.parametrize("order", ["state", "partner_id", "-amount_total", {"state": "desc"}, [["user_id", "desc"]]])
def test_each_order_is_on_one_page(full: Wire, odoo: Odoo, order: Any) -> None:
    rows = every(full, "search_read", "records", 5, model="sale.order", fields=["name"], order=order)
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) == odoo.count("sale.order", [])


@pytest.mark.parametrize("order", ["__count desc", "partner_id", None])
def test_each_group_is_on_one_page(full: Wire, order: str | None) -> None:
    arguments = {"model": "sale.order", "groupby": ["partner_id"], "order": order}
    rows = every(full, "read_group", "groups", 2, **arguments)
    assert rows == every(full, "read_group", "groups", 1000, **arguments)


def test_what_is_found_by_name_has_pages(full: Wire, odoo: Odoo, tag: str) -> None:
    made = odoo.call("res.partner", "create", [{"name": f"{tag} {index % 3}"} for index in range(25)])
    for more in ({}, {"fields": ["email"]}, {"order": "name"}):
        rows = every(full, "search_records", "records", 7, model="res.partner", query=tag, **more)
        assert sorted(row["id"] for row in rows) == sorted(made), more


def test_messages_have_pages_and_a_total(full: Wire) -> None:
    page = full.call("search_read", model="mail.message", fields=["date"], limit=5, total=True).data
    rows = every(full, "search_read", "records", 100, model="mail.message", fields=["date"])
    assert len(rows) == len({row["id"] for row in rows}) == page["total"] > 5
    assert page["has_more"] is True
    assert full.call("search_count", model="mail.message").data["count"] == page["total"]


# === Order ===


@pytest.mark.parametrize("order", ["name:desc", "-name", "name desc", {"name": "desc"}, [["name", "desc"]], ["-name"]])
def test_an_order_is_read_in_every_form(full: Wire, odoo: Odoo, tag: str, order: Any) -> None:
    odoo.call("res.partner", "create", [{"name": f"{tag} {letter}"} for letter in "bca"])
    domain = [["name", "=like", f"{tag}%"]]
    rows = full.call("search_read", model="res.partner", domain=domain, fields=["name"], order=order).data["records"]
    assert [row["name"][-1] for row in rows] == ["c", "b", "a"]


@pytest.mark.parametrize("order", ["name:down", {"name": 1}, "name desc asc", "create_date:month"])
def test_another_order_is_refused(full: Wire, order: Any) -> None:
    assert "order" in full.call("search_read", model="res.partner", order=order).complaint


# === Conditions ===


@pytest.mark.parametrize(
    ("condition", "form"),
    [
        (["image_1920", "=", "abc"], '["image_1920", "!=", false]'),
        (["parent_id.image_128", "in", ["abc"]], '["parent_id.image_128", "!=", false]'),
        (["child_ids", "any", [["image_1920", "ilike", "x"]]], "Content is not searched"),
        (["name", "ilike", None], '["name", "=", false]'),
        (["name", "not ilike", ""], '["name", "=", false]'),
        (["is_company", "=", "nope"], "neither true nor false"),
        (["create_date", "=", ["2026-01-01", "2026-02-01"]], '["create_date", ">=", "2026-01-01"]'),
        (["parent_id", "=", "65"], "write 65 without quotes"),
        (["parent_id", "in", ["65", 9]], "write 65 without quotes"),
        (["id", "in", ["65"]], "write 65 without quotes"),
    ],
)
def test_a_condition_that_odoo_would_drop_is_refused(full: Wire, condition: list[Any], form: str) -> None:
    for tool, more in (("search_read", {}), ("search_count", {}), ("search_records", {"query": "a"})):
        assert form in full.call(tool, model="res.partner", domain=[condition], **more).complaint
    step = {"model": "res.partner", "method": "search_count", "args": [[condition]]}
    assert form in full.call("execute_method", **step).complaint


def test_conditions_that_are_right_go_on(full: Wire, odoo: Odoo, tag: str) -> None:
    parent = odoo.call("res.partner", "create", {"name": f"{tag} parent", "is_company": True})
    child = odoo.call("res.partner", "create", {"name": f"{tag} child", "parent_id": parent})
    for condition, expected in [
        (["parent_id", "=", parent], {child}),
        (["parent_id", "ilike", tag], {child}),
        (["parent_id", "=", ""], {parent}),
        (["is_company", "=", "true"], {parent}),
        (["id", "not in", []], {parent, child}),
        (["image_1920", "=", False], {parent, child}),
    ]:
        domain = [["name", "=like", f"{tag}%"], condition]
        rows = full.call("search_read", model="res.partner", domain=domain, fields=["name"]).data["records"]
        assert {row["id"] for row in rows} == expected, condition


# === Text ===


def test_a_query_is_no_pattern(full: Wire, odoo: Odoo, tag: str) -> None:
    names = (f"{tag} 50% off", f"{tag} 500 off", f"{tag} a_b", f"{tag} axb", f"{tag} c\\d")
    odoo.call("res.partner", "create", [{"name": name} for name in names])
    for query, expected in [("50%", names[0]), ("a_b", names[2]), ("c\\d", names[4])]:
        for more in ({}, {"fields": ["email"]}):
            found = full.call("search_records", model="res.partner", query=f"{tag} {query}", **more).data["records"]
            assert [row["display_name"] for row in found] == [expected], (query, more)


def test_composed_and_decomposed_letters_are_the_same(full: Wire, odoo: Odoo, tag: str) -> None:
    forms = [unicodedata.normalize(form, f"{tag} Café") for form in ("NFC", "NFD")]
    made = odoo.call("res.partner", "create", [{"name": form} for form in forms])
    for query in forms:
        for more in ({}, {"fields": ["email"]}):
            found = full.call("search_records", model="res.partner", query=query, **more).data["records"]
            assert sorted(row["id"] for row in found) == sorted(made), more


# === Values ===


def test_totals_of_an_order_are_data(full: Wire) -> None:
    arguments = {"model": "sale.order", "domain": [["amount_total", ">", 0]], "fields": ["amount_total", "tax_totals"]}
    [row] = full.call("search_read", limit=1, **arguments).data["records"]
    assert row["tax_totals"]["total_amount_currency"] == pytest.approx(row["amount_total"])


def test_a_day_and_an_hour_are_the_users_own(full: Wire, odoo: Odoo, clean: Cleaner, tag: str) -> None:
    clean.note("sale.order", [["partner_id.name", "=", tag]])
    partner = odoo.call("res.partner", "create", {"name": tag})
    times = ("2026-11-28 10:30:00", "2026-11-28 22:30:00", "2026-11-28 23:30:00")
    odoo.call("sale.order", "create", [{"partner_id": partner, "date_order": at} for at in times])
    arguments = {"model": "sale.order", "context": {"tz": "Europe/Brussels"}}
    day = [["partner_id", "=", partner], ["date_order", "=", "2026-11-28"]]
    assert full.call("search_count", domain=day, **arguments).data["count"] == 2
    groups = full.call("read_group", domain=day[:1], groupby=["date_order:hour"], **arguments).data["groups"]
    labels = [group["date_order:hour"]["label"] for group in groups]
    assert labels == ["11:00 28 Nov", "23:00 28 Nov", "00:00 29 Nov"]
    groups = full.call("read_group", domain=day[:1], groupby=["commitment_date:month"], **arguments).data["groups"]
    assert groups == [{"commitment_date:month": None, "__count": 3}]


# === Hints ===


def test_no_hint_is_false(full: Wire, tag: str) -> None:
    nothing = full.call("search_records", model="res.partner", domain=[["active", "=", True], ["name", "=", tag]]).data
    assert "archived" not in nothing["hint"]
    nothing = full.call("search_read", model="res.partner", domain=[["active", "=", False], ["name", "=", tag]]).data
    assert "rchived" not in nothing["hint"]
    nothing = full.call("search_read", model="res.partner", domain=[["name", "=", tag]]).data
    assert "Archived records count only with context.active_test false" in nothing["hint"]
