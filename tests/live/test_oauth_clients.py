"""Real clients sign in by themselves; a person's browser is stood in for, with cookies, at Odoo's own pages."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Any

import anyio
import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from support import sdk
from support.odoo import Odoo
from support.people import NAME, Person
from support.stack import Stack
from testkit.oauth import OAuthClient, Request, query

from mcp import Client

READ = {"model": "res.partner", "fields": ["name"], "limit": 2}


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signs_in(client: OAuthClient, person: Person, url: str) -> str:
    """What a person at a browser does with an authorization address: log in, allow, be led back."""
    asked = query(url)
    return client.decide(person.browser, Request(url, "", asked["redirect_uri"], asked.get("state"))).url


# === The Python SDK ===


class Memory:
    """What the SDK keeps."""

    def __init__(self) -> None:
        self.tokens: list[OAuthToken] = []
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(
    stack: Stack, client: OAuthClient, person: Person, memory: Memory, method: str, document: str | None = None
) -> OAuthClientProvider:
    """The SDK's own OAuth client."""
    came_back: list[str] = []

    async def redirect(url: str) -> None:
        came_back.append(await anyio.to_thread.run_sync(signs_in, client, person, url))

    async def callback() -> AuthorizationCodeResult:
        found = query(came_back.pop())
        return AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))

    metadata = OAuthClientMetadata(
        client_name=f"{NAME}, Python SDK",
        redirect_uris=["http://127.0.0.1:9/callback"],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method=method,
    )
    return OAuthClientProvider(stack.mcp_url, metadata, memory, redirect, callback, client_metadata_url=document)


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("mode", sdk.MODES)
async def test_the_python_sdk_signs_in_and_refreshes(
    stack: Stack, client: OAuthClient, regular: Person, odoo: Odoo, mode: str, method: str
) -> None:
    memory = Memory()
    auth = provider(stack, client, regular, memory, method)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(stack.mcp_url, http_client=http), mode=mode) as connected,
    ):
        assert len((await sdk.call(connected, "search_read", **READ))["records"]) == 2
        # Its time is over, as far as the SDK knows: it has to refresh before the next call.
        auth.context.token_expiry_time = 1
        assert len((await sdk.call(connected, "search_read", **READ))["records"]) == 2
    client.note(" ".join(f"{tokens.access_token} {tokens.refresh_token}" for tokens in memory.tokens))
    issued = [tokens.access_token for tokens in memory.tokens]
    assert (len(issued), len(set(issued))) == (2, 2), "signed in once, refreshed once"
    assert memory.client and memory.client.client_id
    assert odoo.count("mcp.oauth.client", [["client_id", "=", memory.client.client_id]]) == 1


@pytest.mark.anyio
async def test_the_python_sdk_by_a_metadata_document(
    stack: Stack, client: OAuthClient, regular: Person, odoo: Odoo
) -> None:
    """Where fetching works the document is the client's id; where it does not, the flag is off and it registers."""
    memory = Memory()
    document = "https://client.example/oauth/metadata.json"
    auth = provider(stack, client, regular, memory, "none", document)
    advertised = client.server.get("client_id_metadata_document_supported", False)
    async with httpx2.AsyncClient(auth=auth, timeout=60, trust_env=False) as http:
        if advertised:
            pytest.fail("the documents of a foreign host can be fetched from here: extend this test by a real one")
        async with Client(streamable_http_client(stack.mcp_url, http_client=http), mode="auto") as connected:
            await sdk.call(connected, "search_read", **READ)
    assert memory.client and memory.client.client_id.startswith("mcp_client_"), "it fell back to registration"
    client.note(f"{memory.tokens[0].access_token} {memory.tokens[0].refresh_token}")


# === Clients in Node ===


class Process:
    """A program that is talked to line by line."""

    def __init__(self, command: list[str], home: Path, **environment: str) -> None:
        variables = {**os.environ, "HOME": str(home), "NO_COLOR": "1", "PATH": f"{home}/bin:{os.environ['PATH']}"}
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            variables.pop(name, None)
        self._lines: Queue[str | None] = Queue()
        self.seen: list[str] = []
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**variables, **environment},
            cwd=home,
        )
        for stream in (self.child.stdout, self.child.stderr):
            Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first line from now on in which this occurs."""
        while True:
            line = self._lines.get(timeout=seconds)
            if line is None and self.child.poll() is not None and self._lines.empty():
                raise AssertionError(f"it ended with {self.child.returncode}: {''.join(self.seen)[-3000:]}")
            self.seen.append(line or "")
            if found := re.search(pattern, line or ""):
                return found

    def say(self, line: str) -> None:
        """Send a line."""
        assert self.child.stdin
        self.child.stdin.write(f"{line}\n")
        self.child.stdin.flush()

    def end(self) -> None:
        """Stop it."""
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a Node program with a home of its own, where no browser opens."""
    started: list[Process] = []
    (tmp_path / "bin").mkdir()
    opener = tmp_path / "bin/xdg-open"
    opener.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    opener.chmod(0o755)

    def start(*words: str, **environment: str) -> Process:
        started.append(Process([os.environ["LIVE_NODE"], *words], tmp_path, **environment))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_typescript_sdk_signs_in_and_refreshes(
    stack: Stack, client: OAuthClient, regular: Person, run: Callable[..., Process], version: str
) -> None:
    script = str(Path(__file__).parent / "support/sdk_client.mjs")
    process = run(script, os.environ["LIVE_MODULES"], version, stack.mcp_url, "http://127.0.0.1:9/callback")
    url = json.loads(process.until(r'\{"authorize".*')[0])["authorize"]
    process.say(signs_in(client, regular, url))
    found: dict[str, Any] = json.loads(process.until(r'\{"tokens".*')[0])
    client.note(json.dumps(found))
    assert "search_read" in found["tools"] and found["records"] == [2, 2]
    first, last = found["tokens"][0], found["tokens"][-1]
    assert last["access_token"] not in (first["access_token"], "expired"), "refreshed by the SDK itself"


def test_mcp_remote_signs_in(
    stack: Stack, client: OAuthClient, regular: Person, run: Callable[..., Process], tmp_path: Path
) -> None:
    proxy = f"{os.environ['LIVE_MODULES']}/mcp-remote/dist/proxy.js"
    port = str(free_port())
    process = run(proxy, stack.mcp_url, port, "--allow-http", "--transport", "http-only", "--auth-timeout", "60")
    url = process.until(r"^(http\S+/oauth/authorize\?\S+)")[1]
    callback = signs_in(client, regular, url)
    answer = regular.browser.send(callback)
    assert answer.status == 200, answer.text[:500]
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "proof", "version": "1"}}
    process.say(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}))
    assert json.loads(process.until(r'\{.*"id":1\b.*')[0])["result"]["serverInfo"]
    process.say(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    process.say(
        json.dumps(
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search_read", "arguments": READ}}
        )
    )
    result = json.loads(process.until(r'\{.*"id":2\b.*')[0])["result"]
    assert len(json.loads(result["content"][0]["text"])["records"]) == 2
    for file in tmp_path.rglob("*tokens.json"):
        client.note(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("era", ["legacy", "modern", "auto"])
def test_the_inspector_signs_in(
    stack: Stack, client: OAuthClient, regular: Person, run: Callable[..., Process], era: str
) -> None:
    callback = f"http://127.0.0.1:{free_port()}/oauth/callback"
    words = ["--cli", stack.mcp_url, "--transport", "http", "--protocol-era", era, "--callback-url", callback]
    words += ["--method", "tools/call", "--tool-name", "search_read", "--tool-args-json", json.dumps(READ)]
    process = run(os.environ["LIVE_INSPECTOR"], *words, "--format", "json", MCP_AUTO_OPEN_ENABLED="true")
    url = process.until(r"(http\S+/oauth/authorize\?[^\s\x07\x1b]+)")[1]
    assert regular.browser.send(signs_in(client, regular, url)).status == 200
    result = json.loads(process.until(r'\{.*"result".*')[0])["result"]
    assert len(json.loads(result["content"][0]["text"])["records"]) == 2


# === The conformance suite ===


@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_the_conformance_suite_passes(
    stack: Stack, client: OAuthClient, regular: Person, run: Callable[..., Process], tmp_path: Path, era: str
) -> None:
    port = free_port()
    client.register(client_name=f"{NAME}, conformance", redirect_uris=[f"http://127.0.0.1:{port}/callback"])
    suite = Path(os.environ["LIVE_INSPECTOR"]).parents[4] / "conformance/dist/index.js"
    issuer = stack.mcp_url.removesuffix("/odoo/mcp")
    words = ["authorization", "--url", issuer, "--client-id", client.client_id or "", "--resource", stack.mcp_url]
    words += ["--port", str(port), "--spec-version", era, "-o", str(tmp_path / "out")]
    process = run(str(suite), *words)
    url = process.until(r"(http\S+/oauth/authorize\?\S+)", 90)[1]
    assert regular.browser.send(signs_in(client, regular, url)).status == 200
    assert process.child.wait(60) == 0, "".join(process.seen)[-3000:]
    checks = [check for file in (tmp_path / "out").rglob("checks.json") for check in json.loads(file.read_text())]
    for check in checks:
        client.note(json.dumps(check))
    failed = [check for check in checks if check["status"] not in ("SUCCESS", "WARNING", "INFO", "SKIPPED")]
    assert checks and not failed, failed
    assert {check["id"] for check in checks} >= {"authorization-server-metadata"}
