"""OAuth while Odoo is away: what needs no Odoo is answered, the rest is temporary."""

from collections.abc import Iterator

import pytest
from support.people import Person
from support.stack import Stack
from support.wait import until
from testkit.browsing import Browser, fetch
from testkit.oauth import OAuthClient, Request, Tokens


@pytest.fixture
def granted(public: OAuthClient, regular: Person) -> tuple[OAuthClient, Tokens, Request, str]:
    """Tokens, and a code that was not exchanged yet, of the time before."""
    tokens = public.grant(regular.browser)
    request = public.authorization()
    return public, tokens, request, public.decide(regular.browser, request).code


@pytest.fixture
def away(stack: Stack, granted: object) -> Iterator[None]:
    """Odoo is shut down; it is started again afterwards."""
    stack.stop_odoo()
    yield
    stack.up()


def test_o34_documents_without_odoo_and_tokens_temporary(away, granted, stack: Stack) -> None:
    client, tokens, request, code = granted
    issuer = client.server["issuer"]
    for path in ("oauth-protected-resource", "oauth-protected-resource/odoo/mcp", "oauth-authorization-server"):
        assert fetch(f"{issuer}/.well-known/{path}").status == 200, path
    assert fetch(f"{issuer}/.well-known/none").status == 404
    for answer in (client.refresh(tokens.refresh or ""), client.exchange(request, code)):
        assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable"), answer.text
        assert int(answer["Retry-After"]) > 0
    answer = fetch(client.server["registration_endpoint"], b'{"redirect_uris":["http://127.0.0.1/"]}')
    assert answer.status in (429, 503), answer.status
    page = Browser().send(request.url)
    assert page.status == 503 and page.page.words
    assert client.revoke(tokens.access).status == 503, "a revocation that was not made is not confirmed"
    stack.up()
    renewed = until(
        lambda: (answer := client.refresh(tokens.refresh or "")).status == 200 and answer,
        "the same refresh token works when Odoo is back",
        seconds=60,
        pause=0.5,
    )
    assert renewed.json["access_token"]


def test_o10_clients_and_tokens_outlive_a_restart(stack: Stack, public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    with stack.fresh_sidecar():
        answer = until(
            lambda: (answer := _attempt(public, tokens)) is not None and answer.status == 200 and answer,
            "a restarted sidecar knows the client",
            seconds=30,
        )
        assert wire(answer.json["access_token"]).request("tools/list").status == 200


def _attempt(client: OAuthClient, tokens: Tokens):
    try:
        return client.refresh(tokens.refresh or "")
    except OSError:
        return None
