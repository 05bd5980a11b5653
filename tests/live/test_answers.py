"""What is in Odoo arrives whole: large answers, every character, every digit."""

import json
from collections.abc import Callable

import pytest
from support import sdk
from support.odoo import Odoo
from support.stack import Stack
from support.wire import Wire

# Beyond the basic plane, joined emoji, right to left, what JavaScript and XML stumble over.
TEXT = '😀 \U0001d4b3 👩\u200d👩\u200d👧 שלום ]]> <b>&amp;</b> \\ " \u2028 é e\u0301 end'
# XML cannot carry most of these at all.
CONTROL = "tab\tnewline\nreturn\r\nbell\x07escape\x1b[31m unit\x1f delete\x7f c1\x85 \uffff end"
BIG = (2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))


def test_as_long_as_an_answer_may_be(full: Wire, odoo: Odoo, tag: str) -> None:
    texts = [f"{number}" + "é😀x" * 9_000 for number in range(5)]
    for number, text in enumerate(texts):
        odoo.call("res.partner", "create", {"name": f"{tag} {number}", "sale_warn_msg": text})
    domain = [["name", "=like", f"{tag}%"]]
    reply = full.call("search_read", model="res.partner", domain=domain, fields=["sale_warn_msg"], order="name")
    assert len(reply.text) > 135_000, "the answer is as long as the test means it to be"
    assert len(reply.text.encode()) > 300_000
    assert [row["sale_warn_msg"] for row in reply.data["records"]] == texts


@pytest.mark.parametrize(
    "value", [TEXT, CONTROL, " leading and trailing ", "\n"], ids=["text", "control", "blank", "newline"]
)
def test_characters_go_there_and_back(full: Wire, odoo: Odoo, tag: str, value: str) -> None:
    values = {"name": tag, "sale_warn_msg": value}
    [made] = full.call("create_record", model="res.partner", values=values).data["created"]
    [row] = full.call("get_record", model="res.partner", ids=[made["id"]], fields=["sale_warn_msg"]).data["records"]
    assert row["sale_warn_msg"] == value
    domain = [["name", "=", tag], ["sale_warn_msg", "=", value]]
    assert full.call("search_count", model="res.partner", domain=domain).data["count"] == 1, "it can be searched for"
    if value is TEXT:
        assert odoo.read("res.partner", made["id"], "sale_warn_msg")["sale_warn_msg"] == value, "Odoo stores the same"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", sdk.MODES)
async def test_characters_survive_the_sdk(stack: Stack, odoo: Odoo, tag: str, mode: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": f"{tag} {TEXT}"})
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        found = await sdk.call(client, "get_record", model="res.partner", ids=[partner], fields=["name"])
    assert found["records"][0]["name"] == f"{tag} {TEXT}"


def test_a_nul_is_refused_in_words(full: Wire, odoo: Odoo, tag: str) -> None:
    # PostgreSQL cannot store it.
    reply = full.call("create_record", model="res.partner", values={"name": f"{tag}\0"})
    assert reply.complaint
    assert odoo.count("res.partner", [["name", "=like", f"{tag}%"]]) == 0


@pytest.mark.parametrize("number", BIG)
def test_integers_keep_all_digits(connect: Callable, number: int) -> None:
    # What a copy would be made of holds the values that are given with it: the number travels there and back.
    wire = connect(level="any").wire
    reply = wire.call("execute_method", model="res.country", method="copy_data", ids=[1], args=[{"phone_code": number}])
    assert reply.data["result"][0]["phone_code"] == number
    # As text, too: a client that reads numbers as floating point is not ours to excuse.
    assert f":{number}" in reply.text.replace(" ", "")


def test_an_answer_is_compact_and_said_once(full: Wire) -> None:
    reply = full.call("search_read", model="res.partner", fields=["name"], limit=20)
    assert reply.text == json.dumps(reply.data, separators=(",", ":"), ensure_ascii=False), "no blank too many"
    assert "structuredContent" not in reply.result, "the rows are not sent twice"


def test_binary_content_never_travels(full: Wire, odoo: Odoo, tag: str) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    partner = odoo.call("res.partner", "create", {"name": tag, "image_1920": pixel})
    reply = full.call("get_record", model="res.partner", ids=[partner], fields=["image_1920"])
    [row] = reply.data["records"]
    assert pixel not in reply.text
    assert row["image_1920"]["size"] > 0
