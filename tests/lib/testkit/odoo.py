"""Odoo over plain XML-RPC, without the sidecar: to prepare, to compare, and to see what really happened."""

from __future__ import annotations

import xmlrpc.client
from typing import Any


class LoginRefused(Exception):
    """Odoo does not accept this login with this password or key."""


class Odoo:
    """One user's access to one database."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self.url = url
        self.database = database
        self.login = login
        self.password = password
        common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common", allow_none=True)
        self.user_id = common.authenticate(database, login, password, {})
        if not self.user_id:
            raise LoginRefused(f"Odoo at {url} refuses the login {login}.")

    @property
    def object_url(self) -> str:
        """Where calls go."""
        return f"{self.url}/xmlrpc/2/object"

    def call(self, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a public method."""
        # A connection for each call: a kept one may be one that a restarted Odoo has closed.
        proxy = xmlrpc.client.ServerProxy(self.object_url, allow_none=True)
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
