"""Writes happen once."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from support.odoo import Odoo
from support.wait import until
from support.wire import Wire


def test_the_same_key_twice_makes_one_record(full: Wire, odoo: Odoo, tag: str) -> None:
    arguments = {"model": "res.partner", "values": {"name": tag}, "idempotency_key": f"{tag}-twice"}
    first = full.call("create_record", **arguments).data
    second = full.call("create_record", **arguments).data
    assert odoo.search("res.partner", [["name", "=", tag]]) == [first["created"][0]["id"]], "one record"
    assert second["created"] == first["created"], "the second call gets the first one's answer"
    assert second["replayed"] is True and "replayed" not in first


def test_the_same_key_at_the_same_time_makes_one_record(full: Wire, odoo: Odoo, tag: str) -> None:
    arguments = {"model": "res.partner", "values": {"name": tag}, "idempotency_key": f"{tag}-race"}
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _turn: full.call("create_record", **arguments), range(6)))
    made = odoo.search("res.partner", [["name", "=", tag]])
    assert len(made) == 1, f"{len(made)} records"
    ids = {reply.data["created"][0]["id"] for reply in replies if not reply.failed}
    assert ids == set(made), "whoever succeeds is told of that record"


def test_a_key_used_for_something_else_is_refused(full: Wire, odoo: Odoo, tag: str) -> None:
    key = f"{tag}-conflict"
    assert full.call("create_record", model="res.partner", values={"name": tag}, idempotency_key=key).data
    other = full.call("create_record", model="res.partner", values={"name": f"{tag} other"}, idempotency_key=key)
    assert "idempotency_key" in other.complaint
    assert odoo.count("res.partner", [["name", "=like", f"{tag}%"]]) == 1


def test_a_key_belongs_to_its_connection(full: Wire, connect, odoo: Odoo, tag: str) -> None:
    arguments = {"model": "res.partner", "values": {"name": tag}, "idempotency_key": f"{tag}-shared"}
    mine = full.call("create_record", **arguments).data["created"][0]["id"]
    other = connect().wire.call("create_record", **arguments).data
    assert other["created"][0]["id"] != mine and "replayed" not in other, "another connection gets its own record"


def test_without_a_key_each_call_counts(full: Wire, odoo: Odoo, tag: str) -> None:
    for _turn in range(2):
        assert full.call("create_record", model="res.partner", values={"name": tag}).data["count"] == 1
    assert odoo.count("res.partner", [["name", "=", tag]]) == 2


def test_a_client_that_leaves_leaves_one_record(full: Wire, odoo: Odoo, tag: str) -> None:
    records = [{"name": f"{tag} {number}"} for number in range(200)]
    params = {"name": "batch_create", "arguments": {"model": "res.partner", "records": records}}
    _send_and_leave(full, "tools/call", params)
    # The work goes on without its client: everything is there once, and nothing comes after it.
    domain = [["name", "=like", f"{tag}%"]]
    until(lambda: odoo.count("res.partner", domain) >= len(records), "the batch is stored", seconds=60)
    time.sleep(3)
    assert odoo.count("res.partner", domain) == len(records), "nothing is stored twice"


def _send_and_leave(wire: Wire, method: str, params: dict) -> None:
    """Send a request and hang up once the server has it."""
    url = urlsplit(wire.url)
    body = json.dumps(wire.body(method, params)).encode()
    headers = {**wire.headers(method, params["name"]), "Host": url.netloc, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((url.hostname, url.port)) as client:
        client.sendall(f"POST {url.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        # Long enough for the sidecar to read the request, far too short for 200 records.
        time.sleep(0.05)
