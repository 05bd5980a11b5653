"""Sessions of both eras, as Odoo shows them and ends them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Session


def rows(odoo: Odoo, connection_id: int) -> list[dict[str, Any]]:
    """What Odoo shows of a connection, sessions that have ended among it."""
    fields = ["session_id", "client", "era", "request_count", "active", "live"]
    domain = [["connection_id", "=", connection_id]]
    return odoo.call("mcp.session", "search_read", domain, fields, context={"active_test": False})


def the_row(odoo: Odoo, connection_id: int, **wanted: Any) -> dict[str, Any]:
    """The only session of a connection, once it is as wanted."""

    def found() -> dict[str, Any] | None:
        shown = rows(odoo, connection_id)
        fits = len(shown) == 1 and all(shown[0][name] == value for name, value in wanted.items())
        return shown[0] if fits else None

    return until(found, f"Odoo shows a session with {wanted}", seconds=30)


@pytest.fixture
def settled(connect) -> Callable[[], Any]:
    """Makes a connection of which the sidecar has heard: that it was made counts as a change, which ends sessions."""

    def make() -> Any:
        made = connect()
        time.sleep(1)
        return made

    return make


def test_a_legacy_session_shows_and_can_be_ended(settled, odoo: Odoo) -> None:
    made = settled()
    session = Session(made.wire)
    row = the_row(odoo, made.id, live=True)
    assert (row["session_id"], row["client"], row["era"]) == (session.id, "live tests 1", "legacy")
    assert session.request("tools/list").status == 200
    the_row(odoo, made.id, request_count=2)
    with session.stream() as stream:
        assert stream.status_code == 200
        odoo.call("mcp.session", "action_deactivate", [row["id"]])
        # Returns when the server ends the stream; the test's time-out ends it otherwise.
        list(stream.iter_bytes())
    assert session.request("tools/list").status == 404
    the_row(odoo, made.id, active=False, live=False)


def test_a_modern_client_shows_and_begins_anew_after_its_end(settled, odoo: Odoo) -> None:
    made = settled()
    for _ in range(3):
        assert made.wire.request("tools/list").status == 200
    row = the_row(odoo, made.id, live=True, request_count=3)
    assert (row["client"], row["era"]) == ("live tests 1", "modern")
    odoo.call("mcp.session", "action_deactivate", [row["id"]])
    the_row(odoo, made.id, active=False)

    def works_again() -> bool:
        # More than once: what comes before the sidecar has heard still belongs to the session that ends.
        assert made.wire.request("tools/list").status == 200
        return rows(odoo, made.id)[0]["live"]

    until(works_again, "the client shows again", seconds=30, pause=0.5)
    assert the_row(odoo, made.id, live=True)["session_id"] == row["session_id"]


def test_a_session_that_its_client_closes_has_ended(settled, odoo: Odoo) -> None:
    made = settled()
    session = Session(made.wire)
    the_row(odoo, made.id, live=True)
    assert session.close().status_code == 204
    the_row(odoo, made.id, active=False)


def test_a_revoked_connection_has_no_sessions(settled, odoo: Odoo) -> None:
    made = settled()
    session = Session(made.wire)
    the_row(odoo, made.id, live=True)
    odoo.call("mcp.connection", "action_revoke", [made.id])
    the_row(odoo, made.id, active=False, live=False)
    until(lambda: session.request("tools/list").status == 401, "the credential is dead")


def test_the_sessions_of_a_killed_sidecar_do_not_count(settled, odoo: Odoo, stack: Stack) -> None:
    made = settled()
    Session(made.wire)
    the_row(odoo, made.id, live=True)
    with stack.fresh_sidecar():
        # The new process says that it has no sessions yet.
        the_row(odoo, made.id, active=False, live=False)
