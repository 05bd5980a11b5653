"""Odoo over plain XML-RPC: for setting up, and as the yardstick."""

from __future__ import annotations

import xmlrpc.client
from typing import Any


class Odoo:
    """One user's access to one database."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self.url = url
        self.database = database
        self.login = login
        self.password = password
        common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common")
        self.user_id = common.authenticate(database, login, password, {})
        if not self.user_id:
            raise SystemExit(f"Odoo at {url} does not let {login} in.")
        self._object = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True)

    def call(self, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a public method."""
        return self._object.execute_kw(
            self.database, self.user_id, self.password, model, method, list(arguments), keywords
        )

    def request(self, password: str, model: str, method: str, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """The same call as a request for the load generator."""
        values = (self.database, self.user_id, password, model, method, list(arguments), keywords)
        body = xmlrpc.client.dumps(values, methodname="execute_kw", allow_none=True)
        return {"headers": {"Content-Type": "text/xml"}, "body": body}

    @property
    def object_url(self) -> str:
        """Where such requests go."""
        return f"{self.url}/xmlrpc/2/object"

    # An API key cannot be made over RPC by design; an administrator's server action may do it.

    def make_api_key(self, name: str) -> str:
        """An API key of this user that ends by itself tomorrow."""
        return self._server_action(
            "tomorrow = datetime.datetime.now() + datetime.timedelta(days=1)\n"
            f"key = env['res.users.apikeys']._generate('rpc', {name!r}, tomorrow)\n"
            "action = {'type': 'ir.actions.act_window_close', 'key': key}"
        )["key"]

    def drop_api_key(self, name: str) -> None:
        """Delete the keys of that name."""
        self._server_action(f"env['res.users.apikeys'].search([('name', '=', {name!r})])._remove()")

    def _server_action(self, code: str) -> Any:
        [model] = self.call("ir.model", "search", [("model", "=", "res.users")])
        values = {"name": "Benchmark", "model_id": model, "state": "code", "code": code}
        action = self.call("ir.actions.server", "create", values)
        try:
            return self.call("ir.actions.server", "run", [action])
        finally:
            self.call("ir.actions.server", "unlink", [action])
