"""Two sidecars share one Odoo: a flow may begin at one and end at the other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.odoo import Odoo
from support.people import Person
from support.replica import replica
from support.stack import Stack
from support.wait import until
from support.wire import Wire
from testkit.browsing import Browser, fetch
from testkit.oauth import OAuthClient, answer_consent, consent_page


@pytest.fixture(scope="module")
def second(stack: Stack) -> Iterator[str]:
    """The origin of the other sidecar; its log is searched for secrets with those of the stack."""
    with replica(stack, stack.folder / "logs/replica.log") as origin:
        yield origin


@pytest.fixture
def first(stack: Stack) -> str:
    """The origin of the usual sidecar."""
    return stack.mcp_url.removesuffix("/odoo/mcp")


def test_both_name_the_same_issuer(first: str, second: str) -> None:
    path = "/.well-known/oauth-authorization-server"
    assert fetch(f"{second}{path}").json == fetch(f"{first}{path}").json


def test_a_flow_that_changes_replicas_at_every_step(
    public: OAuthClient, regular: Person, first: str, second: str
) -> None:
    request = public.authorization(endpoint=f"{second}/oauth/authorize")
    page = consent_page(regular.browser, request.url)
    # Odoo leads to the public address: the first one, which has not seen the request.
    end = regular.browser.follow(answer_consent(regular.browser, page, "allow"), public.returns_to)
    assert isinstance(end, str), end
    code = public.callback(end).code
    answer = public.exchange(request, code, endpoint=f"{second}/oauth/token")
    tokens = public.tokens(answer)
    for origin in (first, second):
        wire = Wire(f"{origin}/odoo/mcp", tokens.access)
        assert wire.request("tools/list").status == 200, origin
        wire.close()
    assert public.refresh(tokens.refresh or "", endpoint=f"{first}/oauth/token").status == 200


def test_resuming_at_both_gives_one_code(public: OAuthClient, regular: Person, first: str, second: str) -> None:
    request = public.authorization()
    page = consent_page(regular.browser, request.url)
    answer = answer_consent(regular.browser, page, "allow")
    resume = regular.browser.follow(answer, lambda url: "/oauth/resume" in url)
    assert isinstance(resume, str)
    pages = [regular.browser.send(resume.replace(first, origin)).page for origin in (first, second)]
    assert pages[0].refresh and pages[0].refresh == pages[1].refresh
    assert public.exchange(request, public.callback(pages[0].refresh).code).status == 200


def test_a_refresh_race_across_both_gives_one_pair(
    public: OAuthClient, regular: Person, first: str, second: str
) -> None:
    for _round in range(3):
        tokens = public.grant(regular.browser)
        endpoints = [f"{first}/oauth/token", f"{second}/oauth/token"] * 5
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda url: public.refresh(tokens.refresh or "", endpoint=url), endpoints))  # noqa: B023
        assert [answer.status for answer in answers] == [200] * 10, [answer.text for answer in answers]
        pairs = {(answer.json["access_token"], answer.json["refresh_token"]) for answer in answers}
        assert len(pairs) == 1
        [(access, refresh)] = pairs
        for origin in (first, second):
            wire = Wire(f"{origin}/odoo/mcp", access)
            assert wire.request("tools/list").status == 200, origin
            wire.close()
        assert public.refresh(refresh, endpoint=endpoints[1]).status == 200


def test_a_revocation_reaches_both(public: OAuthClient, member: Person, odoo: Odoo, first: str, second: str) -> None:
    tokens = public.grant(member.browser)
    wires = [Wire(f"{origin}/odoo/mcp", tokens.access) for origin in (first, second)]
    assert [wire.request("tools/list").status for wire in wires] == [200, 200]
    odoo.call("mcp.connection", "action_revoke", odoo.search("mcp.connection", [["user_id", "=", member.id]]))
    for wire in wires:
        until(lambda: wire.request("tools/list").status == 401, "refused at both", seconds=2)  # noqa: B023
        wire.close()


def test_one_browser_may_use_both(public: OAuthClient, regular: Person, first: str, second: str) -> None:
    browser = Browser(lambda url: url.replace(first, second))
    for cookie in regular.browser.cookies:
        browser.cookies.set_cookie(cookie)
    request = public.authorization()
    assert public.exchange(request, public.decide(browser, request).code).status == 200
