"""What an answer holds: at most 150,000 characters with a way to the rest, whole pages, names and what changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from support.odoo import Odoo
from support.wire import Reply, Wire

MOST = 150_000
TEXT = "".join(f'{number} "é😀\\ ' for number in range(40_000))
_WAY = re.compile(r'fields \["(\w+\[\d+:\])"\]')


def fitting(reply: Reply) -> dict[str, object]:
    """What a reply holds, which is JSON of a bounded length."""
    assert not reply.failed, reply.complaint
    assert len(reply.text) <= MOST
    return reply.data


# === Long values ===


@pytest.mark.parametrize("field", ["function", "sale_warn_msg"])
def test_a_long_text_is_read_to_its_end(full: Wire, odoo: Odoo, tag: str, field: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag, field: TEXT})
    asked, whole = field, ""
    while asked:
        answer = fitting(full.call("get_record", model="res.partner", ids=[partner], fields=[asked]))
        part, found = answer["records"][0][field], _WAY.search(" ".join(answer.get("notes", ())))
        whole += part.removesuffix("…") if found else part
        asked = found and found[1]
    assert whole == TEXT


def test_a_long_document_beside_short_ones(full: Wire, odoo: Odoo, tag: str) -> None:
    for number in range(5):
        text = "é😀x" * 150_000 if number == 2 else "short"
        odoo.call("res.partner", "create", {"name": f"{tag} {number}", "sale_warn_msg": text})
    domain = [["name", "=like", f"{tag}%"]]
    answer = fitting(full.call("search_read", model="res.partner", domain=domain, fields=["sale_warn_msg"]))
    texts = sorted((row["sale_warn_msg"] for row in answer["records"]), key=len)
    assert [text == "short" for text in texts] == [True] * 4 + [False]
    assert texts[-1].endswith("…")
    assert answer["notes"]


# === Pages ===


def pages(wire: Wire, tool: str, **arguments: object) -> list[dict[str, object]]:
    """Every page, each asked for as the one before says."""
    found, offset = [], 0
    while offset is not None:
        answer = fitting(wire.call(tool, **arguments, offset=offset))
        assert answer["has_more"] == ("next_offset" in answer)
        found.append(answer)
        offset = answer.get("next_offset")
    return found


@pytest.fixture
def many(odoo: Odoo, tag: str) -> list[int]:
    rows = [{"name": f"{tag} {number:03}", "function": f"{number:03} {'y' * 1_000}"} for number in range(300)]
    return odoo.call("res.partner", "create", rows)


def test_rows_that_do_not_fit_come_later(full: Wire, many: list[int], tag: str) -> None:
    domain = [["name", "=like", f"{tag}%"]]
    arguments = {"model": "res.partner", "domain": domain, "fields": ["function"], "limit": 1000, "order": "name"}
    found = pages(full, "search_read", **arguments)
    assert len(found) > 1
    assert [row["id"] for page in found for row in page["records"]] == many


def test_ids_that_do_not_fit_are_named(full: Wire, many: list[int]) -> None:
    seen, left = [], many
    while left:
        answer = fitting(full.call("get_record", model="res.partner", ids=left, fields=["function"]))
        seen += [row["id"] for row in answer["records"]]
        left = answer.get("next_ids", [])
    assert seen == many


def test_groups_that_do_not_fit_come_later(full: Wire, many: list[int], tag: str) -> None:
    arguments = {"model": "res.partner", "domain": [["name", "=like", f"{tag}%"]], "groupby": ["function"]}
    found = pages(full, "read_group", **arguments, limit=1000)
    functions = [group["function"] for page in found for group in page["groups"]]
    assert len(functions) == len(set(functions)) == len(many)


def test_a_path_has_pages(full: Wire, odoo: Odoo, tag: str) -> None:
    parent = odoo.call("res.partner", "create", {"name": tag})
    children = odoo.call("res.partner", "create", [{"name": f"{tag} {n}", "parent_id": parent} for n in range(70)])
    arguments = {"model": "res.partner", "ids": [parent], "path": ["child_ids"], "fields": ["name"]}
    found = pages(full, "traverse_relationships", **arguments)
    assert [page["count"] for page in found] == [50, 20]
    assert sorted(row["id"] for page in found for row in page["records"]) == children


def test_lists_of_models_and_fields_fit(full: Wire) -> None:
    assert fitting(full.call("list_models", limit=1000))["models"]
    assert fitting(full.call("describe_model", model="res.partner", limit=1000))["fields"]
    names = [field["name"] for field in fitting(full.call("describe_model", model="res.users", limit=1000))["fields"]]
    assert fitting(full.call("describe_model", model="res.users", fields=names[:500]))["fields"]


def test_a_method_that_answers_much_is_cut_with_a_way(connect: Callable, many: list[int]) -> None:
    wire = connect(level="any").wire
    arguments = {"model": "res.partner", "method": "search_read", "kwargs": {"domain": [["id", "in", many]]}}
    answer = fitting(wire.call("execute_method", **arguments))
    assert len(answer["result"]) < len(many)
    assert f"of its {len(many)} entries" in answer["notes"][0]


def test_many_changes_of_long_names_fit(full: Wire, odoo: Odoo, tag: str) -> None:
    records = [{"name": f"{tag} {'n' * 2_000} {number}"} for number in range(200)]
    made = fitting(full.call("batch_create", model="res.partner", records=records))["created"]
    assert len(made) == len(records)
    gone = fitting(full.call("batch_delete", model="res.partner", ids=[row["id"] for row in made]))
    assert gone["deleted"] == [row["id"] for row in made]


# === What is shown where nothing is named ===


def test_default_fields_are_what_a_person_sees(full: Wire) -> None:
    order = full.call("search_read", model="sale.order", limit=1).data["records"][0]
    assert {"name", "state", "partner_id", "date_order", "amount_total", "currency_id"} <= set(order)
    partner = full.call("search_read", model="res.partner", limit=1).data["records"][0]
    assert {"name", "email", "phone", "country_id"} <= set(partner)
    assert len(partner) <= 17


# === Names ===


def test_changes_and_deletions_are_named(connect: Callable, tag: str) -> None:
    wire = connect(level="any").wire
    [made] = wire.call("create_record", model="res.partner", values={"name": tag}).data["created"]
    values = {"name": f"{tag} B", "email": "b@example.com"}
    [row] = wire.call("update_record", model="res.partner", ids=[made["id"]], values=values).data["updated"]
    assert row["display_name"] == f"{tag} B"
    assert row["changed"].items() >= values.items()
    pressed = wire.call("execute_method", model="res.partner", method="action_archive", ids=[made["id"]]).data
    assert pressed["records"] == [{"id": made["id"], "display_name": f"{tag} B"}]
    assert pressed["changed"] == [{"id": made["id"], "display_name": f"{tag} B", "active": False}]
    dry = wire.call("delete_record", model="res.partner", id=made["id"], dry_run=True).data["would"]
    gone = wire.call("delete_record", model="res.partner", id=made["id"]).data
    assert dry["records"] == gone["records"] == [{"id": made["id"], "display_name": f"{tag} B"}]


def test_equal_names_come_with_their_company(connect: Callable, odoo: Odoo, tag: str) -> None:
    wire = connect().wire
    other = odoo.call("res.company", "create", {"name": f"{tag} Inc"})
    own = odoo.call("res.company", "search_read", [["id", "!=", other]], ["name"], limit=1)[0]
    twins = odoo.call("res.partner", "create", [{"name": tag, "company_id": company} for company in (own["id"], other)])
    expected = dict(zip(twins, (own["name"], f"{tag} Inc"), strict=True))
    try:
        found = wire.call("search_records", model="res.partner", query=tag).data["records"]
        assert {row["id"]: row.get("company") for row in found if row["id"] in twins} == expected
        rows = wire.call("get_record", model="res.partner", ids=twins, fields=["name"]).data["records"]
        assert {row["id"]: row["company"] for row in rows} == expected
    finally:
        odoo.call("res.partner", "unlink", twins)
        odoo.call("res.company", "write", [other], {"active": False})


# === Who and when ===


def test_the_session_says_what_a_call_covers(full: Wire) -> None:
    session = full.call("get_session").data
    assert [company["id"] for company in session["companies"] if company["current"]] == [session["company"]["id"]]
    assert "context.allowed_company_ids" in session["covers"]
    schema = next(tool for tool in full.tools() if tool["name"] == "search_read")
    assert "default: all" in schema["inputSchema"]["properties"]["context"]["description"]


def test_a_user_without_a_time_zone_is_told_so(full: Wire, odoo: Odoo) -> None:
    user = full.call("get_session").data["user"]["id"]
    before = odoo.read("res.users", user, "tz")["tz"]
    arguments = {"model": "res.partner", "groupby": ["create_date:day"]}
    try:
        odoo.call("res.users", "write", [user], {"tz": False})
        session = full.call("get_session").data
        assert session["tz"] is None
        assert "This user has no time zone" in session["times"]
        assert "no time zone" in full.call("read_group", **arguments).data["notes"][0]
        odoo.call("res.users", "write", [user], {"tz": "Europe/Brussels"})
        assert "This user" not in full.call("get_session").data["times"]
        assert "notes" not in full.call("read_group", **arguments).data
    finally:
        odoo.call("res.users", "write", [user], {"tz": before})
