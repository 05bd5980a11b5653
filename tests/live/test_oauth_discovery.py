"""How a client finds out where to sign in: documents, challenges, and what browsers need."""

import json
import re
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.credentials import mistyped, unknown_key
from support.stack import Stack
from support.wait import until
from testkit import mcp
from testkit.browsing import Answer, fetch, some_address
from testkit.oauth import OAuthClient

RESOURCE = "/.well-known/oauth-protected-resource"
SERVERS = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/odoo/mcp",
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/odoo/mcp",
    "/odoo/mcp/.well-known/oauth-authorization-server",
    "/odoo/mcp/.well-known/openid-configuration",
)
RESOURCES = (RESOURCE, f"{RESOURCE}/odoo/mcp")


@pytest.fixture(scope="module")
def issuer(stack: Stack) -> str:
    """The public address, which is the issuer."""
    return stack.mcp_url.removesuffix("/odoo/mcp")


def metadata(issuer: str) -> dict[str, Any]:
    """The authorization server's."""
    return fetch(f"{issuer}{SERVERS[0]}").json


def origin_of(issuer: str) -> str:
    """Of a page that may call: the sidecar's own origin."""
    return issuer


def test_o04_both_resource_documents_name_the_typed_url(stack: Stack, issuer: str) -> None:
    for path in RESOURCES:
        document = fetch(f"{issuer}{path}").json
        assert document["resource"] == stack.mcp_url, path
        assert document["authorization_servers"] == [issuer], path
        assert document["scopes_supported"] and "offline_access" not in document["scopes_supported"], path
        assert document["bearer_methods_supported"] == ["header"], path


def test_o13_everything_of_oauth_is_json_without_cookies_or_redirects(issuer: str) -> None:
    unknown = [
        "/.well-known/oauth-authorization-server/other",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/openid-configuration/other",
        "/oauth/none",
        "/oauth/token/none",
    ]
    for path in (*SERVERS, *RESOURCES, *unknown):
        answer = fetch(f"{issuer}{path}")
        assert answer.status == (404 if path in unknown else 200), f"{path}: {answer.status}"
        assert isinstance(answer.json, dict), path
        assert not answer["Set-Cookie"] and not answer["Location"], path
        head = httpx.head(f"{issuer}{path}", trust_env=False)
        assert (head.status_code, head.content) == (answer.status, b""), f"HEAD {path}: {head.status_code}"
        assert head.headers["content-type"] == answer["Content-Type"], path
        options = httpx.options(f"{issuer}{path}", trust_env=False)
        assert options.status_code in (200, 204, answer.status), f"OPTIONS {path}: {options.status_code}"


@pytest.mark.parametrize("endpoint", ["register", "token", "revoke", "introspect"])
def test_o13_a_wrong_method_is_refused_in_json(issuer: str, endpoint: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = fetch(f"{issuer}/oauth/{endpoint}", method=method)
        assert answer.status == 405, f"{method} {endpoint}: {answer.status}"
        assert answer.json["error"] and "POST" in answer["Allow"], f"{method} {endpoint}"


def test_o14_a_key_is_accepted_at_once_and_a_wrong_one_says_key(stack: Stack) -> None:
    headers = mcp.headers("tools/list", key=stack.api_key)
    body = json.dumps(mcp.message("tools/list")).encode()
    assert fetch(stack.mcp_url, body, headers).status == 200, "the first request of an API key"
    for wrong in (unknown_key(), mistyped(stack.api_key)):
        answer = fetch(stack.mcp_url, body, mcp.headers("tools/list", key=wrong))
        assert answer.status == 401
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        assert "key" in answer.json["error"]["message"].lower(), answer.text


def test_o14_an_administrator_turns_oauth_off(
    stack: Stack, issuer: str, setting, client: OAuthClient, public: OAuthClient
) -> None:
    authorize = public.authorization().url
    endpoints = [public.server[f"{name}_endpoint"] for name in ("registration", "token", "revocation")]
    setting(enable_oauth=False)
    until(lambda: fetch(f"{issuer}{SERVERS[0]}").status == 404, "the documents are gone")
    for path in (*SERVERS, *RESOURCES):
        answer = fetch(f"{issuer}{path}")
        assert (answer.status, isinstance(answer.json, dict)) == (404, True), path
    assert "resource_metadata" not in client.challenge()["WWW-Authenticate"]
    assert client.challenge().status == 401
    for url in endpoints:
        answer = fetch(url, b"{}", {"Content-Type": "application/json"})
        assert answer.status in (403, 404) and "API key" in answer.json["error_description"], f"{url}: {answer.text}"
    page = fetch(authorize)
    assert page.status in (403, 404) and "API key" in page.page.words, page.text
    headers = mcp.headers("tools/list", key=stack.api_key)
    assert fetch(stack.mcp_url, json.dumps(mcp.message("tools/list")).encode(), headers).status == 200, "keys go on"
    setting(enable_oauth=True)
    until(lambda: fetch(f"{issuer}{SERVERS[0]}").status == 200, "the documents are back")
    assert "resource_metadata" in client.challenge()["WWW-Authenticate"]


def assert_challenged(answer: httpx.Response, issuer: str, what: str, sent: bool) -> None:
    """A 401 that says where to sign in."""
    assert answer.status_code == 401, f"{what}: {answer.status_code} {answer.text[:200]}"
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer "), f"{what}: {challenge}"
    assert f'resource_metadata="{issuer}{RESOURCE}/odoo/mcp"' in challenge, f"{what}: {challenge}"
    assert re.search(r'scope="mcp:read( mcp:write)?"', challenge), f"{what}: {challenge}"
    assert ('error="invalid_token"' in challenge) == sent, f"{what}: {challenge}"


@pytest.mark.parametrize("key", [None, "dead", "mistyped", "no credential at all", "access", "refresh"])
def test_o15_o30_every_request_without_a_good_credential_is_challenged(
    stack: Stack, issuer: str, key: str | None
) -> None:
    sent = {
        "dead": unknown_key(),
        "mistyped": mistyped(stack.api_key),
        "access": unknown_key().replace("mcp_ak_", "mcp_at_"),
        "refresh": unknown_key().replace("mcp_ak_", "mcp_rt_"),
    }.get(key or "", key)
    own = {"Authorization": f"Bearer {sent}"} if sent else {}
    good = {"Content-Type": "application/json", "Accept": mcp.ACCEPT}
    initialize = json.dumps(mcp.initialize()).encode()
    discover = json.dumps(mcp.message("server/discover")).encode()
    cases: list[tuple[str, str, dict[str, str], bytes]] = [
        ("initialize", "POST", good, initialize),
        ("server/discover", "POST", mcp.headers("server/discover"), discover),
        ("GET", "GET", {"Accept": "text/event-stream"}, b""),
        ("GET without Accept", "GET", {}, b""),
        ("HEAD", "HEAD", {}, b""),
        ("DELETE", "DELETE", {}, b""),
        ("PUT", "PUT", good, b"{}"),
        ("BREW", "BREW", good, b"{}"),
        ("wrong Accept", "POST", {**good, "Accept": "text/html"}, initialize),
        ("wrong Content-Type", "POST", {**good, "Content-Type": "text/plain"}, initialize),
        ("bad JSON", "POST", good, b"{"),
        ("empty", "POST", good, b""),
        ("too large", "POST", good, b" " * 5_000_000),
        ("unknown session", "POST", {**good, "Mcp-Session-Id": "none"}, discover),
    ]
    # From an address of its own, since wrong keys are slowed down by address.
    transport = httpx.HTTPTransport(local_address=some_address())
    with httpx.Client(trust_env=False, timeout=30, transport=transport) as http:
        for what, method, headers, body in cases:
            answer = http.request(method, stack.mcp_url, headers={**headers, **own}, content=body)
            assert_challenged(answer, issuer, f"{what} with {key}", bool(sent))


def test_o18_s256_is_the_only_method(issuer: str) -> None:
    for path in SERVERS:
        assert fetch(f"{issuer}{path}").json["code_challenge_methods_supported"] == ["S256"], path


def test_o22_o28_issuer_is_the_same_text_everywhere(issuer: str, stack: Stack) -> None:
    found = metadata(issuer)
    assert found["issuer"] == issuer and not issuer.endswith("/")
    assert found["authorization_response_iss_parameter_supported"] is True
    assert fetch(f"{issuer}{RESOURCES[1]}").json["authorization_servers"] == [found["issuer"]]
    for name, value in found.items():
        if name.endswith("_endpoint"):
            assert value.startswith(f"{issuer}/oauth/"), f"{name}: {value}"


def test_o23_client_credentials_are_not_advertised_unasked(issuer: str) -> None:
    assert "client_credentials" not in metadata(issuer)["grant_types_supported"]


@pytest.mark.parametrize("origin", ["own", "foreign"])
def test_o24_a_page_of_an_allowed_origin_may_use_all_of_it(issuer: str, stack: Stack, origin: str) -> None:
    own = {"Origin": issuer if origin == "own" else "https://evil.example"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
    }
    paths = [*SERVERS, *RESOURCES, "/oauth/register", "/oauth/token", "/oauth/revoke"]
    for path in paths:
        preflight = httpx.options(f"{issuer}{path}", headers={**own, **asked}, trust_env=False)
        answer = httpx.get(f"{issuer}{path}", headers=own, trust_env=False)
        assert "access-control-allow-credentials" not in answer.headers, path
        if origin == "own":
            assert preflight.headers["access-control-allow-origin"] in ("*", issuer), path
            allowed = preflight.headers["access-control-allow-headers"].lower()
            assert {"authorization", "content-type", "mcp-protocol-version"} <= {
                word.strip() for word in allowed.split(",")
            }, f"{path}: {allowed}"
            assert answer.headers["access-control-allow-origin"] in ("*", issuer), path
    refused = httpx.post(stack.mcp_url, headers=own, json=mcp.initialize(), trust_env=False)
    if origin == "own":
        assert refused.status_code == 401
        exposed = refused.headers["access-control-expose-headers"].lower()
        assert "www-authenticate" in exposed and "mcp-session-id" in exposed, exposed
    else:
        assert refused.status_code == 403, "the endpoint itself does not serve foreign pages"


def test_o27_the_same_document_at_all_six_places(issuer: str) -> None:
    documents = [fetch(f"{issuer}{path}") for path in SERVERS]
    assert [answer.status for answer in documents] == [200] * 6
    assert all(answer.text == documents[0].text for answer in documents)
    found = documents[0].json
    assert found["response_types_supported"] == ["code"]
    assert {"authorization_code", "refresh_token"} <= set(found["grant_types_supported"])
    assert set(found["token_endpoint_auth_methods_supported"]) == {
        "none",
        "client_secret_basic",
        "client_secret_post",
    }
    assert {"mcp:read", "mcp:write"} <= set(found["scopes_supported"])
    assert None not in found.values()


def test_o27_root_aliases_are_a_setting(issuer: str, setting) -> None:
    def answers(path: str) -> Answer:
        return fetch(f"{issuer}{path}", b"", {"Content-Type": "application/x-www-form-urlencoded"})

    assert answers("/token").status == 404
    setting(oauth_aliases=True)
    until(lambda: answers("/token").status != 404, "the aliases are there")
    assert answers("/token").json["error"] in ("invalid_request", "invalid_client", "unsupported_grant_type")
    assert answers("/register").json["error"] in ("invalid_client_metadata", "invalid_redirect_uri")
    assert fetch(f"{issuer}/authorize").status == 400
    assert metadata(issuer)["token_endpoint"] == f"{issuer}/oauth/token", "metadata names the one address"


def test_o28_a_foreign_host_name_gets_no_document(issuer: str) -> None:
    for path in (*SERVERS, *RESOURCES):
        answer = fetch(f"{issuer}{path}", headers={"Host": "evil.example"})
        assert answer.status in (403, 404, 421), f"{path}: {answer.status}"
        assert "evil.example" not in answer.text and issuer not in answer.text, path


FORGED = (
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Port": "8443"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Original-URL": "/evil"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"},
)


@pytest.mark.parametrize("forged", FORGED, ids=lambda headers: "+".join(headers))
def test_o31_no_header_changes_an_address(issuer: str, client: OAuthClient, forged: dict[str, str]) -> None:
    for path in (*SERVERS, *RESOURCES):
        assert fetch(f"{issuer}{path}", headers=forged).text == fetch(f"{issuer}{path}").text, path
    assert client.challenge(**forged)["WWW-Authenticate"] == client.challenge()["WWW-Authenticate"]


def test_o32_refresh_tokens_are_advertised(issuer: str) -> None:
    assert "refresh_token" in metadata(issuer)["grant_types_supported"]


def test_o33_what_chatgpt_needs_is_advertised(issuer: str) -> None:
    found = metadata(issuer)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert {"none", "client_secret_post"} <= set(found["token_endpoint_auth_methods_supported"])
    assert found.get("registration_endpoint") or found.get("client_id_metadata_document_supported")


def test_o34_documents_come_in_milliseconds(issuer: str) -> None:
    paths = [*SERVERS, *RESOURCES, "/.well-known/oauth-authorization-server/none"]
    with httpx.Client(trust_env=False) as http:
        took = []
        for path in paths * 5:
            start = time.monotonic()
            answer = http.get(f"{issuer}{path}")
            took.append(time.monotonic() - start)
            assert "max-age" in answer.headers["cache-control"] or answer.status_code == 404, path
    assert sorted(took)[len(took) // 2] < 0.1, f"median {sorted(took)[len(took) // 2]:.3f} s"


def test_o26_the_proxy_examples_route_what_is_served_and_the_callers_are_named(issuer: str) -> None:
    deploy = Path(__file__).resolve().parents[2] / "deploy"
    nginx = re.search(r"location ~ (\S+) \{", (deploy / "nginx.conf").read_text(encoding="utf-8"))
    caddy = re.search(r"@sidecar path (.+)", (deploy / "Caddyfile").read_text(encoding="utf-8"))
    assert nginx and caddy
    endpoints = [url.removeprefix(issuer) for name, url in metadata(issuer).items() if name.endswith("_endpoint")]
    for path in ("/odoo/mcp", "/oauth/resume", *SERVERS, *RESOURCES, *endpoints):
        assert re.match(nginx[1], path), f"nginx sends {path} to Odoo"
        assert any(fnmatchcase(path, pattern) for pattern in caddy[1].split()), f"Caddy sends {path} to Odoo"
    for path in ("/web/login", "/mcp_sidecar/consent", "/odoo", "/odoo/contacts", "/"):
        assert not re.match(nginx[1], path), f"nginx sends {path} to the sidecar"
        assert not any(fnmatchcase(path, pattern) for pattern in caddy[1].split()), f"Caddy sends {path} to the sidecar"
    manual = (deploy / "README.md").read_text(encoding="utf-8")
    for caller in ("Claude-User", "python-httpx", "openai-mcp", "160.79.104.0/21"):
        assert caller in manual
