"""The consent page: who may decide, once, in the own session, and what the decision leads to."""

from collections.abc import Callable

import pytest
from support.odoo import Odoo
from support.people import HTTPS, PRIVATE, Person, logged_in
from support.stack import Stack
from testkit.browsing import Answer, Browser
from testkit.oauth import REDIRECT, OAuthClient, answer_consent, consent_page, query

READ_ONLY = ["mcp:read"]


def resume(browser: Browser, answer: Answer) -> Answer:
    """The sidecar's last page, which the decision leads to."""
    end = browser.follow(answer, lambda url: "/oauth/resume" in url)
    assert isinstance(end, str), f"the decision leads to {end.url}: {end.status} {end.text[:500]}"
    return browser.send(end)


def test_o01_no_form_action_anywhere_and_the_last_step_is_a_page(public: OAuthClient, member: Person) -> None:
    for redirect in (REDIRECT, HTTPS, PRIVATE):
        page = consent_page(member.browser, public.authorization(redirect_uri=redirect).url)
        last = resume(member.browser, answer_consent(member.browser, page, "allow"))
        assert last.status == 200 and last.page.refresh and last.page.refresh.startswith(redirect), redirect
        assert any(link == last.page.refresh for link in last.page.links), "a link for browsers that do not move"
    for answer in member.browser.history:
        assert "form-action" not in answer["Content-Security-Policy"], answer.url


def test_o01_a_second_click_has_the_same_outcome(public: OAuthClient, member: Person) -> None:
    request = public.authorization()
    page = consent_page(member.browser, request.url)
    first = answer_consent(member.browser, page, "allow")
    second = answer_consent(member.browser, page, "allow")
    assert second.status < 400, second.text[:500]
    last = resume(member.browser, second)
    assert last.page.refresh
    code = public.callback(last.page.refresh).code
    tokens = public.tokens(public.exchange(request, code))
    assert tokens.access
    again = resume(member.browser, first)
    assert "code" not in (query(again.page.refresh) if again.page.refresh else {}), "the older approval is void"


def test_o01_reloading_the_last_page_gives_the_same_code(public: OAuthClient, member: Person) -> None:
    request = public.authorization()
    page = consent_page(member.browser, request.url)
    last = resume(member.browser, answer_consent(member.browser, page, "allow"))
    again = member.browser.send(last.url)
    assert again.page.refresh == last.page.refresh
    assert public.tokens(public.exchange(request, public.callback(last.page.refresh or "").code)).access
    used = member.browser.send(last.url)
    assert not used.page.refresh or "code" not in query(used.page.refresh), "the code has been used"


@pytest.mark.parametrize("groups", [("base.group_portal",), ("base.group_user",)], ids=["portal", "no MCP group"])
def test_o21_only_members_may_decide(
    public: OAuthClient, person: Callable[..., Person], odoo: Odoo, groups: tuple[str, ...]
) -> None:
    stranger = person(*groups)
    answer = stranger.browser.follow(stranger.browser.send(public.authorization().url), lambda _url: False)
    assert isinstance(answer, Answer) and answer.status in (200, 403), answer
    assert not [form for form in answer.page.forms if "decision" in dict(form.buttons)], answer.page.words
    assert answer.page.words
    assert odoo.count("mcp.connection", [["user_id", "=", stranger.id]]) == 0


def test_o21_another_users_open_page_does_not_decide(
    public: OAuthClient, person: Callable[..., Person], stack: Stack, odoo: Odoo
) -> None:
    first, second = person(), person()
    page = consent_page(first.browser, public.authorization().url)
    # The tab stays open while another user logs in, in the same browser.
    first.browser.send(f"{stack.odoo_url}/web/session/logout")
    first.browser.log_in(stack.odoo_url, second.login, second.login)
    answer = answer_consent(first.browser, page, "allow")
    assert answer.status in (400, 403), f"{answer.status} {answer.location}"
    for user in (first, second):
        assert odoo.count("mcp.connection", [["user_id", "=", user.id]]) == 0


def test_denying_grants_nothing(public: OAuthClient, member: Person, odoo: Odoo) -> None:
    callback = public.sign_in(member.browser, "deny")
    assert callback.params["error"] == "access_denied"
    assert odoo.count("mcp.connection", [["user_id", "=", member.id]]) == 0


def test_the_page_names_client_host_account_and_warns(public: OAuthClient, member: Person) -> None:
    for redirect, host in ((REDIRECT, "127.0.0.1"), (HTTPS, "client.example"), (PRIVATE, "cursor:")):
        words = consent_page(member.browser, public.authorization(redirect_uri=redirect).url).words
        assert "Proof of OAuth, public" in words and host in words and member.login in words, words
    loud = consent_page(member.browser, public.authorization().url).words
    assert "your own computer" in loud, loud


def test_a_person_may_choose_read_only(public: OAuthClient, member: Person, wire, odoo: Odoo) -> None:
    tokens = public.grant(member.browser, decision_scope="read_only")
    assert tokens.scope.split() == READ_ONLY
    narrowed = wire(tokens.access)
    names = {tool["name"] for tool in narrowed.tools()}
    assert "search_read" in names and "create_record" not in names
    reply = narrowed.call("create_record", model="res.partner", values={"name": "live never stored"})
    assert (reply.status, reply.error["code"]) == (200, -32602), "narrowed by the person: never a step-up"
    # Only the person widens it, in Odoo.
    again = public.tokens(public.refresh(tokens.refresh or "", scope="mcp:read mcp:write"))
    assert again.scope.split() == READ_ONLY
    assert odoo.count("res.partner", [["name", "=", "live never stored"]]) == 0


def test_asking_for_reading_only_can_be_stepped_up(
    public: OAuthClient, member: Person, wire, stack: Stack, clean
) -> None:
    clean.note("res.partner", [["name", "=", f"{member.login} stepped up"]])
    tokens = public.grant(member.browser, scope="mcp:read")
    assert tokens.scope.split() == READ_ONLY
    upgradable = wire(tokens.access)
    assert "create_record" in {tool["name"] for tool in upgradable.tools()}
    values = {"model": "res.partner", "values": {"name": f"{member.login} stepped up"}}
    reply = upgradable.call("create_record", **values)
    assert reply.status == 403, reply.message
    challenge = reply.headers["www-authenticate"]
    for word in (
        'error="insufficient_scope"',
        'scope="mcp:read mcp:write"',
        f'resource_metadata="{stack.mcp_url[:-9]}',
    ):
        assert word in challenge, challenge
    wider = public.grant(member.browser, scope="mcp:read mcp:write")
    assert set(wider.scope.split()) == {"mcp:read", "mcp:write"}
    assert wire(wider.access).call("create_record", **values).status == 200


def test_attack_csrf_on_consent(public: OAuthClient, member: Person, odoo: Odoo) -> None:
    page = consent_page(member.browser, public.authorization().url)
    form = page.form("csrf_token", "decision")
    for token in (None, "", "0" * 40, form.fields["csrf_token"][:-1] + "x"):
        fields = {name: value for name, value in form.fields.items() if name != "csrf_token"}
        fields |= {"decision": "allow"} | ({} if token is None else {"csrf_token": token})
        answer = member.browser.send(form.action, fields)
        assert answer.status in (400, 403), f"{token}: {answer.status}"
        assert not answer.location, answer.location
    assert odoo.count("mcp.connection", [["user_id", "=", member.id]]) == 0


def test_attack_a_decision_by_get(public: OAuthClient, member: Person, odoo: Odoo) -> None:
    page = consent_page(member.browser, public.authorization().url)
    form = page.form("csrf_token", "decision")
    joint = "&" if "?" in form.action else "?"
    answer = member.browser.send(
        f"{form.action}{joint}decision=allow&scope=full&csrf_token={form.fields['csrf_token']}"
    )
    assert answer.status == 200 and not answer.location, "shown again, and nothing decided"
    assert odoo.count("mcp.connection", [["user_id", "=", member.id]]) == 0


def test_attack_clickjacking(public: OAuthClient, member: Person) -> None:
    page = consent_page(member.browser, public.authorization().url)
    answer_consent(member.browser, page, "allow")
    framed = [answer for answer in member.browser.history if "/mcp_sidecar/consent" in answer.url]
    assert len(framed) == 2
    last = resume(member.browser, framed[-1])
    for answer in (*framed, last):
        assert answer["X-Frame-Options"] == "DENY", answer.url
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], answer.url
        assert "no-store" in answer["Cache-Control"], answer.url
        assert answer["Referrer-Policy"] == "no-referrer", answer.url
        assert answer["X-Content-Type-Options"] == "nosniff", answer.url


def test_attack_an_unknown_or_foreign_handle(stack: Stack, regular: Person) -> None:
    for handle in ("", "x", "0" * 43, "0" * 5000, "<script>alert(1)</script>"):
        answer = regular.browser.send(f"{stack.odoo_url}/mcp_sidecar/consent?request={handle.replace('<', '%3C')}")
        assert answer.status in (200, 400, 404) and not answer.page.forms, handle
        assert "<script>alert" not in answer.text


def test_attack_names_of_clients_are_text(client: OAuthClient, member: Person) -> None:
    client.register(client_name="Proof of OAuth <img src=x onerror=alert(1)>{{7*7}}")
    page = consent_page(member.browser, client.authorization().url)
    last = resume(member.browser, answer_consent(member.browser, page, "allow"))
    for answer in member.browser.history:
        assert "<img src=x" not in answer.text, answer.url
    assert last.page.refresh


def test_the_superuser_and_the_service_account_decide_nothing(public: OAuthClient, stack: Stack, odoo: Odoo) -> None:
    browser = logged_in(stack, stack.admin_login, stack.admin_password)
    browser.send(f"{stack.odoo_url}/web/become")
    answer = browser.follow(browser.send(public.authorization().url), lambda _url: False)
    assert isinstance(answer, Answer)
    assert not [form for form in answer.page.forms if "decision" in dict(form.buttons)], answer.page.words
    assert odoo.count("mcp.connection", [["user_id", "=", 1], ["kind", "=", "oauth"]]) == 0
