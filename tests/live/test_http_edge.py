"""Bytes at the edge of the real sidecar: request targets, Host and Origin, and failed keys of one address."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.credentials import mistyped, unknown_key
from support.odoo import Odoo
from support.stack import Stack
from support.wait import until
from support.wire import Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


def send(url: str, request: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as sock:
        sock.sendall(request)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def status_and_reason(answer: bytes) -> tuple[int, str | None]:
    """The status of an HTTP/1 answer, and the reason in its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    reason = json.loads(body)["error"]["data"]["reason"] if body.startswith(b'{"jsonrpc"') else None
    return int(head.split(b" ", 2)[1]), reason


def get(path: str, *hosts: str, **headers: str) -> bytes:
    """A GET with these Host headers."""
    lines = [f"GET {path} HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def http_2(url: str, *headers: tuple[str, str]) -> bytes:
    """Ask in HTTP/2 and give all that comes until the answer has ended."""
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in headers
    )
    frame = len(block).to_bytes(3) + b"\x01\x05" + (1).to_bytes(4) + block
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as sock:
        sock.sendall(PREFACE + frame)
        answer = b""
        # A refusal is a short JSON text, a malformed request ends its stream or the connection.
        while b"}}}" not in answer and b"\0\0\x04\x03" not in answer and (chunk := sock.recv(65536)):
            answer += chunk
        return answer


@pytest.fixture(params=["mcp_url", "admin_url"])
def door(request: pytest.FixtureRequest, stack: Stack) -> tuple[str, str]:
    """Each listener with a path that it serves."""
    url = getattr(stack, request.param)
    return url, urlsplit(url).path if request.param == "mcp_url" else "/readyz"


@pytest.fixture(autouse=True)
def unharmed(stack: Stack, full: Wire) -> Any:
    """After each test both listeners serve, and no task has panicked."""
    pid = stack.sidecar_pid()
    yield
    assert full.request("tools/list").status == 200
    ready = httpx.get(f"{stack.admin_url}/readyz", trust_env=False)
    assert ready.status_code == 200
    assert "panics" not in ready.text, ready.text
    assert stack.sidecar_pid() == pid
    assert not [log for log in stack.logs if "panicked" in log.read_text(errors="replace") and "sidecar" in log.name]


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT localhost:443 HTTP/1.1",
        "CONNECT /odoo/mcp HTTP/1.1",
        "CONNECT http://localhost/odoo/mcp HTTP/1.1",
        "GET localhost:80 HTTP/1.1",
        "POST odoo HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET * HTTP/1.1",
        "GET ftp://localhost/readyz HTTP/1.1",
    ],
)
def test_a_target_that_is_no_path_is_refused(door: tuple[str, str], line: str) -> None:
    answer = send(door[0], f"{line}\r\nHost: localhost\r\n\r\n".encode())
    assert status_and_reason(answer) == (400, "request_target"), answer


def test_http_2_without_a_path_is_refused(door: tuple[str, str]) -> None:
    for headers in (
        [(":method", "CONNECT"), (":authority", "localhost:443")],
        [(":method", "GET"), (":scheme", "http")],
        [(":method", "OPTIONS"), (":scheme", "http"), (":authority", "localhost"), (":path", "*")],
    ):
        assert b"request_target" in http_2(door[0], *headers), headers
    malformed = http_2(door[0], (":method", "GET"), (":scheme", "http"), (":authority", "localhost"))
    assert b"jsonrpc" not in malformed


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:evil",
        "user:pw@localhost",
        "localhost..",
        "localhost:",
        "localhost:0",
        "127.0.0.1:8765.evil.example",
        "localhost/evil",
        "127.1",
        "0x7f.1",
        "[::1%25lo]",
        "",
    ],
)
def test_what_is_no_host_is_refused(door: tuple[str, str], host: str) -> None:
    url, path = door
    assert status_and_reason(send(url, get(path, host))) == (400, "host_malformed")
    authority = [(":authority", host)] if host else []
    answer = http_2(url, (":method", "GET"), (":scheme", "http"), *authority, (":path", path))
    # Some of them the HTTP/2 library takes for malformed by itself.
    assert b"host_malformed" in answer or b"jsonrpc" not in answer


@pytest.mark.parametrize("host", ["evil.example", "localhost.", "localhost.evil.example:80"])
def test_a_foreign_host_is_refused_in_every_form(door: tuple[str, str], host: str) -> None:
    url, path = door
    assert status_and_reason(send(url, get(path, host))) == (403, "host_refused")
    assert status_and_reason(send(url, get(f"http://{host}{path}", host))) == (403, "host_refused")
    assert status_and_reason(send(url, get(f"http://{host}{path}", "localhost"))) == (400, "host_malformed")
    assert status_and_reason(send(url, get(path, "localhost", host))) == (400, "host_malformed")
    answer = http_2(url, (":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path))
    assert b"host_refused" in answer


def test_own_hosts_are_served(door: tuple[str, str]) -> None:
    url, path = door
    for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{urlsplit(url).port}", "[::1]"):
        for target in (path, f"http://{host}{path}"):
            assert status_and_reason(send(url, get(target, host)))[1] in (None, "no_credential"), host


def test_a_probe_asks_by_address_or_without_a_host(stack: Stack) -> None:
    for request in (get("/readyz", "10.244.3.7:8766"), get("/readyz", "[fd00::7]"), b"GET /readyz HTTP/1.0\r\n\r\n"):
        assert status_and_reason(send(stack.admin_url, request))[0] == 200
    path = urlsplit(stack.mcp_url).path
    assert status_and_reason(send(stack.mcp_url, get(path, "10.244.3.7")))[0] == 403


@pytest.mark.parametrize(
    "origin",
    ["http://localhost/evil", "http://user:pw@localhost", "http://127.0.0.1:8765.evil.example", "http://127.1", "null"],
)
def test_what_is_no_origin_is_refused(stack: Stack, origin: str) -> None:
    path = urlsplit(stack.mcp_url).path
    own = send(stack.mcp_url, get(path, "localhost", Origin="http://localhost:6274"))
    assert status_and_reason(own) == (401, "no_credential")
    assert b"access-control-allow-origin: http://localhost:6274" in own.lower()
    refused = send(stack.mcp_url, get(path, "localhost", Origin=origin))
    assert status_and_reason(refused) == (403, "origin_refused")


def test_failed_keys_of_an_address_lock_no_good_key_out(
    stack: Stack, connect: Callable, full: Wire, odoo: Odoo
) -> None:
    fresh = connect()
    assert full.request("tools/list").status == 200
    wrong = Wire(stack.mcp_url, mistyped(stack.api_key))
    statuses = [wrong.request("tools/list").status for _ in range(25)]
    assert statuses[-1] == 429 and set(statuses) <= {401, 429}, statuses
    # One that this sidecar knows, and one that it has never seen.
    assert full.request("tools/list").status == 200
    assert fresh.wire.request("tools/list").status == 200
    # Made-up keys in perfect form are looked up within a budget only.
    found = [Wire(stack.mcp_url, unknown_key()).request("tools/list") for _ in range(60)]
    refused = [reply for reply in found if reply.status == 429]
    assert {reply.status for reply in found} <= {401, 429}
    assert all(reply.error["data"]["limit"] == "unknown_credentials" for reply in refused)
    assert full.request("tools/list").status == 200
    late = connect()
    until(lambda: late.wire.request("tools/list").status == 200, "a new key gets its turn")


def test_a_wake_up_of_odoo_arrives(odoo: Odoo, settings_id: int, full: Wire) -> None:
    # Off and on act by wake-ups, which come to the admin listener by the name in its wake_url.
    odoo.call("mcp.server.settings", "write", [settings_id], {"enabled": False})
    try:
        until(lambda: full.request("tools/list").status == 503, "the switch is off", seconds=2)
    finally:
        odoo.call("mcp.server.settings", "write", [settings_id], {"enabled": True})
    until(lambda: full.request("tools/list").status == 200, "the switch is on again", seconds=2)
