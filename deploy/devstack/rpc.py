"""Odoo's XML-RPC as its administrator uses it; what Odoo refuses is a failure of the command."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from testkit.odoo import LoginRefused, Odoo

from devstack.console import Failure


class OdooClient(Odoo):
    """One user's access to one Odoo database."""

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        try:
            super().__init__(url, database, login, password)
        except LoginRefused as refusal:
            raise Failure(f"{refusal} This stack remembers another password or key.") from refusal

    def call(self, model: str, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a public method of a model."""
        try:
            return super().call(model, method, *arguments, **keywords)
        except xmlrpc.client.Fault as fault:
            raise Failure(f"Odoo refuses {model}.{method}: {fault.faultString.strip()}") from fault
