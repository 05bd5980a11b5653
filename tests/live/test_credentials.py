"""Who is let in: unknown, mistyped, revoked and reactivated keys."""

import re
import xmlrpc.client

import httpx
import pytest
from support.credentials import mistyped, unknown_key
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Reply, Session, Wire


def assert_challenged(reply: Reply, sent: bool) -> None:
    """A 401 with a challenge that a client understands."""
    assert reply.status == 401, f"expected 401, got {reply.status}: {reply.message}"
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.error["code"] == 1003 and reply.error["data"]["reason"], reply.error
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith("Bearer "), challenge
    # Where it names the document that an OAuth client needs, that document is there.
    if named := re.search('resource_metadata="([^"]+)"', challenge):
        assert httpx.get(named[1], trust_env=False).status_code == 200, challenge
    # An error is named only where a credential was sent (RFC 6750, section 3).
    assert ('error="invalid_token"' in challenge) == sent, challenge


def test_no_key_is_challenged(stack: Stack) -> None:
    assert_challenged(Wire(stack.mcp_url, None).request("tools/list"), sent=False)


def test_an_unknown_key_is_challenged(stack: Stack) -> None:
    assert_challenged(Wire(stack.mcp_url, unknown_key()).request("tools/list"), sent=True)


def test_a_mistyped_key_is_challenged(stack: Stack) -> None:
    reply = Wire(stack.mcp_url, mistyped(stack.api_key)).request("tools/list")
    assert_challenged(reply, sent=True)
    assert reply.message["id"] == 1, "the id of the request comes back"


def test_a_key_in_the_query_is_no_key(stack: Stack) -> None:
    wire = Wire(f"{stack.mcp_url}?access_token={stack.api_key}", None)
    assert_challenged(wire.request("tools/list"), sent=False)


def test_revoking_ends_everything_and_reactivating_brings_it_back(connect, odoo: Odoo) -> None:
    connection = connect()
    session = Session(connection.wire)
    assert session.request("tools/list").result["tools"], "the session works at first"

    odoo.call("mcp.connection", "action_revoke", [connection.id])
    refused = until(
        lambda: (reply := connection.wire.request("tools/list")).status == 401 and reply, "a revoked key is refused"
    )
    assert_challenged(refused, sent=True)
    assert session.request("tools/list").status in (401, 404), "an open session is no way round"

    odoo.call("mcp.connection", "action_reactivate", [connection.id])
    until(lambda: connection.wire.request("tools/list").status == 200, "a reactivated key is accepted again")
    assert Session(connection.wire).request("tools/list").result["tools"], "new sessions work again"


def test_revoking_ends_open_streams(connect, odoo: Odoo) -> None:
    connection = connect()
    with Session(connection.wire).stream() as stream:
        assert stream.status_code == 200, f"the stream answers {stream.status_code}"
        odoo.call("mcp.connection", "action_revoke", [connection.id])
        # Returns when the server ends the stream; the test's time-out ends it otherwise.
        list(stream.iter_bytes())


def test_deleting_a_connection_ends_its_key(connect, odoo: Odoo) -> None:
    connection = connect()
    assert connection.wire.request("tools/list").status == 200
    odoo.call("mcp.connection", "unlink", [connection.id])
    until(lambda: connection.wire.request("tools/list").status == 401, "the key of a deleted connection is refused")


def test_archiving_the_user_ends_the_key(connect, user, odoo: Odoo) -> None:
    user_id = user("base.group_user")
    connection = connect(user_id)
    assert connection.wire.call("get_session").data["user"]["id"] == user_id
    odoo.call("res.users", "write", [user_id], {"active": False})
    until(lambda: connection.wire.request("tools/list").status == 401, "the key of an archived user is refused")


def test_a_rotated_key_replaces_the_old_one(connect, stack: Stack, odoo: Odoo, issued: list[str]) -> None:
    connection = connect()
    assert connection.wire.request("tools/list").status == 200
    fresh = odoo.call("mcp.connection", "rotate_api_key", [connection.id])
    issued.append(fresh)
    until(lambda: Wire(stack.mcp_url, fresh).request("tools/list").status == 200, "the new key is accepted")
    until(lambda: connection.wire.request("tools/list").status == 401, "the old key is refused")


def test_a_session_belongs_to_its_connection(connect, stack: Stack) -> None:
    mine, other = connect(), connect()
    session = Session(mine.wire)
    assert session.request("tools/list").status == 200
    stolen = Session(other.wire)
    stolen.id = session.id
    assert stolen.request("tools/list").status == 404, "another connection's session looks like none"
    assert session.request("tools/list").status == 200, "the attempt does the owner no harm"


@pytest.mark.parametrize("door", ["/web/session/authenticate", "/xmlrpc/2/common"])
def test_a_key_opens_nothing_in_odoo(stack: Stack, door: str) -> None:
    if door.startswith("/xmlrpc"):
        common = xmlrpc.client.ServerProxy(f"{stack.odoo_url}{door}")
        assert not common.authenticate(stack.database, stack.admin_login, stack.api_key, {}), "Odoo took an MCP key"
        return
    credentials = {"db": stack.database, "login": stack.admin_login, "password": stack.api_key}
    answer = Wire(stack.odoo_url, None).http.post(
        f"{stack.odoo_url}{door}", json={"jsonrpc": "2.0", "params": credentials}
    )
    assert "error" in answer.json(), "Odoo took an MCP key"
