"""The master switch under load: how long requests are still accepted."""

from __future__ import annotations

from typing import Any

from bench import mcp
from bench.dataset import SMALL
from bench.generator import load
from bench.odoo import Odoo
from bench.targets import Rows, plain, sidecar, tool_list


def measure(odoo: Odoo, settings: int, url: str, key: str, rows: Rows, flips: int) -> dict[str, Any]:
    """Turn the switch off and on under the load of four clients."""
    reading = sidecar(url, [key], SMALL, rows).plan
    listing = tool_list("sidecar", url, key)[0].plan
    plan = {
        "probes": [reading, listing, reading, listing],
        "refused_status": 503,
        # A call that was let in just before is refused by Odoo itself, in the answer of the tool.
        "refused_text": "disabled by the administrator",
        "off": turn(odoo, settings, False),
        "on": turn(odoo, settings, True),
        "flips": flips,
    }
    return load("flips", plan)


def turn(odoo: Odoo, settings: int, on: bool) -> dict[str, Any]:
    """What the button in Odoo does, as a request."""
    request = odoo.request(odoo.password, "mcp.server.settings", "write", [settings], {"enabled": on})
    return {"url": odoo.object_url, "requests": [request], "expect": {"statuses": [200], "without": ["faultCode"]}}


def refused(url: str, key: str) -> Any:
    """Requests while the switch is off."""
    return plain("sidecar", url, [mcp.request("tools/list", key=key)], [503])
