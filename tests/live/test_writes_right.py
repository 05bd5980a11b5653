"""What is stored is what was sent, or the answer says so; what a person could not set is refused with the way."""

from __future__ import annotations

import base64

import pytest
from support.odoo import Odoo
from support.wire import Wire


@pytest.fixture
def order(odoo: Odoo, tag: str, clean: object) -> dict:
    """A quotation with three lines."""
    partner = odoo.call("res.partner", "create", {"name": tag})
    product = odoo.call("product.product", "search", [["sale_ok", "=", True], ["type", "=", "service"]], limit=1)[0]
    line = [0, 0, {"product_id": product, "product_uom_qty": 2}]
    record = odoo.call("sale.order", "create", {"partner_id": partner, "order_line": [line] * 3})
    clean.note("sale.order", [["id", "=", record], ["state", "=", "draft"]])
    return {"id": record, "partner": partner, **odoo.read("sale.order", record, "order_line", "name")}


def test_a_state_is_changed_by_buttons_and_not_set(full: Wire, odoo: Odoo, order: dict) -> None:
    reply = full.call("update_record", model="sale.order", ids=[order["id"]], values={"state": "sale"})
    assert reply.failed
    assert "action_confirm" in reply.text, reply.text
    assert odoo.read("sale.order", order["id"], "state")["state"] == "draft"


@pytest.mark.parametrize("values", [{"amount_total": 1.0}, {"invoice_status": "invoiced"}, {"amount_tax": 0}])
def test_what_odoo_computes_is_not_set(full: Wire, order: dict, values: dict) -> None:
    reply = full.call("update_record", model="sale.order", ids=[order["id"]], values=values)
    assert reply.failed
    assert "computed" in reply.text, reply.text


def test_lines_of_another_order_and_lines_left_out_stay(full: Wire, odoo: Odoo, order: dict) -> None:
    foreign = odoo.call("sale.order.line", "search", [["order_id", "!=", order["id"]]], limit=1)[0]
    own = order["order_line"]
    for value in ([[1, foreign, {"name": "x"}]], [[2, foreign, 0]], own[:1], [[6, 0, own[:1]]], [4, own[0]]):
        reply = full.call("update_record", model="sale.order", ids=[order["id"]], values={"order_line": value})
        assert reply.failed, value
    assert odoo.read("sale.order", order["id"], "order_line")["order_line"] == own
    change = [[1, own[0], {"product_uom_qty": 5}], [2, own[1], 0]]
    reply = full.call("update_record", model="sale.order", ids=[order["id"]], values={"order_line": change})
    assert not reply.failed, reply.text
    assert any(str(own[1]) in note for note in reply.data["notes"])
    assert odoo.read("sale.order", order["id"], "order_line")["order_line"] == [own[0], own[2]]


def test_null_archives_nothing(full: Wire, odoo: Odoo, order: dict) -> None:
    reply = full.call("update_record", model="res.partner", ids=[order["partner"]], values={"active": None})
    assert reply.failed
    assert odoo.read("res.partner", order["partner"], "active")["active"]


def test_an_answer_shows_what_was_stored_differently(full: Wire, odoo: Odoo, order: dict) -> None:
    values = {"comment": "Write to <ana@example.com>", "ref": "kept"}
    reply = full.call("update_record", model="res.partner", ids=[order["partner"]], values=values)
    assert "stored" not in reply.data["updated"][0]
    assert "&lt;ana@example.com&gt;" in odoo.read("res.partner", order["partner"], "comment")["comment"]
    values = {"comment": "<p onclick='x()'>Hello</p>"}
    reply = full.call("update_record", model="res.partner", ids=[order["partner"]], values=values)
    assert reply.data["updated"][0]["stored"] == {"comment": "<p>Hello</p>"}
    assert reply.data["notes"]


def test_a_file_is_stored_as_its_bytes(full: Wire, odoo: Odoo, order: dict) -> None:
    content = b"\xfb\xff live"
    text = "data:application/octet-stream;base64," + base64.b64encode(content).decode()
    values = {"name": "live.bin", "raw": text, "res_model": "res.partner", "res_id": order["partner"]}
    reply = full.call("create_record", model="ir.attachment", values=values)
    [created] = reply.data["created"]
    stored = odoo.read("ir.attachment", created["id"], "datas")["datas"]
    odoo.call("ir.attachment", "unlink", [created["id"]])
    assert base64.b64decode(stored) == content


def test_one_entry_names_its_records_once(full: Wire, order: dict) -> None:
    updates = [{"id": order["partner"], "ids": [order["partner"] + 1], "values": {"ref": "x"}}]
    reply = full.call("batch_update", model="res.partner", updates=updates)
    assert reply.failed
    assert "both `id`" in reply.text
