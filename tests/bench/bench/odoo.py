"""Odoo over plain XML-RPC: for setting up, and as the yardstick."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

import testkit.odoo


class Odoo(testkit.odoo.Odoo):
    """One user's access to one database, with what the load generator needs of it."""

    def request(self, password: str, model: str, method: str, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """The same call as a request for the load generator."""
        values = (self.database, self.user_id, password, model, method, list(arguments), keywords)
        body = xmlrpc.client.dumps(values, methodname="execute_kw", allow_none=True)
        return {"headers": {"Content-Type": "text/xml"}, "body": body}

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
