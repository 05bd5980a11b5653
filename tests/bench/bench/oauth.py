"""OAuth: what a token costs on the hot path, how fast tokens are renewed, how fast the documents come."""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from xmlrpc.client import Fault

from testkit.browsing import Browser, fetch
from testkit.oauth import OAuthClient, Tokens
from testkit.stack import Stack

from bench.odoo import Odoo
from bench.targets import Target

NAME = "MCP benchmark"
DOCUMENT = "/.well-known/oauth-authorization-server"
# Renewals of one login follow each other; so many logins renew side by side.
LOGINS = 4


@contextmanager
def client(stack: Stack, odoo: Odoo) -> Iterator[tuple[OAuthClient, Browser]]:
    """A registered application, and the administrator at a browser; gone afterwards."""
    drop(odoo)
    browser = Browser()
    browser.log_in(stack.odoo_url, stack.admin_login, stack.admin_password)
    try:
        yield OAuthClient(stack.mcp_url).register(client_name=NAME), browser
    finally:
        drop(odoo)


def drop(odoo: Odoo) -> None:
    """Delete the application with its grants, or archive it where Odoo keeps it for the record."""
    for model, domain in (
        ("mcp.connection", [["oauth_client_id.name", "=", NAME]]),
        ("mcp.oauth.client", [["name", "=", NAME]]),
    ):
        ids = odoo.search(model, domain)
        try:
            odoo.call(model, "unlink", ids)
        except Fault:
            odoo.call(model, "write", ids, {"active": False})


def unlimited(odoo: Odoo) -> None:
    """Without rate limits, as the connection with the key."""
    ids = odoo.search("mcp.connection", [["oauth_client_id.name", "=", NAME]])
    odoo.call("mcp.connection", "write", ids, {"rate_limit_minute": 0, "rate_limit_day": 0})


def renewals(found: OAuthClient, logins: list[Tokens], seconds: float) -> dict[str, Any]:
    """Renew as often as one login after the other can, side by side."""
    end = time.monotonic() + seconds
    url = urllib.parse.urlsplit(found.server["token_endpoint"])
    with ThreadPoolExecutor(len(logins)) as pool:
        chains = pool.map(lambda tokens: list(_chain(url, found.client_id or "", tokens.refresh or "", end)), logins)
        times = sorted(took for chain in chains for took in chain)
    print("- renewals", file=sys.stderr)
    return {"rps": len(times) / seconds, "p50_ms": times[len(times) // 2] * 1000, "count": len(times)}


def _chain(url: urllib.parse.SplitResult, client_id: str, token: str, end: float) -> Iterator[float]:
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    while time.monotonic() < end:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id}
        start = time.monotonic()
        connection.request("POST", url.path, urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 429:
            # The budget of one address ends before the server does.
            time.sleep(0.05)
            continue
        if answer.status != 200:
            raise SystemExit(f"A renewal answers {answer.status}: {body[:300]!r}")
        yield time.monotonic() - start
        token = json.loads(body)["refresh_token"]


def document(stack: Stack) -> tuple[Target, int]:
    """The metadata of the authorization server, and its size."""
    url = f"{stack.mcp_url.removesuffix('/odoo/mcp')}{DOCUMENT}"
    answer = fetch(url)
    if answer.status != 200:
        raise SystemExit(f"{url} answers {answer.status}")
    return get("sidecar", url), len(answer.text)


def get(name: str, url: str) -> Target:
    """Reading an address."""
    request = {"method": "GET", "headers": {"Accept": "application/json"}, "body": ""}
    return Target(name, {"url": url, "requests": [request], "expect": {"statuses": [200]}})
