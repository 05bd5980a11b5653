"""The gateway and the account behind it are of no use to anybody else."""

import json
import xmlrpc.client
from typing import Any

import httpx
import pytest
from support.credentials import proof
from support.odoo import Odoo
from support.stack import Stack

LOGIN = "mcp_sidecar_service"
METHODS = ("hello", "authenticate", "execute", "execute_batch", "call_status", "schema", "changes")


@pytest.fixture
def service(stack: Stack) -> Odoo:
    """The service account with the key that the sidecar uses."""
    key = (stack.folder / "service.key").read_text(encoding="utf-8").strip()
    return Odoo(stack.odoo_url, stack.database, LOGIN, key)


def test_the_service_account_can_read_no_model(service: Odoo, odoo: Odoo) -> None:
    models = [row["model"] for row in odoo.call("ir.model", "search_read", [], ["model"])]
    # Odoo answers an empty list instead of a refusal for attachments that one may not see.
    readable = [model for model in models if attempt(service, model, "search_read", [], ["id"], limit=1)]
    assert len(models) > 100, "all models were tried"
    assert readable == [], f"the service account finds records of {readable}"


def test_the_service_account_can_read_no_record_by_id(service: Odoo, odoo: Odoo) -> None:
    readable = []
    for row in odoo.call("ir.model", "search_read", [["transient", "=", False], ["abstract", "=", False]], ["model"]):
        ids = attempt(odoo, row["model"], "search", [], limit=1)
        if ids and attempt(service, row["model"], "read", ids, ["display_name"]):
            readable.append(row["model"])
    assert readable == [], f"the service account reads records of {readable}"


def attempt(who: Odoo, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
    """What Odoo answers; None for a refusal."""
    try:
        return who.call(model, method, *arguments, **keywords)
    except xmlrpc.client.Fault:
        return None


def test_the_service_account_can_change_nothing(service: Odoo, odoo: Odoo, settings_id: int) -> None:
    attempts = (
        ("res.users", "write", [service.user_id], {"password": "live-password"}),
        ("res.users", "change_password", "x", "live-password"),
        ("res.partner", "create", {"name": "live service"}),
        ("mcp.server.settings", "write", [settings_id], {"enabled": False}),
        ("mcp.connection", "create_api_key", "live service", odoo.user_id, "full"),
        ("mcp.server.settings", "generate_service_key"),
    )
    for model, method, *arguments in attempts:
        with pytest.raises(xmlrpc.client.Fault):
            service.call(model, method, *arguments)
    assert odoo.count("res.partner", [["name", "=", "live service"]]) == 0
    assert odoo.count("mcp.connection", [["name", "=", "live service"]]) == 0


def test_the_service_account_cannot_log_in_on_the_web(stack: Stack, service: Odoo) -> None:
    credentials = {"db": stack.database, "login": LOGIN, "password": service.password}
    answer = httpx.post(
        f"{stack.odoo_url}/web/session/authenticate",
        json={"jsonrpc": "2.0", "params": credentials},
        trust_env=False,
    )
    assert "error" in answer.json(), "the service account got a web session"


def test_no_proof_no_data(service: Odoo, stack: Stack) -> None:
    # A proof of nothing, and the key itself in place of its proof.
    for value in (proof("nobody's"), stack.api_key, ""):
        with pytest.raises(xmlrpc.client.Fault, match=r"unauthenticated|bad_request"):
            service.call("mcp.gateway", "authenticate", json.dumps({"proof": value, "ip": "127.0.0.1"}))


@pytest.mark.parametrize("group", ["base.group_portal", "base.group_user", "mcp_sidecar.group_admin"])
def test_nobody_else_can_call_the_gateway(stack: Stack, odoo: Odoo, user, group: str) -> None:
    user_id = user(group)
    login = odoo.read("res.users", user_id, "login")["login"]
    visitor = Odoo(stack.odoo_url, stack.database, login, login)
    for method in METHODS:
        # Refused before the request is looked at: the proof of a live key changes nothing.
        request = json.dumps({"proof": proof(stack.api_key), "ip": "127.0.0.1"})
        with pytest.raises(xmlrpc.client.Fault, match="not_service"):
            visitor.call("mcp.gateway", method, request)


def test_the_administrator_cannot_call_the_gateway(odoo: Odoo) -> None:
    for method in METHODS:
        with pytest.raises(xmlrpc.client.Fault, match="not_service"):
            odoo.call("mcp.gateway", method, "{}")


def test_no_other_method_of_the_gateway_is_public(service: Odoo) -> None:
    for method in ("_execute", "env", "sudo", "browse", "search", "read", "create", "with_user"):
        with pytest.raises(xmlrpc.client.Fault):
            service.call("mcp.gateway", method, "{}")


def test_stored_digests_cannot_be_read(odoo: Odoo) -> None:
    with pytest.raises(xmlrpc.client.Fault):
        odoo.call("mcp.credential", "search_read", [], ["digest"])
    rows = odoo.call("mcp.credential", "search_read", [], [])
    assert rows and all("digest" not in row for row in rows)
