"""Other forms of what was meant are read, or answered with the form to send: names for ids, dates, commands, orders."""

from __future__ import annotations

import datetime
import json
import re

import pytest
from support.odoo import Odoo
from support.wire import Wire


@pytest.fixture
def vip(odoo: Odoo, tag: str, clean: object) -> dict:
    """A tag of partners, and a partner with another one."""
    names = [f"{tag} vip", f"{tag} gold"]
    clean.note("res.partner.category", [["name", "=like", f"{tag}%"]])
    vip, gold = (odoo.call("res.partner.category", "create", {"name": name}) for name in names)
    partner = odoo.call("res.partner", "create", {"name": tag, "category_id": [[6, 0, [gold]]]})
    return {"id": vip, "name": names[0], "gold": gold, "partner": partner}


def shown(complaint: str) -> list:
    """The commands that a refusal shows."""
    match = re.search(r"send (\[\[.*?\]\])(?: to have|\.)", complaint)
    assert match, complaint
    return json.loads(match[1])


# === Names where ids belong ===


@pytest.mark.parametrize("value", ["BE", "Belgium", "base.be", {"code": "BE"}])
def test_a_country_is_answered_with_its_id(full: Wire, odoo: Odoo, vip: dict, value: object) -> None:
    [belgium] = odoo.search("res.country", [["code", "=", "BE"]])
    values = {"country_id": value}
    for tool, arguments in [
        ("create_record", {"values": {"name": "x", **values}}),
        ("update_record", {"ids": [vip["partner"]], "values": values}),
        ("batch_create", {"records": [{"name": "x", **values}]}),
        ("batch_update", {"updates": [{"id": vip["partner"], "values": values}]}),
        ("create_record", {"values": {"name": "x", "child_ids": [[0, 0, {"name": "y", **values}]]}}),
    ]:
        complaint = full.call(tool, model="res.partner", **arguments).complaint
        assert f"so send {belgium}." in complaint, complaint
        assert "search_records" not in complaint, "the id is there, so no search is advised"
    assert not odoo.read("res.partner", vip["partner"], "country_id")["country_id"]
    reply = full.call("update_record", model="res.partner", ids=[vip["partner"]], values={"country_id": belgium})
    assert not reply.failed, reply.text


def test_me_is_the_user_of_the_connection(full: Wire, odoo: Odoo, vip: dict) -> None:
    values = {"user_id": "me"}
    complaint = full.call("update_record", model="res.partner", ids=[vip["partner"]], values=values).complaint
    assert f"so send {odoo.user_id}." in complaint, complaint
    complaint = full.call("search_count", model="sale.order", domain=[["user_id", "=", "me"]]).complaint
    assert f'["user_id", "=", {odoo.user_id}]' in complaint, complaint


def test_conditions_on_names_that_are_none(full: Wire, odoo: Odoo, vip: dict, tag: str) -> None:
    for operator, value in (("=", "vip"), ("!=", vip["name"].upper())):
        domain = [["category_id", operator, value if operator == "!=" else vip["name"].replace("live", "LIVE")]]
        complaint = full.call("search_count", model="res.partner", domain=domain).complaint
        assert f'["category_id", "{operator}", {vip["id"]}]' in complaint, complaint
    complaint = full.call("search_read", model="res.partner", domain=[["id", "=", tag]]).complaint
    assert f'["id", "=", {vip["partner"]}]' in complaint, complaint
    found = full.call("search_count", model="res.partner", domain=[["category_id", "=", f"{tag} gold"]]).data
    assert found["count"] == 1


# === Commands ===


@pytest.mark.parametrize("form", ["names", "set", "link", "objects", "text"])
def test_tags_by_name_come_back_as_commands(full: Wire, odoo: Odoo, vip: dict, form: str) -> None:
    value = {
        "names": [vip["name"]],
        "set": [[6, 0, [vip["name"]]]],
        "link": [[4, vip["name"]]],
        "objects": [{"name": vip["name"]}],
        "text": f"[(4, {vip['id']})]",
    }[form]
    arguments = {"model": "res.partner", "ids": [vip["partner"]]}
    complaint = full.call("update_record", **arguments, values={"category_id": value}).complaint
    assert "In general" not in complaint, complaint
    assert odoo.read("res.partner", vip["partner"], "category_id")["category_id"] == [vip["gold"]]
    reply = full.call("update_record", **arguments, values={"category_id": shown(complaint)})
    assert not reply.failed, reply.text
    assert vip["id"] in odoo.read("res.partner", vip["partner"], "category_id")["category_id"]


def test_lines_as_objects_come_back_as_commands(full: Wire, odoo: Odoo, vip: dict, clean: object) -> None:
    product = odoo.call("product.product", "search", [["sale_ok", "=", True]], limit=1)[0]
    line = {"product_id": product, "product_uom_qty": 2}
    clean.note("sale.order", [["partner_id", "=", vip["partner"]]])
    values = {"partner_id": vip["partner"], "order_line": [line]}
    complaint = full.call("create_record", model="sale.order", values=values).complaint
    assert shown(complaint) == [[0, 0, line]]
    reply = full.call("create_record", model="sale.order", values={**values, "order_line": shown(complaint)})
    assert not reply.failed, reply.text


# === Dates ===


@pytest.mark.parametrize(
    "value",
    ["2026-12-01T09:00:00z", "2026-12-01T10:00:00+01:00", "2026-12-01 09:00", "2026-12-01T09:00:00.250Z"],
)
def test_forms_of_iso_8601_are_read(full: Wire, odoo: Odoo, vip: dict, clean: object, value: str) -> None:
    clean.note("sale.order", [["partner_id", "=", vip["partner"]]])
    values = {"partner_id": vip["partner"], "date_order": value}
    reply = full.call("create_record", model="sale.order", values=values)
    [created] = reply.data["created"]
    assert odoo.read("sale.order", created["id"], "date_order")["date_order"] == "2026-12-01 09:00:00"
    domain = [["id", "=", created["id"]], ["date_order", "=", value]]
    assert full.call("search_count", model="sale.order", domain=domain).data["count"] == 1


def test_dates_are_answered_with_the_one_that_was_meant(full: Wire, vip: dict) -> None:
    def complaint(value: object) -> str:
        values = {"partner_id": vip["partner"], "validity_date": value}
        return full.call("create_record", model="sale.order", values=values).complaint

    today = datetime.datetime.now(datetime.UTC).date()
    near = {str(today + datetime.timedelta(days=days)) for days in (6, 7, 8)}
    assert any(f'send "{day}".' in complaint("today +7d") for day in near), complaint("today +7d")
    assert 'send "2026-11-25".' in complaint("25/11/2026")
    assert 'send "2026-11-01".' in complaint("2026-11-01T00:00:00Z")
    assert "such as 2026-11-22" in complaint("soon")


def test_conditions_on_dates_are_answered_with_the_form(full: Wire) -> None:
    for value, wanted in [
        ("last 7 days", '["date_order", ">=", "today -7d"]'),
        ("yesterday", '["date_order", ">=", "today -1d"]'),
        ("2026-11", '["date_order", "<", "2026-12-01"]'),
        ("someday", '"2026-11-01"'),
    ]:
        complaint = full.call("search_count", model="sale.order", domain=[["date_order", ">=", value]]).complaint
        assert wanted in complaint, complaint
    for value in ("today -7d", "2026-11-01", "2026-11-01T00:00:00z"):
        assert not full.call("search_count", model="sale.order", domain=[["date_order", ">=", value]]).failed


def test_parts_of_dates_are_named(full: Wire) -> None:
    complaint = full.call("search_count", model="sale.order", domain=[["date_order.month", "=", 11]]).complaint
    assert '["date_order.month_number", "=", 11]' in complaint, complaint
    assert "traverse" not in complaint, complaint
    domain = [["date_order.month_number", "=", 11]]
    assert not full.call("search_count", model="sale.order", domain=domain).failed
    complaint = full.call("read_group", model="sale.order", groupby=["date_order.month"]).complaint
    assert "Write date_order:month" in complaint, complaint


# === Paths, aggregates and orders ===


def test_a_path_in_fields_is_answered_with_the_call_that_follows_it(full: Wire, odoo: Odoo) -> None:
    order = odoo.search("sale.order", [["partner_id.country_id", "!=", False]])[0]
    fields = ["partner_id.country_id"]
    complaint = full.call("get_record", model="sale.order", ids=[order], fields=fields).complaint
    match = re.search(r"traverse_relationships with (\{.*\})", complaint)
    assert match, complaint
    reply = full.call("traverse_relationships", **json.loads(match[1]))
    assert reply.data["records"][0]["country_id"]["id"]
    for path in ("order_line.price_unit", "partner_id/email"):
        complaint = full.call("search_read", model="sale.order", fields=[path], limit=1).complaint
        assert "traverse_relationships with" in complaint, complaint
    complaint = full.call("search_read", model="sale.order", fields=["partner_id.name"], limit=1).complaint
    assert "it comes as {id, name}" in complaint, complaint


@pytest.mark.parametrize(
    "aggregates",
    [
        ["SUM(amount_total)"],
        ["amount_total.sum"],
        "sum(amount_total)",
        {"amount_total": "sum"},
        [{"field": "amount_total", "function": "sum"}],
        ["amount_total:sum"],
    ],
)
def test_aggregates_are_read(full: Wire, aggregates: object) -> None:
    data = full.call(
        "read_group", model="sale.order", groupby=["state"], aggregates=aggregates, order="SUM(amount_total) desc"
    ).data
    sums = [group["amount_total:sum"] for group in data["groups"]]
    assert sums and sums == sorted(sums, reverse=True)


@pytest.mark.parametrize(
    "order",
    [
        "-name",
        "name desc nulls last",
        {"name": "desc"},
        [{"field": "name", "direction": "desc"}],
        "ORDER BY name DESCENDING",
        ["name desc"],
    ],
)
def test_orders_are_read(full: Wire, order: object) -> None:
    rows = full.call("search_read", model="sale.order", fields=["name"], limit=30, order=order).data["records"]
    names = [row["name"] for row in rows]
    assert names == sorted(names, reverse=True)


# === Labels ===


def test_labels_are_answered_with_their_value(full: Wire, odoo: Odoo, vip: dict) -> None:
    [selection] = odoo.search(
        "ir.model.fields.selection",
        [["field_id.model", "=", "sale.order"], ["field_id.name", "=", "state"], ["value", "=", "sale"]],
    )
    label = odoo.read("ir.model.fields.selection", selection, "name")["name"]
    for operator in ("=", "!="):
        complaint = full.call("search_count", model="sale.order", domain=[["state", operator, label]]).complaint
        assert f'["state", "{operator}", "sale"]' in complaint, complaint
    domain = [["order_id.state", "=", label]]
    complaint = full.call("search_count", model="sale.order.line", domain=domain).complaint
    assert '["order_id.state", "=", "sale"]' in complaint, complaint
    values = {"type": "Invoice"}
    complaint = full.call("update_record", model="res.partner", ids=[vip["partner"]], values=values).complaint
    assert '"invoice"' in complaint, complaint


# === Where else ===


def test_a_method_that_is_gone_is_answered_with_the_way(full: Wire, connect, vip: dict) -> None:
    wire = connect(level="any").wire
    complaint = wire.call("execute_method", model="res.partner", method="name_get", ids=[vip["partner"]]).complaint
    assert "display_name" in complaint and "name_create" not in complaint, complaint
    complaint = wire.call("execute_method", model="res.partner", method="_write", ids=[vip["partner"]]).complaint
    assert "Only public methods" not in complaint, complaint


def test_values_through_methods_are_answered_alike(connect, vip: dict) -> None:
    wire = connect(level="any").wire
    for method, arguments in [
        ("create", {"args": [{"name": "x", "category_id": [vip["name"]]}]}),
        ("write", {"ids": [vip["partner"]], "args": [{"category_id": [vip["name"]]}]}),
    ]:
        complaint = wire.call("execute_method", model="res.partner", method=method, **arguments).complaint
        assert [[6, 0, [vip["id"]]]] == shown(complaint)


def test_translations_and_html_have_their_form(full: Wire, vip: dict) -> None:
    values = {"name": {"en_US": "Table"}}
    complaint = full.call("create_record", model="res.partner.category", values=values).complaint
    assert '"context": {"lang": "en_US"}' in complaint, complaint
    post = {"model": "res.partner", "method": "message_post", "ids": [vip["partner"]]}
    reply = full.call("execute_method", **post, kwargs={"body": "<p>Hello</p>"})
    assert "body_is_html" in reply.data["notes"][0], reply.text
    reply = full.call("execute_method", **post, kwargs={"body": "<p>Hello</p>", "body_is_html": True})
    assert "notes" not in reply.data, reply.text


def test_the_model_of_an_activity_has_its_form(full: Wire, odoo: Odoo, vip: dict) -> None:
    [model] = odoo.search("ir.model", [["model", "=", "res.partner"]])
    values = {"res_model": "res.partner", "res_id": vip["partner"], "summary": "x"}
    complaint = full.call("create_record", model="mail.activity", values=values).complaint
    assert f'{{"res_model_id": {model}}}' in complaint, complaint
