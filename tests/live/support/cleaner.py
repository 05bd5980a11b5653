"""What a test made, so that it can be unmade."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Fault

from support.odoo import Odoo


class Cleaner:
    """Deletes by domain, newest note first; a domain also finds what a test made without learning its id."""

    def __init__(self, odoo: Odoo) -> None:
        self._odoo = odoo
        self._notes: list[tuple[str, list[Any]]] = []

    def note(self, model: str, domain: list[Any]) -> None:
        """Whatever matches at the end goes."""
        self._notes.append((model, domain))

    def run(self) -> None:
        """Delete; what Odoo keeps (a user with a history) is archived."""
        for model, domain in reversed(self._notes):
            ids = self._odoo.search(model, domain)
            if not ids:
                continue
            try:
                if model == "sale.order":
                    self._odoo.call(model, "write", ids, {"state": "cancel"})
                self._odoo.call(model, "unlink", ids)
            except Fault:
                self._odoo.call(model, "write", ids, {"active": False})
