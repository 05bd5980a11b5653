"""Refusals teach, near misses are understood, and what is private stays so."""

import pytest
from support.odoo import Odoo
from support.wire import Wire


@pytest.mark.parametrize("method", ["_write", "__init__", "_compute_display_name", "sudo", "with_user", "init"])
def test_private_methods_are_refused(full: Wire, odoo: Odoo, method: str) -> None:
    reply = full.call("execute_method", model="res.partner", method=method, ids=[odoo.user_id])
    assert method in reply.complaint, reply.text


@pytest.mark.parametrize(
    "domain",
    [
        "[('is_company', '=', True)]",
        '[["is_company", "=", true]]',
        "['&', ('is_company', '=', True), ('id', '>', 0)]",
    ],
)
def test_a_domain_as_text_is_understood(full: Wire, odoo: Odoo, domain: str) -> None:
    count = full.call("search_count", model="res.partner", domain=domain).data["count"]
    assert count == odoo.call("res.partner", "search_count", [["is_company", "=", True]])


def test_text_in_a_domain_is_data_and_never_code(full: Wire) -> None:
    reply = full.call("search_count", model="res.partner", domain="[('id', '=', __import__('os').getpid())]")
    assert reply.complaint


def test_true_and_false_inside_values_are_left_alone(full: Wire, odoo: Odoo, tag: str) -> None:
    odoo.call("res.partner", "create", {"name": f"{tag} True and False"})
    domain = f"[('name', '=', '{tag} True and False')]"
    assert full.call("search_count", model="res.partner", domain=domain).data["count"] == 1


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_read", {"fields": ["nmae"], "limit": 1}),
        ("search_read", {"domain": [["nmae", "=", "x"]], "limit": 1}),
        ("create_record", {"values": {"nmae": "x"}}),
    ],
    ids=["fields", "domain", "values"],
)
def test_a_misspelt_field_brings_the_right_one(full: Wire, tool: str, arguments: dict) -> None:
    complaint = full.call(tool, model="res.partner", **arguments).complaint
    assert "nmae" in complaint and "name" in complaint.replace("nmae", ""), complaint


def test_a_misspelt_model_brings_the_right_one(full: Wire) -> None:
    assert "res.partner" in full.call("search_read", model="res.partnr", limit=1).complaint


def test_a_misspelt_tool_is_an_error_of_the_protocol(full: Wire) -> None:
    assert full.call("serch_read", model="res.partner").error["code"] == -32602


def test_a_wrong_operator_is_named(full: Wire) -> None:
    complaint = full.call("search_read", model="res.partner", domain=[["name", "~=", "x"]], limit=1).complaint
    assert "~=" in complaint and "ilike" in complaint, complaint


def test_a_wrong_selection_value_brings_the_right_ones(full: Wire, odoo: Odoo, tag: str) -> None:
    complaint = full.call("create_record", model="res.partner", values={"name": tag, "type": "invoce"}).complaint
    assert "invoice" in complaint, complaint


def test_what_odoo_says_reaches_the_model(full: Wire, odoo: Odoo, clean) -> None:
    # A constraint of Odoo's own, in its own words.
    complaint = full.call("create_record", model="res.users", values={"name": "x", "login": "admin"}).complaint
    assert "login" in complaint.lower() or "same" in complaint.lower(), complaint


def test_missing_and_wrong_arguments_are_named(full: Wire) -> None:
    assert "model" in full.call("search_read", limit=1).complaint
    assert "limit" in full.call("search_read", model="res.partner", limit="many").complaint
    assert "colour" in full.call("search_read", model="res.partner", colour="red").complaint


def test_other_context_keys_are_refused_by_name(full: Wire) -> None:
    reply = full.call("search_read", model="res.partner", limit=1, context={"uid": 1})
    assert "uid" in reply.complaint


def test_a_limit_above_the_maximum_becomes_the_maximum(full: Wire, odoo: Odoo) -> None:
    data = full.call("search_read", model="ir.model.fields", fields=["name"], limit=5000).data
    assert data["count"] == 1000, "the most there can be, not the default"
    assert data["limit_applied"] == 1000, "and it says so"


def test_context_is_honoured(full: Wire, odoo: Odoo, tag: str) -> None:
    odoo.call("res.partner", "create", {"name": tag, "active": False})
    domain = [["name", "=", tag]]
    assert full.call("search_count", model="res.partner", domain=domain).data["count"] == 0
    archived = full.call("search_count", model="res.partner", domain=domain, context={"active_test": False})
    assert archived.data["count"] == 1
