"""Odoo over XML-RPC, which knows nothing of the sidecar: to prepare, and to see what really happened."""

from __future__ import annotations

import xmlrpc.client
from typing import Any


class Odoo:
    """One user's access to the database."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self.url = url
        self.database = database
        self.login = login
        self.password = password
        common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common", allow_none=True)
        self.user_id = common.authenticate(database, login, password, {})
        assert self.user_id, f"Odoo does not let {login} in"

    def call(self, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a public method."""
        # A proxy for each call: a kept connection may be one that a restarted Odoo has forgotten.
        proxy = xmlrpc.client.ServerProxy(f"{self.url}/xmlrpc/2/object", allow_none=True)
        return proxy.execute_kw(self.database, self.user_id, self.password, model, method, list(arguments), keywords)

    def search(self, model: str, domain: list[Any]) -> list[int]:
        """Ids, archived records among them."""
        return self.call(model, "search", domain, context={"active_test": False})

    def count(self, model: str, domain: list[Any]) -> int:
        """How many there are, archived records among them."""
        return self.call(model, "search_count", domain, context={"active_test": False})

    def read(self, model: str, record_id: int, *fields: str) -> dict[str, Any]:
        """One record."""
        [row] = self.call(model, "read", [record_id], list(fields), load="")
        return row

    def ref(self, name: str) -> int:
        """The id behind an XML id."""
        return self.call("ir.model.data", "check_object_reference", *name.split("."))[1]

    def make_user(self, name: str, password: str, *groups: str) -> int:
        """A user with exactly these groups."""
        values = {
            "name": name,
            "login": name,
            "password": password,
            "group_ids": [[6, 0, [self.ref(group) for group in groups]]],
            "notification_type": "email",
        }
        return self.call("res.users", "create", values, context={"no_reset_password": True})
