"""The token endpoint: codes, refresh tokens, client secrets, revocation."""

import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from support.audit import FIELDS
from support.credentials import unknown_key
from support.odoo import Odoo
from support.people import HTTPS, Person
from support.stack import Stack
from support.wait import until
from testkit.browsing import Answer, fetch
from testkit.oauth import FORM, REDIRECT, OAuthClient, Tokens, pkce

READ = {"model": "res.partner", "fields": ["name"], "limit": 1}


def assert_error(answer: Answer, status: int, error: str) -> None:
    """A refusal in the form of RFC 6749."""
    assert (answer.status, answer.json["error"]) == (status, error), f"{answer.status} {answer.text}"
    assert answer.json["error_description"] and None not in answer.json.values()
    assert answer["Cache-Control"] == "no-store"


def test_o09_parallel_refreshes_give_one_pair(public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    assert public.server["token_endpoint"], "discovered before, so that the refreshes are parallel"
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: public.refresh(tokens.refresh or ""), range(10)))
    assert [answer.status for answer in answers] == [200] * 10, [answer.text for answer in answers]
    pairs = {(answer.json["access_token"], answer.json["refresh_token"]) for answer in answers}
    assert len(pairs) == 1
    [(access, refresh)] = pairs
    assert wire(access).call("search_read", **READ).status == 200
    assert public.refresh(refresh).status == 200, "the newer one was not killed"


def test_o09_a_retry_within_the_grace_gets_the_same_pair(public: OAuthClient, regular: Person) -> None:
    tokens = public.grant(regular.browser)
    first, second = (public.tokens(public.refresh(tokens.refresh or "")) for _ in range(2))
    assert (first.access, first.refresh) == (second.access, second.refresh)
    assert second.expires_in <= first.expires_in


def test_o09_an_older_generation_ends_the_family(public: OAuthClient, regular: Person, wire, odoo: Odoo) -> None:
    tokens = public.grant(regular.browser)
    second = public.tokens(public.refresh(tokens.refresh or ""))
    third = public.tokens(public.refresh(second.refresh or ""))
    assert wire(third.access).call("search_read", **READ).status == 200
    # Its successor was used: this is no retry any more.
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")
    assert_error(public.refresh(third.refresh or ""), 400, "invalid_grant")
    until(lambda: wire(third.access).request("tools/list").status == 401, "the family is revoked", seconds=2)
    domain = [["method", "=", "oauth/refresh"], ["user_id", "=", regular.id], ["status", "=", "refused"]]
    found = until(
        lambda: [
            row
            for row in odoo.call("mcp.audit.log", "search_read", domain, FIELDS)
            if "reuse" in f"{row['reason']} {row['error']}"
        ],
        "the reuse is in the audit log",
        seconds=30,
    )
    assert found


def test_o09_without_a_grace(public: OAuthClient, regular: Person, setting) -> None:
    setting(refresh_token_grace=0)
    tokens = public.grant(regular.browser)
    second = public.tokens(public.refresh(tokens.refresh or ""))
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")
    assert_error(public.refresh(second.refresh or ""), 400, "invalid_grant")


def test_o09_after_the_grace(public: OAuthClient, regular: Person, setting) -> None:
    setting(refresh_token_grace=1)
    tokens = public.grant(regular.browser)
    assert public.refresh(tokens.refresh or "").status == 200
    time.sleep(2.1)
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")


def test_o10_an_unknown_client_is_401(public: OAuthClient, regular: Person) -> None:
    tokens = public.grant(regular.browser)
    stranger = public.copy().be("mcp_client_0000000000000000000000")
    for answer in (
        stranger.refresh(tokens.refresh or ""),
        stranger.post_token(grant_type="authorization_code", code="x", code_verifier="x" * 43, redirect_uri=REDIRECT),
        stranger.copy().be("mcp_client_0000000000000000000000", unknown_key()).refresh("x"),
        public.copy().be("https://client.example/none").refresh("x"),
    ):
        assert_error(answer, 401, "invalid_client")
    assert public.refresh(tokens.refresh or "").status == 200, "the attempt of a stranger harmed nothing"


def test_o11_static_clients_prove_themselves_as_they_registered(client: OAuthClient, regular: Person) -> None:
    for method in ("client_secret_post", "client_secret_basic"):
        client.register(token_endpoint_auth_method=method)
        tokens = client.grant(regular.browser)
        assert client.refresh(tokens.refresh or "").status == 200


def test_o11_either_way_of_sending_the_secret_is_accepted(confidential: OAuthClient, regular: Person) -> None:
    # claude.ai always sends client_secret_post, also where another method was registered.
    confidential.auth_method = "client_secret_post"
    assert confidential.grant(regular.browser).access
    confidential.auth_method = "client_secret_basic"
    assert confidential.grant(regular.browser).access


def test_o11_a_secret_of_a_public_client_breaks_nothing(public: OAuthClient, regular: Person) -> None:
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    assert public.exchange(request, code, client_secret="").status == 200


def test_o11_wrong_secrets_are_refused(confidential: OAuthClient, regular: Person) -> None:
    request = confidential.authorization()
    code = confidential.decide(regular.browser, request).code
    good = confidential.client_secret
    for wrong in (unknown_key().replace("mcp_ak_", "mcp_cs_"), f"{good}x", "", None):
        confidential.client_secret = wrong
        answer = confidential.exchange(request, code)
        assert_error(answer, 401, "invalid_client")
        # RFC 6749, 5.2: who came by Basic is answered in its kind.
        assert answer["WWW-Authenticate"].startswith("Basic") or not wrong, f"{answer.status} {answer.headers}"
    confidential.client_secret = good
    assert confidential.exchange(request, code).status == 200, "the code was not used up by wrong secrets"


def test_o16_the_answer_has_the_types_of_the_rfc(public: OAuthClient, regular: Person) -> None:
    request = public.authorization()
    answer = public.exchange(request, public.decide(regular.browser, request).code)
    for each in (answer, public.refresh(answer.json["refresh_token"])):
        found = each.json
        assert type(found["expires_in"]) is int and found["expires_in"] > 0
        assert found["token_type"] == "Bearer"
        assert found["scope"] == "mcp:read mcp:write"
        assert found["access_token"].startswith("mcp_at_") and found["refresh_token"].startswith("mcp_rt_")
        assert None not in found.values()
        assert each["Cache-Control"] == "no-store" and not each["Set-Cookie"]


def test_o16_errors_are_json_and_say_what_is_wrong(public: OAuthClient) -> None:
    for fields, status, error in (
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": unknown_key().replace("_ak_", "_rt_")}, 400, "invalid_grant"),
    ):
        assert_error(public.post_token(**fields), status, error)


def test_o16_only_forms_are_read(public: OAuthClient) -> None:
    url = public.server["token_endpoint"]
    for kind, body in (("application/json", b"{}"), ("text/plain", b"x"), ("multipart/form-data; boundary=x", b"--x")):
        answer = fetch(url, body, {"Content-Type": kind})
        assert answer.status in (400, 415), f"{kind}: {answer.status}"
        assert answer.json["error"] == "invalid_request", kind
    assert_error(fetch(url, b"\xff\xfe=%zz", {"Content-Type": FORM}), 400, "invalid_request")
    twice = urlencode([("grant_type", "refresh_token"), ("grant_type", "authorization_code"), ("client_id", "x")])
    assert_error(fetch(url, twice.encode(), {"Content-Type": FORM}), 400, "invalid_request")


def test_o19_resource_on_refresh(public: OAuthClient, regular: Person, stack: Stack) -> None:
    token = public.grant(regular.browser).refresh or ""
    for resource in (None, stack.mcp_url, f"{stack.mcp_url}/"):
        token = public.tokens(public.refresh(token, resource=resource)).refresh or ""
    assert_error(public.refresh(token, resource="https://other.example/"), 400, "invalid_target")
    assert public.refresh(token).status == 200, "the mistake cost nothing"


def test_o19_another_resource_at_the_exchange(public: OAuthClient, regular: Person) -> None:
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    assert_error(public.exchange(request, code, resource="https://other.example/"), 400, "invalid_target")


def test_o20_a_token_works_on_its_first_use(public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    for _generation in range(5):
        reply = wire(tokens.access).call("search_read", **READ)
        assert reply.status == 200 and not reply.failed, reply.message
        tokens = public.tokens(public.refresh(tokens.refresh or ""))


def test_o23_client_credentials_refused_names_api_keys(confidential: OAuthClient) -> None:
    answer = confidential.post_token(grant_type="client_credentials")
    assert answer.status == 400 and answer.json["error"] in ("unauthorized_client", "unsupported_grant_type")
    assert "API key" in answer.json["error_description"], answer.text


def test_o25_revoking_the_refresh_token_ends_the_family(public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    other = public.grant(regular.browser)
    assert public.revoke(tokens.refresh or "").status == 200
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")
    until(lambda: wire(tokens.access).request("tools/list").status == 401, "the access token is dead", seconds=2)
    assert wire(other.access).request("tools/list").status == 200, "another login of the same person goes on"


def test_o25_revoking_the_access_token(public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    assert public.revoke(tokens.access, token_type_hint="access_token").status == 200
    until(lambda: wire(tokens.access).request("tools/list").status == 401, "the access token is dead", seconds=2)
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")


def test_o25_revoking_is_200_for_anything(public: OAuthClient, stack: Stack, wire) -> None:
    for token in ("x", unknown_key().replace("_ak_", "_rt_"), stack.api_key, "mcp_at_"):
        assert public.revoke(token).status == 200, token[:7]
    assert wire(stack.api_key).request("tools/list").status == 200, "an API key is not a token of this client"
    assert_error(public._post(public.server["revocation_endpoint"], {}), 400, "invalid_request")


def test_o25_a_token_of_another_client_is_left_alone(
    public: OAuthClient, confidential: OAuthClient, regular: Person, wire
) -> None:
    tokens = public.grant(regular.browser)
    assert confidential.revoke(tokens.refresh or "").status == 200
    assert confidential.refresh(tokens.refresh or "").json["error"] == "invalid_grant"
    assert wire(tokens.access).request("tools/list").status == 200
    assert public.refresh(tokens.refresh or "").status == 200


@pytest.mark.parametrize("asked", ["mcp:read", "mcp:read mcp:write offline_access", None])
def test_o32_a_refresh_token_comes_with_or_without_offline_access(
    public: OAuthClient, regular: Person, asked: str | None
) -> None:
    assert public.grant(regular.browser, scope=asked).refresh


def test_o32_lifetimes_follow_the_settings_at_once(public: OAuthClient, regular: Person, wire, setting) -> None:
    setting(access_token_timeout=2)
    tokens = public.grant(regular.browser)
    assert tokens.expires_in <= 2
    assert wire(tokens.access).request("tools/list").status == 200
    dead = until(
        lambda: (reply := wire(tokens.access).request("tools/list")).status == 401 and reply, "it expires", seconds=5
    )
    assert 'error="invalid_token"' in dead.headers["www-authenticate"]
    assert public.refresh(tokens.refresh or "").status == 200


def test_a_refresh_may_narrow_and_not_widen(public: OAuthClient, regular: Person, wire) -> None:
    tokens = public.grant(regular.browser)
    narrow = public.tokens(public.refresh(tokens.refresh or "", scope="mcp:read"))
    assert narrow.scope == "mcp:read"
    reply = wire(narrow.access).call("create_record", model="res.partner", values={"name": "live never stored"})
    assert reply.status == 403 or "error" in reply.message, reply.message


def test_a_code_is_for_its_verifier_redirect_and_client(
    public: OAuthClient, confidential: OAuthClient, regular: Person
) -> None:
    for fields in (
        {"code_verifier": pkce()[0]},
        {"code_verifier": None},
        {"redirect_uri": HTTPS},
        {"redirect_uri": f"{REDIRECT}/x"},
    ):
        request = public.authorization()
        code = public.decide(regular.browser, request).code
        answer = public.exchange(request, code, **fields)
        assert answer.status == 400 and answer.json["error"] in ("invalid_grant", "invalid_request"), fields
    request = public.authorization()
    code = public.decide(regular.browser, request).code
    assert_error(confidential.exchange(request, code), 400, "invalid_grant")


def test_a_connection_shows_what_is_alive(public: OAuthClient, member: Person, odoo: Odoo) -> None:
    tokens = public.grant(member.browser)
    [connection] = odoo.search("mcp.connection", [["user_id", "=", member.id]])
    row = odoo.read("mcp.connection", connection, "kind", "scope", "active", "oauth_client_id", "token_count")
    assert (row["kind"], row["scope"], row["active"]) == ("oauth", "full", True)
    assert row["token_count"] >= 1
    assert tokens.access
    # The same application again: the same connection.
    public.grant(member.browser)
    assert odoo.search("mcp.connection", [["user_id", "=", member.id]]) == [connection]


def test_a_token_opens_nothing_of_odoo_itself(public: OAuthClient, member: Person, stack: Stack) -> None:
    tokens = public.grant(member.browser)
    json = {"Content-Type": "application/json"}
    for secret in (tokens.access, tokens.refresh):
        answer = fetch(
            f"{stack.odoo_url}/json/2/res.partner/search", b"{}", {**json, "Authorization": f"Bearer {secret}"}
        )
        assert answer.status in (401, 403), answer.status


def test_basic_credentials_are_url_decoded(confidential: OAuthClient, regular: Person) -> None:
    tokens = confidential.grant(regular.browser)
    encoded = "".join(f"%{ord(letter):02X}" for letter in confidential.client_id or "")
    pair = base64.b64encode(f"{encoded}:{confidential.client_secret}".encode()).decode()
    body = urlencode({"grant_type": "refresh_token", "refresh_token": tokens.refresh}).encode()
    headers = {"Content-Type": FORM, "Authorization": f"Basic {pair}"}
    answer = fetch(confidential.server["token_endpoint"], body, headers)
    confidential.note(answer.text)
    assert answer.status == 200, answer.text


def revoked_in_odoo(public: OAuthClient, tokens: Tokens, wire: Callable, act: Callable[[], object]) -> None:
    """After this act in Odoo nothing of the grant works, within a second."""
    live = wire(tokens.access)
    assert live.call("search_read", **READ).status == 200
    act()
    start = time.monotonic()
    until(lambda: live.request("tools/list").status == 401, "the next call is refused", seconds=5, pause=0.02)
    assert time.monotonic() - start < 1, f"{time.monotonic() - start:.2f} s"
    assert_error(public.refresh(tokens.refresh or ""), 400, "invalid_grant")


def test_o25_revoked_in_odoo(public: OAuthClient, member: Person, wire, odoo: Odoo) -> None:
    tokens = public.grant(member.browser)
    connections = odoo.search("mcp.connection", [["user_id", "=", member.id]])
    revoked_in_odoo(public, tokens, wire, lambda: odoo.call("mcp.connection", "action_revoke", connections))
    odoo.call("mcp.connection", "action_reactivate", connections)
    assert wire(tokens.access).request("tools/list").status == 401, "reactivating revives no token"
    assert wire(public.grant(member.browser).access).call("search_read", **READ).status == 200


def test_o25_an_archived_user_is_out(public: OAuthClient, member: Person, wire, odoo: Odoo) -> None:
    tokens = public.grant(member.browser)
    revoked_in_odoo(public, tokens, wire, lambda: odoo.call("res.users", "write", [member.id], {"active": False}))


def test_o25_an_archived_client_is_out(client: OAuthClient, member: Person, wire, odoo: Odoo) -> None:
    client.register(client_name="Proof of OAuth, archived")
    tokens = client.grant(member.browser)
    records = odoo.search("mcp.oauth.client", [["client_id", "=", client.client_id]])
    live = wire(tokens.access)
    assert live.call("search_read", **READ).status == 200
    odoo.call("mcp.oauth.client", "write", records, {"active": False})
    assert_error(client.refresh(tokens.refresh or ""), 401, "invalid_client")
    until(lambda: live.request("tools/list").status == 401, "its tokens are refused", seconds=2)


def test_the_master_switch_is_temporary(public: OAuthClient, regular: Person, setting, wire) -> None:
    tokens = public.grant(regular.browser)
    setting(enabled=False)
    until(lambda: wire(tokens.access).request("tools/list").status == 503, "it is off")
    answer = public.refresh(tokens.refresh or "")
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable"), answer.text
    assert int(answer["Retry-After"]) > 0
    assert (
        public.server["issuer"] and fetch(f"{public.server['issuer']}/.well-known/openid-configuration").status == 200
    )
    setting(enabled=True)
    until(lambda: wire(tokens.access).request("tools/list").status == 200, "it is on again")
    assert public.refresh(tokens.refresh or "").status == 200
