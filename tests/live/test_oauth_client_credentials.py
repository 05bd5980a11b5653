"""A client that an administrator makes in the wizard: it acts as one user, without a login."""

from collections.abc import Callable
from typing import Any

import pytest
from support.cleaner import Cleaner
from support.credentials import unknown_key
from support.odoo import Odoo
from support.people import Person
from support.stack import Stack
from support.wait import until
from testkit.oauth import OAuthClient

NAME = "Live: works by itself"
CREDENTIALS = {"grant_type": "client_credentials"}


@pytest.fixture
def machine(stack: Stack, odoo: Odoo, clean: Cleaner, issued: list[str]) -> Callable[..., OAuthClient]:
    """Makes a confidential client that acts as a user, as the wizard of the administrator does."""

    def make(user_id: int, **values: Any) -> OAuthClient:
        clean.note("mcp.oauth.client", [["name", "=", NAME]])
        choices = {"auth_method": "oauth_client", "name": NAME, "user_id": user_id, "client_credentials": True}
        wizard = odoo.call("mcp.connect.wizard", "create", [{**choices, **values}])[0]
        shown = odoo.call("mcp.connect.wizard", "action_save", [wizard])["context"]

        def offering() -> OAuthClient | None:
            client = OAuthClient(stack.mcp_url, issued).be(shown["default_client_id"], shown["default_secret"])
            return client if "client_credentials" in client.server["grant_types_supported"] else None

        return until(offering, "the metadata names the grant")

    return make


def test_it_gets_a_token_and_works_as_its_user(machine, regular: Person, wire, odoo: Odoo) -> None:
    client = machine(regular.id)
    answer = client.post_token(**CREDENTIALS)
    tokens = client.tokens(answer)
    assert tokens.refresh is None and tokens.scope == "mcp:read mcp:write", answer.text
    assert wire(tokens.access).call("get_session").data["user"]["id"] == regular.id

    about = client.introspect(tokens.access).json
    assert about["active"] is True and about["username"] == regular.login and about["aud"].endswith("/odoo/mcp")
    narrow = client.tokens(client.post_token(**CREDENTIALS, scope="mcp:read"))
    assert narrow.scope == "mcp:read" and wire(narrow.access).call("search_count", model="res.partner").status == 200

    [connection] = odoo.call("mcp.connection", "search", [["oauth_client_id.client_id", "=", client.client_id]])
    odoo.call("mcp.connection", "action_revoke", [connection])
    until(lambda: wire(tokens.access).request("tools/list").status == 401, "a revoked token is refused")
    assert client.introspect(tokens.access).json == {"active": False}
    refused = client.post_token(**CREDENTIALS)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant"), refused.text


def test_others_may_not(machine, public: OAuthClient, confidential: OAuthClient, regular: Person) -> None:
    client = machine(regular.id)
    stranger = client.copy().be(client.client_id, unknown_key().replace("mcp_ak_", "mcp_cs_"))
    refused = stranger.post_token(**CREDENTIALS)
    assert (refused.status, refused.json["error"]) == (401, "invalid_client"), refused.text
    for other, status, error in ((public, 401, "invalid_client"), (confidential, 400, "unauthorized_client")):
        refused = other.post_token(**CREDENTIALS)
        assert (refused.status, refused.json["error"]) == (status, error), refused.text
