"""No secret is ever written down."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.credentials import mistyped, proof, unknown_key
from support.odoo import Odoo
from support.stack import Stack
from support.wire import Session, Wire

CREDENTIAL = re.compile(rb"mcp_(ak|at|rt|ac|cs)_[0-9A-Za-z]{20,}")


def files(stack: Stack) -> Iterator[Path]:
    """All logs, and all that the sidecar keeps."""
    yield from stack.logs
    yield from (path for path in (stack.folder / "sidecar").rglob("*") if path.is_file())


# After all others: their keys are looked for as well.
@pytest.mark.last
def test_no_log_holds_a_key_or_a_proof(connect, stack: Stack, odoo: Odoo, issued: list[str]) -> None:
    connection = connect()
    # In every place where a careless log would catch it: a good call, a bad one, wrong keys, a session.
    assert connection.wire.call("search_read", model="res.partner", limit=1).status == 200
    assert connection.wire.call("search_read", model="no.such.model", limit=1).failed
    assert Session(connection.wire).request("tools/list").status == 200
    bad = [unknown_key(), mistyped(connection.key)]
    for key in bad:
        assert Wire(stack.mcp_url, key).request("tools/list").status in (401, 429)
    Wire(f"{stack.mcp_url}?key={connection.key}", None).request("tools/list")

    service = (stack.folder / "service.key").read_text(encoding="utf-8").strip()
    secrets = {service, *issued, *bad, *map(proof, issued), *map(proof, bad)}
    secrets |= {base64.b64encode(key.encode()).decode() for key in issued}
    assert [path for path in stack.logs if path.stat().st_size], "there are logs to look at"
    for path in files(stack):
        content = path.read_bytes()
        found = [secret[:12] for secret in secrets if secret.encode() in content]
        assert not found, f"{path.name} holds secrets that begin with {found}"
        assert not CREDENTIAL.search(content), f"{path.name} holds something in the form of a credential"


def test_metrics_and_health_hold_none(stack: Stack, full: Wire) -> None:
    assert full.request("tools/list").status == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        text = full.http.get(f"{stack.admin_url}{path}").text
        assert stack.api_key not in text and proof(stack.api_key) not in text, path


def test_a_refusal_does_not_repeat_the_key(stack: Stack) -> None:
    key = unknown_key()
    reply = Wire(stack.mcp_url, key).request("tools/list")
    assert key not in str(reply.message) and key not in str(reply.headers)
