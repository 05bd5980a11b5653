"""An OAuth client of the MCP server in plain HTTP, and the person who signs in for it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from testkit.browsing import Answer, Browser, Page, fetch, patiently, some_address

FORM = "application/x-www-form-urlencoded"
# Any port of loopback is as good as another (RFC 8252), and nothing listens here: the browser stops before it.
REDIRECT = "http://127.0.0.1:9/callback"
SECRET = re.compile(r"mcp_(?:at|rt|ac|cs)_[0-9A-Za-z]{49}")


def pkce() -> tuple[str, str]:
    """A verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def query(url: str) -> dict[str, str]:
    """The parameters of an address, each of which may occur once."""
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)
    assert len(pairs) == len(dict(pairs)), f"a parameter occurs twice: {url}"
    return dict(pairs)


@dataclass
class Request:
    """An authorization request: its address, and what the client has to remember for the exchange."""

    url: str
    verifier: str
    redirect_uri: str
    state: str | None


@dataclass(frozen=True)
class Callback:
    """What the browser brings back to the client."""

    url: str
    params: dict[str, str] = field(repr=False)

    @property
    def code(self) -> str:
        """The code of an approval."""
        assert "code" in self.params, f"no code came back: {self.params}"
        return self.params["code"]


@dataclass(frozen=True)
class Tokens:
    """An answer of the token endpoint."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    scope: str
    expires_in: int


class OAuthClient:
    """A client of one MCP endpoint. Every secret that it is given is kept in `secrets`, for a search of the logs."""

    def __init__(self, mcp_url: str, secrets: list[str] | None = None, redirect_uri: str = REDIRECT) -> None:
        self.mcp_url = mcp_url
        self.secrets = secrets if secrets is not None else []
        self.redirect_uri = redirect_uri
        self.source = some_address()
        self.client_id: str | None = None
        self.client_secret: str | None = None
        self.auth_method = "none"
        self._server: dict[str, Any] | None = None

    # === Discovery ===

    def challenge(self, **request: Any) -> Answer:
        """The refusal of a request without a credential."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        return fetch(self.mcp_url, json.dumps(message).encode(), {**headers, **request}, source=self.source)

    def resource(self) -> dict[str, Any]:
        """The protected resource metadata that the refusal names."""
        answer = self.challenge()
        assert answer.status == 401, f"without a credential: {answer.status}"
        found = re.search(r'resource_metadata="([^"]+)"', answer["WWW-Authenticate"])
        assert found, f"no resource_metadata in {answer['WWW-Authenticate']}"
        return fetch(found[1]).json

    @property
    def server(self) -> dict[str, Any]:
        """The metadata of the authorization server."""
        if self._server is None:
            issuer = self.resource()["authorization_servers"][0]
            answer = fetch(f"{issuer}/.well-known/oauth-authorization-server")
            assert answer.status == 200, f"no metadata of {issuer}: {answer.status}"
            self._server = answer.json
        return self._server

    # === Registration ===

    def post_registration(self, body: bytes | None = None, **metadata: Any) -> Answer:
        """Register exactly this; where too many did so before, when the server says."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps(metadata).encode() if body is None else body
        url = self.server["registration_endpoint"]
        answer = patiently(lambda: fetch(url, body, headers, source=self.source))
        self.note(answer.text)
        return answer

    def register(self, **metadata: Any) -> OAuthClient:
        """Register, with what a client usually says where nothing else is given, and be that client from now on."""
        usual = {
            "client_name": "Proof",
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        answer = self.post_registration(**{**usual, **metadata})
        assert answer.status == 201, f"registration answers {answer.status}: {answer.text}"
        return self.be(answer.json["client_id"], answer.json.get("client_secret"), usual | metadata)

    def be(self, client_id: str, secret: str | None = None, metadata: dict[str, Any] | None = None) -> OAuthClient:
        """Act as a client that exists."""
        self.client_id, self.client_secret = client_id, secret
        usual = "client_secret_basic" if secret else "none"
        self.auth_method = (metadata or {}).get("token_endpoint_auth_method", usual)
        if secret:
            self.secrets.append(secret)
        return self

    def copy(self) -> OAuthClient:
        """The same client once more."""
        twin = OAuthClient(self.mcp_url, self.secrets, self.redirect_uri)
        twin.client_id, twin.client_secret, twin.auth_method = self.client_id, self.client_secret, self.auth_method
        twin._server = self._server
        return twin

    # === Authorization ===

    def authorization(self, endpoint: str | None = None, **params: str | None) -> Request:
        """An authorization request; a parameter that is None is left out."""
        verifier, challenge = pkce()
        state = secrets.token_urlsafe(16)
        usual: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": state,
            "scope": "mcp:read mcp:write",
            "resource": self.mcp_url,
        }
        all_of_them = {name: value for name, value in {**usual, **params}.items() if value is not None}
        url = f"{endpoint or self.server['authorization_endpoint']}?{urllib.parse.urlencode(all_of_them)}"
        return Request(url, verifier, all_of_them.get("redirect_uri", ""), all_of_them.get("state"))

    def returns_to(self, url: str) -> bool:
        """Whether this is the client's own address, where a browser leaves the server."""
        return url.partition("?")[0].partition("#")[0] == self.redirect_uri

    def callback(self, url: str) -> Callback:
        """Read what came back."""
        self.note(url)
        return Callback(url, query(url))

    def sign_in(self, browser: Browser, decision: str = "allow", scope: str | None = None, **params: Any) -> Callback:
        """All that a person does: open the address, decide, and be led back to the client."""
        return self.decide(browser, self.authorization(**params), decision, scope)

    def decide(self, browser: Browser, request: Request, decision: str = "allow", scope: str | None = None) -> Callback:
        """The same for a request that was made before."""
        page = consent_page(browser, request.url)
        end = browser.follow(answer_consent(browser, page, decision, scope), self._leaves(request))
        self.secrets.extend(passed_secrets(browser))
        assert isinstance(end, str), f"the browser stays at {end.url}: {end.status} {end.text[:1000]}"
        return self.callback(end)

    @staticmethod
    def _leaves(request: Request) -> Any:
        return lambda url: url.partition("?")[0] == request.redirect_uri

    # === Tokens ===

    def post_token(self, endpoint: str | None = None, **fields: str | None) -> Answer:
        """A token request with exactly these fields, beside what proves the client."""
        return self._post(endpoint or self.server["token_endpoint"], fields)

    def exchange(self, request: Request, code: str, **fields: str | None) -> Answer:
        """Trade a code for tokens."""
        usual: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.verifier,
            "resource": self.mcp_url,
        }
        return self.post_token(**{**usual, **fields})

    def grant(self, browser: Browser, decision_scope: str | None = None, **params: Any) -> Tokens:
        """A whole flow, from the address to the tokens."""
        request = self.authorization(**params)
        callback = self.decide(browser, request, "allow", decision_scope)
        return self.tokens(self.exchange(request, callback.code))

    def refresh(self, token: str, **fields: str | None) -> Answer:
        """Ask for the next pair."""
        return self.post_token(**{"grant_type": "refresh_token", "refresh_token": token, **fields})

    def revoke(self, token: str, **fields: str | None) -> Answer:
        """Give a token back."""
        return self._post(self.server["revocation_endpoint"], {"token": token, **fields})

    def introspect(self, token: str) -> Answer:
        """Ask about a token."""
        return self._post(self.server["introspection_endpoint"], {"token": token})

    @staticmethod
    def tokens(answer: Answer) -> Tokens:
        """Read a token answer, which has to be a good one."""
        assert answer.status == 200, f"no tokens: {answer.status} {answer.text}"
        found = answer.json
        return Tokens(found["access_token"], found.get("refresh_token"), found.get("scope", ""), found["expires_in"])

    def _post(self, url: str, fields: dict[str, str | None]) -> Answer:
        headers = {"Content-Type": FORM, "Accept": "application/json"}
        own: dict[str, str | None] = {}
        if self.auth_method == "client_secret_basic" and self.client_secret:
            pair = ":".join(urllib.parse.quote(part or "", safe="") for part in (self.client_id, self.client_secret))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            own["client_id"] = self.client_id
            if self.auth_method == "client_secret_post":
                own["client_secret"] = self.client_secret
        sent = {name: value for name, value in {**own, **fields}.items() if value is not None}
        answer = fetch(url, urllib.parse.urlencode(sent).encode(), headers, source=self.source)
        self.note(answer.text)
        return answer

    def note(self, text: str) -> None:
        """Keep the secrets in a text."""
        self.secrets.extend(found for found in SECRET.findall(text) if found not in self.secrets)


# === The person ===


def consent_page(browser: Browser, url: str) -> Page:
    """Open an authorization address as a user who is logged in to Odoo, as far as the consent page."""
    answer = browser.follow(browser.send(url), lambda _url: False)
    assert isinstance(answer, Answer) and answer.status == 200, f"no consent page: {answer.status} {answer.text[:1000]}"
    return answer.page


def passed_secrets(browser: Browser) -> list[str]:
    """What bound this browser to its requests: approvals in the addresses it was sent to, and the cookie."""
    targets = [answer.location or answer.url for answer in browser.history]
    found = [value for url in targets if (value := query(url).get("approval"))]
    return found + [cookie.value for cookie in browser.cookies if cookie.name.endswith("mcp_oauth") and cookie.value]


def answer_consent(browser: Browser, page: Page, decision: str, scope: str | None = None) -> Answer:
    """Click a button of the consent page, having chosen a scope."""
    form = page.form("csrf_token", "decision")
    assert ("decision", decision) in form.buttons, f"no button {decision} among {form.buttons}"
    chosen = {} if scope is None else {"scope": scope}
    return browser.submit(form, decision=decision, **chosen)
