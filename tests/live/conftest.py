"""Fixtures: the stack, an administrator's view of Odoo, connections, and cleaning up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cleaner import Cleaner
from support.odoo import Odoo
from support.stack import Stack
from support.wire import Wire
from testkit import settings

pytest_plugins = ["support.people"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", type=Path, help="the output of deploy/dev status --json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture
def anyio_backend() -> str:
    """The SDK runs on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    """The running stack."""
    return Stack.load(request.config.getoption("--stack"))


@pytest.fixture(scope="session")
def odoo(stack: Stack) -> Odoo:
    """Odoo as its administrator sees it."""
    return Odoo(stack.odoo_url, stack.database, stack.admin_login, stack.admin_password)


@pytest.fixture(scope="session")
def settings_id(odoo: Odoo) -> int:
    """The one record of Server Settings."""
    return settings.settings_id(odoo)


@pytest.fixture(scope="session", autouse=True)
def unlimited(odoo: Odoo) -> Iterator[None]:
    """Switched on and without rate limits, as it was before afterwards: these tests are about other promises."""
    with settings.unlimited(odoo):
        yield


@pytest.fixture
def clean(odoo: Odoo) -> Iterator[Cleaner]:
    """Deletes what the test notes."""
    cleaner = Cleaner(odoo)
    yield cleaner
    cleaner.run()


@pytest.fixture
def tag(clean: Cleaner) -> str:
    """A text that no other record holds; partners whose name begins with it are deleted after the test."""
    text = f"live-{uuid.uuid4().hex[:10]}"
    clean.note("res.partner", [["name", "=like", f"{text}%"]])
    return text


@pytest.fixture
def full(stack: Stack) -> Iterator[Wire]:
    """The connection with full access."""
    wire = Wire(stack.mcp_url, stack.api_key)
    yield wire
    wire.close()


@pytest.fixture
def read_only(stack: Stack) -> Iterator[Wire]:
    """The connection that may only read."""
    wire = Wire(stack.mcp_url, stack.api_key_read_only)
    yield wire
    wire.close()


@dataclass(frozen=True)
class Connection:
    """A connection made for one test."""

    id: int
    key: str
    wire: Wire


# Keys that were issued; the last test looks for them where they must not be.
ISSUED: list[str] = []


@pytest.fixture(scope="session")
def issued(stack: Stack) -> list[str]:
    """All keys that this run has used."""
    ISSUED.extend([stack.api_key, stack.api_key_read_only])
    return ISSUED


@pytest.fixture
def connect(stack: Stack, odoo: Odoo, clean: Cleaner, issued: list[str]) -> Iterator[Callable[..., Connection]]:
    """Makes a connection for a user (default: the administrator), with a level of methods (default: Odoo's)."""
    wires: list[Wire] = []

    def make(user_id: int | None = None, scope: str = "full", level: str | None = None) -> Connection:
        name = f"live-{uuid.uuid4().hex[:10]}"
        clean.note("mcp.connection", [["name", "=", name]])
        key = odoo.call("mcp.connection", "create_api_key", name, user_id or odoo.user_id, scope)
        issued.append(key)
        [connection_id] = odoo.search("mcp.connection", [["name", "=", name]])
        if level:
            odoo.call("mcp.connection", "write", [connection_id], {"method_level": level})
        wires.append(Wire(stack.mcp_url, key))
        return Connection(connection_id, key, wires[-1])

    yield make
    for wire in wires:
        wire.close()


@pytest.fixture
def user(odoo: Odoo, clean: Cleaner) -> Callable[..., int]:
    """Makes a user with exactly the given groups; the password is the login."""

    def make(*groups: str) -> int:
        name = f"live-{uuid.uuid4().hex[:10]}"
        clean.note("res.partner", [["name", "=", name]])
        clean.note("res.users", [["login", "=", name]])
        return odoo.make_user(name, name, *groups)

    return make
