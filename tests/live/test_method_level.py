"""What a connection may call: nothing, the buttons that Odoo shows on a record, or any public method."""

import time
import xmlrpc.client
from collections.abc import Callable

import pytest
from support.cleaner import Cleaner
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Wire


@pytest.fixture
def order(odoo: Odoo, clean: Cleaner, tag: str) -> int:
    """A quotation."""
    partner = odoo.call("res.partner", "create", {"name": f"{tag} customer"})
    clean.note("sale.order", [["partner_id", "=", partner]])
    return odoo.call("sale.order", "create", {"partner_id": partner})


def press(wire: Wire, method: str, order: int, **arguments: object) -> Reply:
    """Calls a method of the order."""
    return wire.call("execute_method", model="sale.order", method=method, ids=[order], **arguments)


def state(odoo: Odoo, order: int) -> str:
    """The state of the order, as Odoo itself says."""
    return odoo.read("sale.order", order, "state")["state"]


def test_a_new_connection_presses_buttons(connect: Callable, odoo: Odoo, order: int) -> None:
    connection = connect()
    assert odoo.read("mcp.connection", connection.id, "method_level")["method_level"] == "buttons"
    assert connection.wire.call("get_session").data["method_level"] == "buttons"
    assert not press(connection.wire, "action_confirm", order).failed
    assert state(odoo, order) == "sale"
    assert not press(connection.wire, "action_cancel", order).failed
    assert not press(connection.wire, "action_draft", order).failed
    assert state(odoo, order) == "draft"


def test_a_hidden_button_is_refused_with_those_that_there_are(full: Wire, odoo: Odoo, order: int) -> None:
    refused = press(full, "action_draft", order).complaint
    assert "action_draft is hidden on sale.order" in refused, refused
    assert 'action_confirm ("Confirm")' in refused and "action_cancel" in refused, refused
    assert "Method Level" in refused and state(odoo, order) == "draft"
    odoo.call("sale.order", "action_confirm", [order])
    refused = press(full, "action_confirm", order).complaint
    assert "action_confirm is hidden" in refused and "action_confirm (" not in refused, refused


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("write", {"args": [{"note": "x"}]}),
        ("unlink", {}),
        ("message_subscribe", {"kwargs": {"partner_ids": [1]}}),
        ("action_quotation_sent", {}),
        ("message_post", {"kwargs": {"body": "x", "partner_ids": [1]}}),
        ("action_confirm", {"args": [1]}),
        ("action_confirm", {"kwargs": {"x": 1}}),
    ],
)
def test_what_is_no_button_is_refused(full: Wire, odoo: Odoo, order: int, method: str, arguments: dict) -> None:
    assert press(full, method, order, **arguments).complaint
    assert state(odoo, order) == "draft"
    posted = [["model", "=", "sale.order"], ["res_id", "=", order], ["body", "like", ">x<"]]
    assert odoo.count("mail.message", posted) == 0


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("ir.module.module", "button_immediate_upgrade"),
        ("ir.cron", "method_direct_trigger"),
        ("ir.actions.server", "run"),
        ("mail.template", "send_mail"),
        ("res.users", "action_archive"),
        ("res.groups", "copy"),
    ],
)
def test_technical_buttons_stay_with_people(full: Wire, odoo: Odoo, model: str, method: str) -> None:
    args = [1] if method == "send_mail" else []
    record = odoo.search(model, [])[0]
    refused = full.call("execute_method", model=model, method=method, ids=[record], args=args).complaint
    assert f"buttons of {model} are not among them" in refused, refused


def test_a_note_is_written_and_an_activity_planned(full: Wire, odoo: Odoo, tag: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    note = {"model": "res.partner", "method": "message_post", "ids": [partner], "kwargs": {"body": f"{tag} note"}}
    assert not full.call("execute_method", **note).failed
    planned = {"model": "res.partner", "method": "activity_schedule", "ids": [partner], "kwargs": {"summary": tag}}
    assert not full.call("execute_method", **planned).failed
    about = [["res_id", "=", partner]]
    assert odoo.count("mail.message", [["model", "=", "res.partner"], *about, ["body", "like", tag]]) == 1
    assert odoo.count("mail.activity", [["res_model", "=", "res.partner"], *about]) == 1


def test_none_runs_nothing_and_shows_no_tool_for_it(connect: Callable, odoo: Odoo, order: int) -> None:
    wire = connect(level="none").wire
    assert "execute_method" not in {tool["name"] for tool in wire.tools()}
    assert press(wire, "action_confirm", order).error
    assert state(odoo, order) == "draft"
    assert wire.call("search_read", model="sale.order", fields=["name"], limit=1).data["count"] == 1
    assert wire.call("get_session").data["method_level"] == "none"


def test_any_calls_each_public_method(connect: Callable, order: int) -> None:
    wire = connect(level="any").wire
    assert not wire.call("execute_method", model="res.partner", method="get_import_templates").failed
    assert not press(wire, "copy_data", order).failed
    assert press(wire, "_action_confirm", order).complaint


def test_the_tool_says_what_the_level_allows(connect: Callable) -> None:
    told = {}
    for level in ("buttons", "any"):
        tools = {tool["name"]: tool["description"] for tool in connect(level=level).wire.tools()}
        told[level] = tools["execute_method"]
    assert "button" in told["buttons"] and "public method" in told["any"]


def test_a_changed_level_counts_at_once(connect: Callable, odoo: Odoo, order: int) -> None:
    connection = connect()
    listed = lambda: "execute_method" in {tool["name"] for tool in connection.wire.tools()}  # noqa: E731
    assert listed()
    started = time.monotonic()
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": "none"})
    # Odoo itself refuses from the next call on, whatever the sidecar still shows.
    reply = press(connection.wire, "action_confirm", order)
    assert "error" in reply.message or reply.failed
    until(lambda: not listed(), "the tool is gone", seconds=5)
    print(f"the list followed after {time.monotonic() - started:.3f} s")
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": "buttons"})
    until(listed, "the tool is back", seconds=5)
    assert not press(connection.wire, "action_confirm", order).failed


def test_only_a_settings_administrator_allows_any(
    odoo: Odoo, user: Callable, connect: Callable, stack: Stack, order: int
) -> None:
    manager = user("base.group_user", "mcp_sidecar.group_admin", "sales_team.group_sale_manager")
    connection = connect(manager)
    login = odoo.read("res.users", manager, "login")["login"]
    own = Odoo(stack.odoo_url, stack.database, login, login)
    for values in ({"method_level": "any"}, {"name": "x", "method_level": "any"}):
        with pytest.raises(xmlrpc.client.Fault, match="Only a Settings administrator"):
            own.call("mcp.connection", "write", [connection.id], values)
    with pytest.raises(xmlrpc.client.Fault, match="Only a Settings administrator"):
        own.call("mcp.connection", "copy", [connection.id], {"method_level": "any"})
    assert press(connection.wire, "copy_data", order).complaint
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": "any"})
    assert not press(connection.wire, "copy_data", order).failed
    # what was allowed can be taken back by the user, and not be had again
    own.call("mcp.connection", "write", [connection.id], {"method_level": "none"})
    own.call("mcp.connection", "write", [connection.id], {"method_level": "buttons"})
    with pytest.raises(xmlrpc.client.Fault, match="Only a Settings administrator"):
        own.call("mcp.connection", "write", [connection.id], {"method_level": "any"})
