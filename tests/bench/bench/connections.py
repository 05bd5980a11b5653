"""Connections of the benchmark's own, without limits; gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from xmlrpc.client import Fault

from bench.odoo import Odoo

NAME = "Benchmark"


@contextmanager
def key(odoo: Odoo, user_id: int | None = None, scope: str = "full") -> Iterator[str]:
    """The API key of a connection for that user (default: the administrator)."""
    _drop(odoo, user_id or odoo.user_id)
    text = odoo.call("mcp.connection", "create_api_key", NAME, user_id or odoo.user_id, scope)
    try:
        yield text
    finally:
        _drop(odoo, user_id or odoo.user_id)


@contextmanager
def users(odoo: Odoo, count: int) -> Iterator[list[str]]:
    """API keys of that many different users, who see what an employee in sales sees."""
    logins = [f"mcp-benchmark-{number}" for number in range(count)]
    group = odoo.ref("sales_team.group_sale_manager")
    with ExitStack() as stack:
        _drop_users(odoo, logins)
        values = [
            {"name": f"{NAME} {login}", "login": login, "group_ids": [[4, group]], "notification_type": "email"}
            for login in logins
        ]
        ids = odoo.call("res.users", "create", values, context={"no_reset_password": True})
        stack.callback(_drop_users, odoo, logins)
        yield [stack.enter_context(key(odoo, user_id)) for user_id in ids]


def _drop(odoo: Odoo, user_id: int) -> None:
    """Delete the connections, or revoke them where Odoo keeps them for the record."""
    ids = odoo.search("mcp.connection", [["name", "=", NAME], ["user_id", "=", user_id]])
    if not ids:
        return
    try:
        odoo.call("mcp.connection", "unlink", ids)
    except Fault:
        odoo.call("mcp.connection", "action_revoke", ids)


def _drop_users(odoo: Odoo, logins: list[str]) -> None:
    ids = odoo.search("res.users", [["login", "in", logins]])
    if not ids:
        return
    partners = [row["partner_id"][0] for row in odoo.call("res.users", "read", ids, ["partner_id"])]
    try:
        odoo.call("res.users", "unlink", ids)
        odoo.call("res.partner", "unlink", partners)
    except Fault:
        odoo.call("res.users", "write", ids, {"active": False})
