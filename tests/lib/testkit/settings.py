"""Server Settings, as an administrator changes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from testkit.odoo import Odoo

MODEL = "mcp.server.settings"
# 0 means no limit.
NO_LIMIT = {"rate_limit_minute": 0, "rate_limit_day": 0}


def settings_id(odoo: Odoo) -> int:
    """The id of the one record."""
    answer = odoo.call(MODEL, "get_settings")
    return answer if isinstance(answer, int) else answer[0]


@contextmanager
def unlimited(odoo: Odoo) -> Iterator[int]:
    """Switched on and without rate limits for the length of the block; gives the id of the settings."""
    settings = settings_id(odoo)
    before = odoo.read(MODEL, settings, *NO_LIMIT, "enabled")
    odoo.call(MODEL, "write", [settings], {**NO_LIMIT, "enabled": True})
    try:
        yield settings
    finally:
        odoo.call(MODEL, "write", [settings], {name: before[name] for name in (*NO_LIMIT, "enabled")})
