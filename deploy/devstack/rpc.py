"""Odoo's XML-RPC as its administrator uses it, and plain HTTP probes."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
import xmlrpc.client
from typing import Any

from devstack.console import Failure

# A machine-wide HTTP proxy must not see requests to this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_status(url: str, *, timeout: float = 10) -> int | None:
    """The status of a GET request; None if nothing answers."""
    try:
        with DIRECT.open(url, timeout=timeout) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None


class OdooClient:
    """One user's access to one Odoo database."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self._objects = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True)
        self._database = database
        self._password = password
        common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common", allow_none=True)
        self.user_id = common.authenticate(database, login, password, {})
        if not self.user_id:
            raise Failure(f"Odoo does not let {login} in with the password or key this stack remembers.")

    def call(self, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a public method of a model."""
        try:
            return self._objects.execute_kw(
                self._database, self.user_id, self._password, model, method, list(arguments), keywords
            )
        except xmlrpc.client.Fault as fault:
            raise Failure(f"Odoo refuses {model}.{method}: {fault.faultString.strip()}") from fault
