"""The authorization endpoint and what comes back from it."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from support.people import HTTPS, PRIVATE, Person
from support.stack import Stack
from testkit.browsing import Answer, Browser
from testkit.oauth import REDIRECT, OAuthClient, answer_consent, consent_page, pkce, query

WRITE = "mcp:read mcp:write"


def refusal(client: OAuthClient, **params: str | None) -> Answer:
    """What an authorization request is answered that may not be redirected: a page."""
    answer = Browser().send(client.authorization(**params).url)
    assert answer.status in (400, 401, 403, 503), f"{params}: {answer.status} {answer['Location']}"
    assert answer.page.words
    return answer


def error(client: OAuthClient, **params: str | None) -> dict[str, str]:
    """The error that an authorization request brings back to the client."""
    request = client.authorization(**params)
    answer = Browser().send(request.url)
    target = answer.location or answer.page.refresh
    assert target and target.partition("?")[0] == request.redirect_uri, f"{answer.status} {target} {answer.text[:500]}"
    return query(target)


def test_o02_foreign_scopes_are_ignored(public: OAuthClient, regular: Person) -> None:
    asked = f"openid profile email offline_access {WRITE} https://example.com/x"
    assert set(public.grant(regular.browser, scope=asked).scope.split()) == set(WRITE.split())


@pytest.mark.parametrize("asked", ["openid", "openid profile offline_access"])
def test_o02_only_foreign_scopes_mean_the_default(public: OAuthClient, regular: Person, asked: str) -> None:
    assert "mcp:read" in public.grant(regular.browser, scope=asked).scope.split()


@pytest.mark.parametrize(("asked", "granted"), [("mcp:read", "mcp:read"), ("mcp:write", WRITE), (WRITE, WRITE)])
def test_o02_scope_is_what_was_asked_with_its_hierarchy(
    public: OAuthClient, regular: Person, asked: str, granted: str
) -> None:
    assert set(public.grant(regular.browser, scope=asked).scope.split()) == set(granted.split())


def test_o03_no_scope_is_the_default_and_shown(public: OAuthClient, regular: Person) -> None:
    request = public.authorization(scope=None)
    page = consent_page(regular.browser, request.url)
    form = page.form("csrf_token", "decision")
    assert set(form.choices["scope"]) == {"full", "read_only"}
    assert form.fields["scope"] == "full"
    callback = public.decide(regular.browser, request)
    assert set(public.tokens(public.exchange(request, callback.code)).scope.split()) == set(WRITE.split())


def test_o03_the_default_is_a_setting(public: OAuthClient, regular: Person, setting) -> None:
    setting(oauth_default_scope="read_only")
    page = consent_page(regular.browser, public.authorization(scope=None).url)
    assert page.form("csrf_token", "decision").fields["scope"] == "read_only"


@pytest.mark.parametrize("port", [0, 1, 49152])
def test_o07_loopback_works_at_any_port(public: OAuthClient, regular: Person, port: int) -> None:
    redirect = f"http://127.0.0.1:{port or ''}/callback".replace(":/callback", "/callback")
    assert public.grant(regular.browser, redirect_uri=redirect).access


@pytest.mark.parametrize("host", ["localhost", "[::1]", "127.0.0.2", "127.0.0.1.evil.example"])
def test_o07_loopback_names_are_different_hosts(public: OAuthClient, host: str) -> None:
    refusal(public, redirect_uri=f"http://{host}:9/callback")


def test_o07_vscode_registers_without_a_port(client: OAuthClient, regular: Person) -> None:
    client.register(redirect_uris=["http://127.0.0.1/", "http://localhost/", "http://[::1]/"])
    for used in ("http://127.0.0.1:33418/", "http://localhost:5000/", "http://[::1]:5000/", "http://127.0.0.1/"):
        assert client.grant(regular.browser, redirect_uri=used).access, used
    refusal(client, redirect_uri="http://127.0.0.1:33418/other")
    refusal(client, redirect_uri="http://127.0.0.1:33418")


def test_o10_an_unknown_client_gets_a_page_that_says_what_to_do(public: OAuthClient) -> None:
    answer = refusal(public, client_id="mcp_client_0000000000000000000000")
    words = answer.page.words.lower()
    assert "add" in words and "again" in words, words
    assert answer["Cache-Control"] == "no-store" and answer["Referrer-Policy"] == "no-referrer"


def test_o12_a_document_that_cannot_be_fetched_says_so(public: OAuthClient) -> None:
    answer = refusal(public, client_id="https://client.example/oauth/metadata")
    assert "metadata document" in answer.page.words, answer.page.words
    assert "unknown" not in answer.page.words.lower()


def test_o18_plain_is_refused_and_missing_too(public: OAuthClient, confidential: OAuthClient) -> None:
    verifier, _ = pkce()
    for client in (public, confidential):
        for params in (
            {"code_challenge_method": "plain", "code_challenge": verifier},
            {"code_challenge_method": None},
            {"code_challenge": None, "code_challenge_method": None},
            {"code_challenge": "short"},
            {"code_challenge": "!" * 43},
        ):
            found = error(client, **params)
            assert found["error"] == "invalid_request", f"{params}: {found}"


@pytest.mark.parametrize("spelling", ["absent", "slash", "upper", "default port"])
def test_o19_resource_is_accepted_as_it_is_written(
    public: OAuthClient, regular: Person, stack: Stack, spelling: str
) -> None:
    resource = {
        "absent": None,
        "slash": f"{stack.mcp_url}/",
        "upper": stack.mcp_url.replace("http://", "HTTP://"),
        "default port": stack.mcp_url,
    }[spelling]
    request = public.authorization(resource=resource)
    callback = public.decide(regular.browser, request)
    assert public.tokens(public.exchange(request, callback.code, resource=resource)).access


@pytest.mark.parametrize("other", ["https://other.example/odoo/mcp", "origin", "sibling", "not a url", "fragment"])
def test_o19_another_resource_is_refused(public: OAuthClient, stack: Stack, other: str) -> None:
    resource = {
        "origin": stack.mcp_url.removesuffix("/odoo/mcp"),
        "sibling": f"{stack.mcp_url}2",
        "fragment": f"{stack.mcp_url}#x",
    }.get(other, other)
    assert error(public, resource=resource)["error"] == "invalid_target"


STATES = (
    "a",
    "=&+ %20%2B",
    "x" * 2000,
    "ü€😀 \"<>'`\\",
    'eyJ0ZXN0IjogImEmYj1jIn0=&state=other&iss=https://evil.example#"',
)


@pytest.mark.parametrize("state", STATES, ids=range(len(STATES)))
def test_o21_state_comes_back_byte_for_byte(public: OAuthClient, regular: Person, state: str) -> None:
    assert public.sign_in(regular.browser, state=state).params["state"] == state
    assert public.sign_in(regular.browser, "deny", state=state).params["state"] == state


def test_o21_no_state_brings_none_back(public: OAuthClient, regular: Person) -> None:
    assert "state" not in public.sign_in(regular.browser, state=None).params


def test_o21_login_comes_back_to_the_page_with_all_it_needs(
    public: OAuthClient, person: Callable[..., Person], stack: Stack
) -> None:
    login = person().login
    browser = Browser()
    state = "=&+" * 300
    request = public.authorization(state=state)
    answer = browser.follow(browser.send(request.url), lambda _url: False)
    assert isinstance(answer, Answer)
    form = answer.page.form("csrf_token", "login", "password")
    answer = browser.follow(browser.submit(form, login=login, password=login), lambda _url: False)
    assert isinstance(answer, Answer) and answer.url.startswith(f"{stack.odoo_url}/mcp_sidecar/consent"), answer
    end = browser.follow(answer_consent(browser, answer.page, "allow"), public.returns_to)
    assert isinstance(end, str), end
    callback = public.callback(end)
    assert callback.params["state"] == state
    assert public.tokens(public.exchange(request, callback.code)).access


@pytest.mark.parametrize("decision", ["allow", "deny"])
@pytest.mark.parametrize("redirect", [REDIRECT, HTTPS, PRIVATE])
def test_o22_iss_comes_with_every_answer(public: OAuthClient, regular: Person, decision: str, redirect: str) -> None:
    callback = public.sign_in(regular.browser, decision, redirect_uri=redirect)
    assert callback.params["iss"] == public.server["issuer"]
    assert callback.params.get("error") == (None if decision == "allow" else "access_denied")
    assert ("code" in callback.params) == (decision == "allow")


def test_o22_iss_comes_with_errors_of_the_request(public: OAuthClient) -> None:
    for params in (
        {"response_type": "token"},
        {"response_type": None},
        {"code_challenge": None},
        {"resource": "https://other.example/"},
    ):
        found = error(public, state="kept", **params)
        assert (found["iss"], found["state"]) == (public.server["issuer"], "kept"), params
    assert error(public, response_type="token")["error"] == "unsupported_response_type"


REDIRECTS = (
    f"{HTTPS}/",
    f"{HTTPS}/../x",
    f"{HTTPS}?x=1",
    f"{HTTPS}#x",
    HTTPS.upper(),
    HTTPS.replace("https", "http"),
    HTTPS.replace("client", "evil"),
    HTTPS.replace("client.example", "client.example:8443"),
    HTTPS.replace("client.example", "client.example."),
    HTTPS.replace("client.example", "client.example@evil.example"),
    HTTPS.replace("client.example", "client.example\\@evil.example"),
    HTTPS.replace("client.example", "client.example%2eevil.example"),
    HTTPS.replace("client.example", "cl\u0131ent.example"),
    HTTPS.replace("client.example", "xn--clent-q4a.example"),
    HTTPS.replace("/oauth/callback", "/oauth/%63allback"),
    HTTPS.replace("/oauth/callback", "//oauth/callback"),
    HTTPS.replace("https:", ""),
    f" {HTTPS}",
    f"{HTTPS}\t",
    f"{HTTPS}%0d%0aSet-Cookie:x=1",
    "http://127.0.0.1:9/callback/../other",
    "http://127.0.0.1:9\\callback",
    "http://127.0.0.1:9@evil.example/callback",
    "http://user@127.0.0.1:9/callback",
    "http://127.0.0.1:9/callback#x",
    "http://127.1:9/callback",
    "http://2130706433:9/callback",
    "http://0x7f000001:9/callback",
    "http://127.0.0.1:99999/callback",
    "https://127.0.0.1:9/callback",
    PRIVATE.upper(),
    f"{PRIVATE}/x",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example/",
    "evil.example",
    "",
)


def test_attack_redirect_confusion(public: OAuthClient) -> None:
    for redirect in REDIRECTS:
        answer = refusal(public, redirect_uri=redirect)
        assert not answer["Location"] and not answer.page.refresh, redirect
        assert "evil.example" not in " ".join(answer.page.links), redirect
        assert not answer["Set-Cookie"], redirect


def test_attack_an_error_is_not_redirected_to_an_address_that_is_not_registered(public: OAuthClient) -> None:
    answer = refusal(public, redirect_uri="https://evil.example/", response_type="token")
    assert "evil.example" not in answer["Location"]


def test_attack_a_parameter_that_occurs_twice(public: OAuthClient) -> None:
    request = public.authorization()
    for name, value in (("redirect_uri", "https://evil.example/"), ("client_id", "other"), ("state", "other")):
        answer = Browser().send(f"{request.url}&{name}={value}")
        target = answer.location or (answer.page.refresh if answer.status != 200 else None)
        assert answer.status in (302, 303, 400), name
        assert "evil.example" not in (target or ""), name
        if target and target.startswith(request.redirect_uri):
            assert query(target)["error"] == "invalid_request", name
        else:
            assert answer.status == 400, f"{name}: {answer.status} {target}"


def test_pages_and_redirects_are_not_kept_nor_told_on(public: OAuthClient) -> None:
    browser = Browser()
    for url in (public.authorization().url, public.authorization(client_id="x").url):
        answer = browser.send(url)
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "form-action" not in answer["Content-Security-Policy"]
    leads_to = browser.history[0].location
    assert leads_to and re.fullmatch(r"request=[0-9A-Za-z]{43}", urlsplit(leads_to).query)


def test_the_cookie_is_the_browsers_alone(public: OAuthClient) -> None:
    browser = Browser()
    browser.send(public.authorization().url)
    header = browser.history[0]["Set-Cookie"]
    words = {word.strip().lower() for word in header.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= words, header
    assert not any(word.startswith("domain") for word in words), header
    if public.mcp_url.startswith("https"):
        assert header.startswith("__Host-mcp_oauth=") and "secure" in words
    first = browser.cookie("mcp_oauth")
    browser.send(public.authorization().url)
    again = browser.cookie("mcp_oauth")
    assert first and again and first.value == again.value, "parallel tabs work"
