"""Every core tool, through the official SDK, in each era."""

import json

import pytest
from support import sdk
from support.odoo import Odoo
from support.stack import Stack

pytestmark = pytest.mark.anyio

READING = {
    *("get_session", "list_models", "describe_model", "search_records", "search_read", "search_count"),
    *("get_record", "read_group", "traverse_relationships"),
}
WRITING = {
    *("create_record", "update_record", "delete_record"),
    *("batch_create", "batch_update", "batch_delete", "execute_method"),
}
# Cursor, Claude and others cut or refuse longer lists and names.
MOST_BYTES = 16_000


@pytest.fixture(params=sdk.MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the client finds its era."""
    return request.param


async def test_list_is_complete_and_small(stack: Stack, mode: str) -> None:
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        listed = (await client.list_tools()).tools
    names = {tool.name for tool in listed}
    assert names >= READING | WRITING, f"missing tools: {(READING | WRITING) - names}"
    for tool in listed:
        hints = tool.annotations
        assert tool.title or (hints and hints.title), f"{tool.name} has no title"
        assert tool.description, f"{tool.name} has no description"
        assert hints is not None and hints.read_only_hint == (tool.name in READING), f"{tool.name}: wrong readOnlyHint"
        assert tool.input_schema["type"] == "object", f"{tool.name}: {tool.input_schema}"
    size = len(json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in listed]))
    assert size <= MOST_BYTES, f"the list of tools takes {size} bytes of every conversation"


async def test_session_says_who_where_and_when(stack: Stack, odoo: Odoo, mode: str) -> None:
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        session = await sdk.call(client, "get_session")
    assert session["user"]["id"] == odoo.user_id
    assert session["user"]["login"] == stack.admin_login
    assert session["scope"] == "full"
    assert session["odoo_version"].startswith("19")
    assert session["now"].endswith("Z"), "times are in UTC and say so"


async def test_models_and_fields_are_described(stack: Stack, mode: str) -> None:
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        found = await sdk.call(client, "list_models", query="res.partner")
        described = await sdk.call(client, "describe_model", model="res.partner", fields=["name", "country_id"])
    assert "res.partner" in [model["model"] for model in found["models"]]
    fields = {field["name"]: field for field in described["fields"]}
    assert set(fields) == {"name", "country_id"}
    assert "res.country" in json.dumps(fields["country_id"]), "the relation of a many2one is told"
    assert described["omitted"] > 20, "what is not shown is counted"


async def test_reading(stack: Stack, odoo: Odoo, tag: str, mode: str) -> None:
    parent = odoo.call("res.partner", "create", {"name": f"{tag} parent", "is_company": True})
    children = [
        odoo.call("res.partner", "create", {"name": f"{tag} child {number}", "parent_id": parent})
        for number in range(3)
    ]
    domain = [["parent_id", "=", parent]]
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        page = await sdk.call(
            client, "search_read", model="res.partner", domain=domain, fields=["name", "parent_id"], limit=2, order="id"
        )
        rest = await sdk.call(
            client, "search_read", model="res.partner", domain=domain, fields=["name"], offset=2, order="id"
        )
        found = await sdk.call(client, "search_records", model="res.partner", query=f"{tag} child 1")
        count = await sdk.call(client, "search_count", model="res.partner", domain=domain)
        record = await sdk.call(client, "get_record", model="res.partner", ids=[parent], fields=["name", "create_date"])
        groups = await sdk.call(client, "read_group", model="res.partner", domain=domain, groupby=["parent_id"])
        walked = await sdk.call(
            client, "traverse_relationships", model="res.partner", ids=[parent], path=["child_ids"], fields=["name"]
        )
    assert [row["id"] for row in page["records"]] == children[:2]
    assert page["records"][0]["parent_id"]["id"] == parent, "a many2one comes as id and name"
    assert page["has_more"] is True and page["next_offset"] == 2
    assert [row["id"] for row in rest["records"]] == children[2:] and rest["has_more"] is False
    assert [row["id"] for row in found["records"]] == [children[1]]
    assert count["count"] == 3
    assert record["records"][0]["name"] == f"{tag} parent"
    assert record["records"][0]["create_date"].endswith("Z"), "datetimes are in UTC and say so"
    assert [group["__count"] for group in groups["groups"]] == [3]
    assert sorted(row["id"] for row in walked["records"]) == children


async def test_writing(stack: Stack, odoo: Odoo, tag: str, mode: str) -> None:
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        made = await sdk.call(client, "create_record", model="res.partner", values={"name": f"{tag} one"})
        one = made["created"][0]["id"]
        assert odoo.read("res.partner", one, "name")["name"] == f"{tag} one"

        await sdk.call(client, "update_record", model="res.partner", ids=[one], values={"city": "Ghent"})
        assert odoo.read("res.partner", one, "city")["city"] == "Ghent"

        records = [{"name": f"{tag} two"}, {"name": f"{tag} three"}]
        batch = await sdk.call(client, "batch_create", model="res.partner", records=records)
        two, three = (row["id"] for row in batch["created"])
        updates = [{"id": two, "values": {"city": "Bruges"}}, {"id": three, "values": {"city": "Liege"}}]
        await sdk.call(client, "batch_update", model="res.partner", updates=updates)
        assert [odoo.read("res.partner", row, "city")["city"] for row in (two, three)] == ["Bruges", "Liege"]

        gone = await sdk.call(client, "delete_record", model="res.partner", id=one)
        assert gone["deleted"] == [one]
        await sdk.call(client, "batch_delete", model="res.partner", ids=[two, three])
    assert odoo.search("res.partner", [["id", "in", [one, two, three]]]) == [], "deleted records are gone"


async def test_a_failed_batch_stores_nothing(stack: Stack, odoo: Odoo, tag: str, mode: str) -> None:
    records = [{"name": f"{tag} good"}, {"name": f"{tag} bad", "no_such_field": 1}]
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        result = await client.call_tool("batch_create", {"model": "res.partner", "records": records})
    assert result.is_error, "a batch with a wrong field is refused"
    assert odoo.count("res.partner", [["name", "=like", f"{tag}%"]]) == 0, "all or none"


async def test_methods_run(stack: Stack, odoo: Odoo, tag: str, mode: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    async with sdk.client(stack.mcp_url, stack.api_key, mode) as client:
        await sdk.call(client, "execute_method", model="res.partner", method="action_archive", ids=[partner])
    assert odoo.read("res.partner", partner, "active")["active"] is False
