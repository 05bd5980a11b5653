"""Odoo over XML-RPC, past the sidecar: to prepare, and to see what really happened."""

from __future__ import annotations

import testkit.odoo


class Odoo(testkit.odoo.Odoo):
    """One user's access to the database."""

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
