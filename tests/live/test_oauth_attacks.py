"""Attacks on the flow, with a browser, a client or a token of an attacker or of a victim."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from support.credentials import unknown_key
from support.database import Database
from support.odoo import Odoo
from support.people import NAME, Person
from support.replica import replica
from support.stack import Stack
from support.wait import until
from support.wire import Wire
from testkit.browsing import Answer, Browser, fetch
from testkit.oauth import REDIRECT, OAuthClient, Request, answer_consent, consent_page, pkce, query


def approve(client: OAuthClient, browser: Browser, request: Request) -> str:
    """As far as the address of the sidecar that an approval leads to."""
    page = consent_page(browser, request.url)
    end = browser.follow(answer_consent(browser, page, "allow"), lambda url: "/oauth/resume" in url)
    assert isinstance(end, str), end
    client.secrets.append(query(end)["approval"])
    return end


def code_of(answer: Answer) -> str | None:
    """The code on a page of the sidecar, if it has one."""
    targets = [answer.location or "", *(answer.page.links if answer["Content-Type"].startswith("text/html") else ())]
    return next((code for url in targets if (code := query(url).get("code"))), None)


def test_attack_the_attackers_flow_approved_by_a_victim(public: OAuthClient, person: Callable[..., Person]) -> None:
    attacker, victim = Browser(), person()
    request = public.authorization()
    asked = attacker.send(request.url).location
    assert asked
    # The victim follows a link to the consent page of the attacker's request, and allows it.
    page = victim.browser.send(asked).page
    end = victim.browser.follow(answer_consent(victim.browser, page, "allow"), lambda url: "/oauth/resume" in url)
    assert isinstance(end, str), end
    assert code_of(victim.browser.send(end)) is None, "the victim's browser did not begin this"
    # The attacker's browser did, but the approval is on the victim's way only.
    handle = query(end)["request"]
    resume = end.partition("?")[0]
    for address in (f"{resume}?request={handle}", f"{resume}?request={handle}&approval={'0' * 43}"):
        assert code_of(attacker.send(address)) is None, address


def test_attack_the_victims_flow_resumed_by_another_browser(public: OAuthClient, member: Person) -> None:
    request = public.authorization()
    end = approve(public, member.browser, request)
    thief = Browser()
    assert code_of(thief.send(end)) is None, "the address alone"
    thief.send(public.authorization().url)
    assert code_of(thief.send(end)) is None, "the address and a cookie of its own"
    assert code_of(member.browser.send(end)), "the browser that began it"


def test_attack_a_cookie_alone(public: OAuthClient, member: Person) -> None:
    request = public.authorization()
    end = approve(public, member.browser, request)
    thief = Browser()
    thief.steal(member.browser, "mcp_oauth")
    handle = query(end)["request"]
    assert code_of(thief.send(f"{end.partition('?')[0]}?request={handle}")) is None, "the cookie without the approval"


def test_attack_code_injection(public: OAuthClient, person: Callable[..., Person]) -> None:
    """A stolen code is put into a flow of the attacker: its verifier is not the one that the code was asked with."""
    victim, attacker = person(), person()
    stolen = public.sign_in(victim.browser).code
    own = public.authorization()
    public.decide(attacker.browser, own)
    answer = public.exchange(own, stolen)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant"), answer.text


def test_attack_pkce_downgrade(public: OAuthClient, regular: Person) -> None:
    verifier, challenge = pkce()
    for fields in ({"code_verifier": None}, {"code_verifier": ""}, {"code_verifier": challenge}):
        request = public.authorization(code_challenge=challenge)
        code = public.decide(regular.browser, request).code
        answer = public.exchange(request, code, **fields)
        assert answer.status == 400 and answer.json["error"] in ("invalid_grant", "invalid_request"), fields
    request = public.authorization(code_challenge=challenge)
    code = public.decide(regular.browser, request).code
    assert public.exchange(request, code, code_verifier=verifier).status == 200


def test_attack_mix_up(public: OAuthClient, regular: Person) -> None:
    """A client that talks to several servers sees by `iss` whose answer it got: on success, denial and error."""
    issuer = public.server["issuer"]
    assert public.sign_in(regular.browser).params["iss"] == issuer
    assert public.sign_in(regular.browser, "deny").params["iss"] == issuer
    answer = Browser().send(public.authorization(response_type="token").url)
    assert query(answer.location or answer.page.refresh or "")["iss"] == issuer


def test_attack_replay_of_a_code(public: OAuthClient, regular: Person, wire) -> None:
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    tokens = public.tokens(public.exchange(request, code))
    assert wire(tokens.access).request("tools/list").status == 200
    answer = public.exchange(request, code)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant"), answer.text
    until(lambda: wire(tokens.access).request("tools/list").status == 401, "reuse ends the family", seconds=2)
    assert public.refresh(tokens.refresh or "").json["error"] == "invalid_grant"


def test_attack_a_race_for_one_code(public: OAuthClient, regular: Person) -> None:
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: public.exchange(request, code), range(8)))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) <= 1, "a code is exchanged once"
    assert all(answer.json["error"] == "invalid_grant" for answer in answers if answer.status != 200)


def test_attack_replay_of_an_approval(public: OAuthClient, member: Person) -> None:
    request = public.authorization()
    end = approve(public, member.browser, request)
    code = code_of(member.browser.send(end))
    assert code
    public.tokens(public.exchange(request, code))
    assert code_of(member.browser.send(end)) is None, "used"
    other = public.authorization()
    handle = query(member.browser.send(other.url).location or "")["request"]
    swapped = end.replace(query(end)["request"], handle)
    assert code_of(member.browser.send(swapped)) is None, "an approval is for its own request"


def test_attack_an_expired_code(public: OAuthClient, member: Person, stack: Stack) -> None:
    request = public.authorization()
    code = public.decide(member.browser, request).code
    Database(stack).sql(
        "UPDATE mcp_oauth_request SET code_expires_at = now() AT TIME ZONE 'UTC' - interval '1 second' "
        f"WHERE user_id = {member.id}"
    )
    answer = public.exchange(request, code)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant"), answer.text


def test_attack_a_refresh_token_is_no_access_token(public: OAuthClient, regular: Person, wire) -> None:
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    tokens = public.tokens(public.exchange(request, code))
    for secret in (tokens.refresh or "", code):
        assert wire(secret).request("tools/list").status == 401
    assert public.refresh(tokens.access).json["error"] == "invalid_grant"
    assert public.tokens(public.refresh(tokens.refresh or "")).access, "the attempts cost nothing"


def test_attack_a_token_of_another_audience(public: OAuthClient, member: Person, stack: Stack, wire, setting) -> None:
    tokens = public.grant(member.browser)
    assert wire(tokens.access).request("tools/list").status == 200
    other = "https://other.example"
    Database(stack).sql(
        f"UPDATE mcp_credential SET audience = '{other}/odoo/mcp' WHERE connection_id IN "
        f"(SELECT id FROM mcp_connection WHERE user_id = {member.id})"
    )
    with replica(stack, stack.folder / "logs/replica-audience.log") as origin:
        # A sidecar that has not seen the token before.
        fresh = Wire(f"{origin}/odoo/mcp", tokens.access)
        reply = fresh.request("tools/list")
        assert reply.status == 401 and 'error="invalid_token"' in reply.headers["www-authenticate"]
        # An address of before is still accepted, until its tokens expire.
        setting(previous_public_urls=other)
        until(lambda: fresh.request("tools/list").status == 200, "a listed address of before", seconds=10)
        fresh.close()


def test_attack_a_key_in_the_address(stack: Stack, public: OAuthClient, regular: Person) -> None:
    tokens = public.grant(regular.browser)
    for name in ("access_token", "token", "key"):
        answer = fetch(f"{stack.mcp_url}?{name}={tokens.access}", b"{}", {"Content-Type": "application/json"})
        assert answer.status == 401, name


def test_attack_another_users_grant_is_not_reached(public: OAuthClient, person: Callable[..., Person], wire) -> None:
    first, second = person(), person()
    mine, theirs = (public.grant(each.browser) for each in (first, second))
    for tokens, owner in ((mine, first), (theirs, second)):
        data = wire(tokens.access).call("get_session").data
        assert owner.login in str(data), data


def test_attack_registrations_without_end(client: OAuthClient, stack: Stack, odoo: Odoo) -> None:
    endpoint = client.server["registration_endpoint"]
    body = f'{{"client_name": "{NAME} flood", "redirect_uris": ["{REDIRECT}"]}}'.encode()
    with replica(stack, stack.folder / "logs/replica-flood.log") as origin:
        # A budget of its own, so that the flood is over with this test.
        url = endpoint.replace(client.server["issuer"], origin)
        with ThreadPoolExecutor(8) as pool:
            headers = {"Content-Type": "application/json"}
            answers = list(pool.map(lambda _: fetch(url, body, headers), range(150)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {201, 429}, statuses
    assert statuses.count(201) <= 80, f"{statuses.count(201)} of a flood were registered"
    for answer in answers:
        client.note(answer.text)
        if answer.status == 429:
            assert int(answer["Retry-After"]) > 0 and answer.json["error"]
    assert odoo.count("mcp.oauth.client", [["name", "=", f"{NAME} flood"]]) == statuses.count(201)


def test_attack_guessing_secrets_is_slowed_down(confidential: OAuthClient, stack: Stack) -> None:
    with replica(stack, stack.folder / "logs/replica-guess.log") as origin:
        answers = []
        for _attempt in range(60):
            confidential.client_secret = unknown_key().replace("mcp_ak_", "mcp_cs_")
            answers.append(confidential.refresh("x", endpoint=f"{origin}/oauth/token"))
    assert {answer.status for answer in answers} == {401, 429}, [answer.status for answer in answers]


def test_attack_timing_of_secrets(confidential: OAuthClient) -> None:
    """A secret that is right at its beginning takes as long as one that is wrong from the first letter."""
    good = confidential.client_secret or ""
    took: dict[str, list[float]] = {"begins right": [], "all wrong": []}
    for _round in range(6):
        for kind in took:
            start = good[:-6] if kind == "begins right" else "mcp_cs_" + unknown_key()[7:-6]
            confidential.client_secret = start + unknown_key()[-6:]
            begun = time.perf_counter()
            answer = confidential.refresh("x")
            took[kind].append(time.perf_counter() - begun)
            assert answer.status in (401, 429)
    medians = [statistics.median(each) for each in took.values()]
    assert max(medians) < 5 * min(medians) + 0.02, medians


def test_attack_login_csrf_leaves_the_account_visible(public: OAuthClient, person: Callable[..., Person]) -> None:
    """A victim who is logged in as the attacker sees on the page whose account it is."""
    attacker = person()
    assert attacker.login in consent_page(attacker.browser, public.authorization().url).words


def test_no_consent_is_ever_skipped(public: OAuthClient, member: Person) -> None:
    """No remembered consent: another application with the same client id gets a page and no code."""
    public.grant(member.browser)
    for params in ({}, {"prompt": "none"}, {"scope": "mcp:read"}):
        page = consent_page(member.browser, public.authorization(**params).url)
        assert page.form("csrf_token", "decision"), params
