"""People who sign in, with a browser each, and the applications that they sign in for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from testkit.browsing import Browser
from testkit.oauth import REDIRECT, OAuthClient

from support.cleaner import Cleaner
from support.odoo import Odoo
from support.stack import Stack
from support.wire import Wire

MEMBER = ("base.group_user", "mcp_sidecar.group_user")
HTTPS = "https://client.example/oauth/callback"
PRIVATE = "cursor://anysphere.cursor-mcp/oauth/callback"
NAME = "Proof of OAuth"


@dataclass(frozen=True)
class Person:
    """A user of Odoo at a browser of its own, logged in."""

    id: int
    login: str
    browser: Browser


@pytest.fixture(scope="session")
def swept(odoo: Odoo) -> Iterator[None]:
    """Applications that tests registered, and the grants of these, are deleted in the end."""
    yield
    cleaner = Cleaner(odoo)
    cleaner.note("mcp.oauth.client", [["name", "=like", f"{NAME}%"]])
    cleaner.note("mcp.connection", [["oauth_client_id.name", "=like", f"{NAME}%"]])
    cleaner.run()


@pytest.fixture
def client(stack: Stack, issued: list[str], swept: None) -> OAuthClient:
    """A client that is not registered yet."""
    return OAuthClient(stack.mcp_url, issued)


@pytest.fixture(scope="session")
def public_client(stack: Stack, issued: list[str], swept: None) -> OAuthClient:
    """A public client; use a copy of it."""
    client = OAuthClient(stack.mcp_url, issued)
    return client.register(client_name=f"{NAME}, public", redirect_uris=[REDIRECT, HTTPS, PRIVATE])


@pytest.fixture(scope="session")
def confidential_client(stack: Stack, issued: list[str], swept: None) -> OAuthClient:
    """A client with a secret; use a copy of it."""
    client = OAuthClient(stack.mcp_url, issued)
    return client.register(
        client_name=f"{NAME}, confidential",
        redirect_uris=[REDIRECT, HTTPS],
        token_endpoint_auth_method="client_secret_basic",
    )


@pytest.fixture
def public(public_client: OAuthClient) -> OAuthClient:
    """The public client."""
    return public_client.copy()


@pytest.fixture
def confidential(confidential_client: OAuthClient) -> OAuthClient:
    """The client with a secret."""
    return confidential_client.copy()


@pytest.fixture
def person(user: Callable[..., int], odoo: Odoo, clean: Cleaner, stack: Stack) -> Callable[..., Person]:
    """Makes a user in these groups (default: those who may connect AI tools), logged in at a browser of its own."""

    def make(*groups: str) -> Person:
        user_id = user(*(groups or MEMBER))
        clean.note("mcp.connection", [["user_id", "=", user_id]])
        login = odoo.read("res.users", user_id, "login")["login"]
        return Person(user_id, login, logged_in(stack, login))

    return make


@pytest.fixture
def member(person: Callable[..., Person]) -> Person:
    """One such user."""
    return person()


@pytest.fixture(scope="session")
def regular(odoo: Odoo, stack: Stack) -> Iterator[Person]:
    """The same user for all tests that change nothing but its grants."""
    cleaner = Cleaner(odoo)
    login = "live-regular"
    cleaner.note("res.partner", [["name", "=", login]])
    cleaner.note("res.users", [["login", "=", login]])
    cleaner.run()
    user_id = odoo.make_user(login, login, *MEMBER)
    cleaner.note("mcp.connection", [["user_id", "=", user_id]])
    yield Person(user_id, login, logged_in(stack, login))
    cleaner.run()


def logged_in(stack: Stack, login: str, password: str | None = None) -> Browser:
    """A browser in which this user has logged in at Odoo."""
    browser = Browser()
    browser.log_in(stack.odoo_url, login, password or login)
    return browser


@pytest.fixture
def wire(stack: Stack) -> Iterator[Callable[[str], Wire]]:
    """Makes an MCP client with this access token."""
    made: list[Wire] = []

    def make(token: str) -> Wire:
        made.append(Wire(stack.mcp_url, token))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def setting(odoo: Odoo, settings_id: int) -> Iterator[Callable[..., None]]:
    """Changes Server Settings until the test ends."""
    before: dict[str, object] = {}

    def change(**values: object) -> None:
        row = odoo.read("mcp.server.settings", settings_id, *values)
        before.update({name: row[name] for name in values if name not in before})
        odoo.call("mcp.server.settings", "write", [settings_id], values)

    yield change
    if before:
        odoo.call("mcp.server.settings", "write", [settings_id], before)
