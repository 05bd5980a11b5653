"""A connection for some models reaches no other one, along no path, through the real endpoint."""

from collections.abc import Callable

import pytest
from support.odoo import Odoo
from support.wait import until
from support.wire import Wire

ALLOWED = "res.partner\nmail.message"


@pytest.fixture
def confined(odoo: Odoo, connect: Callable) -> Wire:
    """A full connection of the administrator for partners and their messages."""
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"allowed_models": ALLOWED})
    until(lambda: len(connection.wire.call("list_models").data["models"]) <= 2, "the list of models is in force")
    return connection.wire


def refused(wire: Wire, tool: str, named: str, **arguments: object) -> None:
    """The refusal names the model that is not allowed, and tells nothing of its content."""
    complaint = wire.call(tool, **arguments).complaint
    assert named in complaint, complaint


def test_the_model_itself(confined: Wire) -> None:
    assert confined.call("search_read", model="res.partner", fields=["name"], limit=1).data["count"] == 1
    refused(confined, "search_read", "res.country", model="res.country", fields=["name"])
    refused(confined, "get_record", "res.country", model="res.country", id=1)
    refused(confined, "search_count", "res.country", model="res.country")
    refused(confined, "read_group", "res.country", model="res.country", groupby=["code"])
    refused(confined, "describe_model", "res.country", model="res.country")
    refused(confined, "create_record", "res.country", model="res.country", values={"name": "X", "code": "X9"})


@pytest.mark.parametrize(
    "domain",
    [
        [["country_id.code", "=", "BE"]],
        [["country_id", "any", [["code", "=", "BE"]]]],
        [["country_id", "not any", [["code", "=", "BE"]]]],
        [["country_id", "ilike", "Belg"]],
        [["country_id", "=", "Belgium"]],
        [["child_ids.country_id.code", "=", "BE"]],
    ],
    ids=["dotted", "any", "not any", "ilike", "by name", "two steps"],
)
def test_domains(confined: Wire, domain: list) -> None:
    refused(confined, "search_read", "res.country", model="res.partner", domain=domain, fields=["name"])
    refused(confined, "search_count", "res.country", model="res.partner", domain=domain)


def test_order_and_groups(confined: Wire) -> None:
    refused(confined, "search_read", "res.country", model="res.partner", fields=["name"], order="country_id")
    refused(confined, "read_group", "res.country", model="res.partner", groupby=["country_id"])


def test_names_of_what_is_not_allowed_stay_unseen(confined: Wire, odoo: Odoo, tag: str) -> None:
    belgium = odoo.ref("base.be")
    odoo.call("res.partner", "create", {"name": f"{tag} belgian", "country_id": belgium})
    arguments = {"model": "res.partner", "domain": [["name", "=", f"{tag} belgian"]]}
    reply = confined.call("search_read", **arguments, fields=["name", "country_id"])
    assert "Belgium" not in reply.text
    default = confined.call("search_read", **arguments)
    assert "Belgium" not in default.text


def test_nested_writes(confined: Wire, odoo: Odoo, tag: str) -> None:
    values = {"name": f"{tag} parent", "bank_ids": [[0, 0, {"acc_number": "BE71096123456769"}]]}
    refused(confined, "create_record", "res.partner.bank", model="res.partner", values=values)
    assert odoo.count("res.partner", [["name", "=", f"{tag} parent"]]) == 0


def test_traversal(confined: Wire, odoo: Odoo) -> None:
    partner = odoo.search("res.partner", [["country_id", "!=", False]])[0]
    refused(confined, "traverse_relationships", "res.country", model="res.partner", ids=[partner], path=["country_id"])


def test_methods_are_off_until_turned_on(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"allowed_models": ALLOWED})
    names = lambda: {tool["name"] for tool in connection.wire.tools()}  # noqa: E731
    until(lambda: "execute_method" not in names(), "execute_method is gone")
    arguments = {"model": "res.partner", "method": "address_get", "ids": odoo.search("res.partner", [])[:1]}
    assert "error" in connection.wire.call("execute_method", **arguments).message
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": "any"})
    until(lambda: "execute_method" in names(), "execute_method is back")
    assert not connection.wire.call("execute_method", **arguments).failed
    refused(connection.wire, "execute_method", "res.country", model="res.country", method="get_address_fields", ids=[1])


def test_a_narrowed_connection_is_narrow_within_a_moment(odoo: Odoo, connect: Callable) -> None:
    connection = connect()
    reads = {"model": "res.country", "fields": ["name"], "limit": 1}
    assert not connection.wire.call("search_read", **reads).failed
    odoo.call("mcp.connection", "write", [connection.id], {"allowed_models": "res.partner"})
    # Odoo itself enforces it: not even the next call gets through.
    assert connection.wire.call("search_read", **reads).failed
