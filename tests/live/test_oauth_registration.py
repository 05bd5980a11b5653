"""Dynamic client registration (RFC 7591), as the known clients use it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.odoo import Odoo
from support.people import NAME, Person
from support.wait import until
from testkit.browsing import fetch
from testkit.oauth import REDIRECT, OAuthClient

CURSOR = (
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
)
VSCODE = (
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
    "https://vscode.dev/redirect",
    "https://insiders.vscode.dev/redirect",
)
CHATGPT = ("https://chatgpt.com/connector/oauth/abc123", "https://chatgpt.com/connector_platform_oauth_redirect")
COPILOT_STUDIO = ("https://global.consent.azure-apim.net/redirect/contoso-5f1",)


def registration(*redirect_uris: str, **more: Any) -> dict[str, Any]:
    """What a client says of itself."""
    return {"client_name": NAME, "redirect_uris": list(redirect_uris), "token_endpoint_auth_method": "none", **more}


def test_o02_registration_without_scope(client: OAuthClient) -> None:
    answer = client.post_registration(**registration(REDIRECT))
    assert answer.status == 201, answer.text
    assert set(answer.json["scope"].split()) >= {"mcp:read"}, "later requests ask for what is echoed"


def test_o02_registration_with_foreign_scopes(client: OAuthClient) -> None:
    answer = client.post_registration(**registration(REDIRECT, scope="openid profile mcp:read offline_access"))
    assert answer.status == 201, answer.text
    assert "mcp:read" in answer.json["scope"].split()


def test_o05_copilot_studio_registers(client: OAuthClient) -> None:
    answer = client.post_registration(**registration(*COPILOT_STUDIO))
    assert answer.json["redirect_uris"] == list(COPILOT_STUDIO), answer.text


def test_o05_registration_switched_off_says_so(
    client: OAuthClient, public: OAuthClient, regular: Person, setting
) -> None:
    endpoint = client.server["registration_endpoint"]
    document = f"{client.server['issuer']}/.well-known/oauth-authorization-server"
    setting(allow_dynamic_registration=False)
    until(lambda: "registration_endpoint" not in fetch(document).json, "registration is not advertised")
    answer = fetch(endpoint, b'{"redirect_uris": ["http://127.0.0.1/"]}', {"Content-Type": "application/json"})
    assert (answer.status, answer.json["error"]) == (403, "access_denied"), answer.text
    assert "administrator" in answer.json["error_description"]
    assert public.grant(regular.browser).access, "clients of before go on"
    setting(allow_dynamic_registration=True)
    until(lambda: fetch(document).json.get("registration_endpoint"), "registration is advertised again")


@pytest.mark.parametrize("kind", ["web", "native", "banana"])
def test_o06_cursor_registers_whatever_type_it_claims(client: OAuthClient, kind: str) -> None:
    answer = client.post_registration(**registration(*CURSOR, application_type=kind))
    assert answer.status == 201, answer.text
    assert answer.json["redirect_uris"] == list(CURSOR)


@pytest.mark.parametrize("uris", [VSCODE, CHATGPT, ("https://claude.ai/api/mcp/auth_callback",)], ids=lambda u: u[0])
def test_quirk_known_clients_register_all_their_addresses(client: OAuthClient, uris: tuple[str, ...]) -> None:
    assert client.post_registration(**registration(*uris)).json["redirect_uris"] == list(uris)


REFUSED = (
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "http://client.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://localhost.evil.example/",
    "http://127.0.0.1@evil.example/",
    "https://user:password@client.example/callback",
    "https://client.example/callback#fragment",
    "https://client.example\\@evil.example/callback",
    "https://client.example/a/../callback",
    "//client.example/callback",
    "/callback",
    "https://*.client.example/callback",
    "https://client.example/call back",
    "vbscript:msgbox(1)",
    "blob:https://client.example/1",
    "",
)


def test_o06_what_is_no_redirect_address_is_refused_as_json(client: OAuthClient) -> None:
    for at in range(0, len(REFUSED), 4):
        answer = client.post_registration(**registration(*REFUSED[at : at + 4]))
        assert (answer.status, answer.json["error"]) == (400, "invalid_redirect_uri"), f"{REFUSED[at : at + 4]}"
        assert answer.json["error_description"] and not answer["Location"]


def test_o06_the_accepted_ones_are_kept(client: OAuthClient) -> None:
    answer = client.post_registration(**registration("javascript:alert(1)", REDIRECT, "http://evil.example/"))
    assert (answer.status, answer.json["redirect_uris"]) == (201, [REDIRECT])


def test_o08_five_at_once_and_none_harms_another(client: OAuthClient, regular: Person) -> None:
    first = client.register(client_name=NAME)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: first.post_registration(**registration(REDIRECT)), range(5)))
    assert [answer.status for answer in answers] == [201] * 5
    assert len({answer.json["client_id"] for answer in answers}) == 5
    assert first.grant(regular.browser).access, "the first is as good as before"


def test_o08_connections_are_grants_only(client: OAuthClient, odoo: Odoo) -> None:
    client.register(client_name=f"{NAME} never used")
    [record] = odoo.search("mcp.oauth.client", [["client_id", "=", client.client_id]])
    assert odoo.count("mcp.connection", [["oauth_client_id", "=", record]]) == 0


def test_o17_the_answer_is_whole(client: OAuthClient) -> None:
    extra = {
        "software_id": "x",
        "logo_uri": "https://client.example/logo.png",
        "contacts": ["a@client.example"],
        "application_type": "web",
        "unknown": {"a": [1]},
    }
    grants = ["authorization_code", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:device_code"]
    answer = client.post_registration(**registration(REDIRECT, grant_types=grants, response_types=["code"], **extra))
    assert answer.status == 201, answer.text
    found = answer.json
    assert set(found["grant_types"]) == {"authorization_code", "refresh_token"}, "others are dropped"
    assert found["response_types"] == ["code"]
    assert found["token_endpoint_auth_method"] == "none"
    assert (found["client_name"], found["redirect_uris"]) == (NAME, [REDIRECT])
    assert isinstance(found["client_id_issued_at"], int) and abs(found["client_id_issued_at"] - time.time()) < 300
    assert "client_secret" not in found and "client_secret_expires_at" not in found
    assert None not in found.values()
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_o17_a_secret_is_issued_where_one_is_used(client: OAuthClient, method: str) -> None:
    found = client.post_registration(**registration(REDIRECT) | {"token_endpoint_auth_method": method}).json
    assert found["client_secret"].startswith("mcp_cs_")
    assert found["client_secret_expires_at"] == 0


def test_o17_what_is_no_metadata_is_a_client_error(client: OAuthClient) -> None:
    for body in (b"", b"[]", b"null", b"{", b'"x"', b"\xff"):
        answer = client.post_registration(body)
        assert answer.status == 400, f"{body!r}: {answer.status}"
        assert answer.json["error"] == "invalid_client_metadata"
