"""Nobody sees more than Odoo shows them, and nobody learns what they may not see."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from support.odoo import Odoo
from support.wire import Reply, Wire


@dataclass(frozen=True)
class Scene:
    """A salesman who may see his own documents, and a customer with an order of his and one of another's."""

    salesman: Wire
    user_id: int
    customer: int
    own: int
    other: int
    other_name: str


@pytest.fixture
def scene(odoo: Odoo, connect, user, clean, tag: str) -> Scene:
    user_id = user("sales_team.group_sale_salesman")
    customer = odoo.call("res.partner", "create", {"name": tag})
    clean.note("sale.order", [["partner_id", "=", customer]])
    own = odoo.call("sale.order", "create", {"partner_id": customer, "user_id": user_id})
    other = odoo.call("sale.order", "create", {"partner_id": customer, "user_id": odoo.user_id})
    name = odoo.read("sale.order", other, "name")["name"]
    return Scene(connect(user_id).wire, user_id, customer, own, other, name)


def assert_as_if_absent(hidden: Reply, absent: Reply, hidden_id: int, absent_id: int) -> None:
    """Two refusals that differ in nothing but the id."""
    assert hidden.complaint.replace(str(hidden_id), "#") == absent.complaint.replace(str(absent_id), "#")


def test_searching_finds_only_ones_own(scene: Scene) -> None:
    domain = [["partner_id", "=", scene.customer]]
    rows = scene.salesman.call("search_read", model="sale.order", domain=domain, fields=["name"], total=True).data
    assert [row["id"] for row in rows["records"]] == [scene.own]
    assert rows["total"] == 1 and rows["has_more"] is False, "the count does not tell of the other"
    assert scene.salesman.call("search_count", model="sale.order", domain=domain).data["count"] == 1
    groups = scene.salesman.call("read_group", model="sale.order", domain=domain, groupby=["partner_id"]).data["groups"]
    assert [group["__count"] for group in groups] == [1]


def test_a_name_finds_nothing_and_no_hint_betrays_it(scene: Scene) -> None:
    hidden = scene.salesman.call("search_records", model="sale.order", query=scene.other_name)
    absent = scene.salesman.call("search_records", model="sale.order", query="S99999999")
    assert hidden.data["records"] == []
    assert hidden.data == absent.data, "the answer is that for a name that does not exist"


def test_relations_lead_to_ones_own_only(scene: Scene) -> None:
    walked = scene.salesman.call(
        "traverse_relationships", model="res.partner", ids=[scene.customer], path=["sale_order_ids"], fields=["name"]
    )
    assert [row["id"] for row in walked.data["records"]] == [scene.own]
    assert str(scene.other_name) not in walked.text
    read = scene.salesman.call("get_record", model="res.partner", ids=[scene.customer], fields=["sale_order_ids"])
    assert read.data["records"][0]["sale_order_ids"] == [scene.own], "an x2many holds no hidden ids"


@pytest.mark.parametrize("tool", ["get_record", "update_record", "delete_record", "execute_method"])
def test_a_hidden_record_looks_like_an_absent_one(scene: Scene, odoo: Odoo, tool: str) -> None:
    absent_id = 987_654_321

    def attempt(record_id: int) -> Reply:
        arguments = {
            "get_record": {"ids": [record_id], "fields": ["name"]},
            "update_record": {"ids": [record_id], "values": {"client_order_ref": "seen"}},
            "delete_record": {"id": record_id},
            "execute_method": {"ids": [record_id], "method": "action_cancel"},
        }[tool]
        return scene.salesman.call(tool, model="sale.order", **arguments)

    hidden = attempt(scene.other)
    assert scene.other_name not in hidden.text
    assert_as_if_absent(hidden, attempt(absent_id), scene.other, absent_id)
    row = odoo.read("sale.order", scene.other, "state", "client_order_ref")
    assert row == {"id": scene.other, "state": "draft", "client_order_ref": False}, "nothing was changed"


def test_a_mixed_read_gives_only_ones_own(scene: Scene) -> None:
    reply = scene.salesman.call("get_record", model="sale.order", ids=[scene.own, scene.other], fields=["name"])
    assert scene.other_name not in reply.text
    if not reply.failed:
        assert [row["id"] for row in reply.data["records"]] == [scene.own]


def test_models_without_access_are_refused(scene: Scene) -> None:
    reply = scene.salesman.call("search_read", model="ir.config_parameter", limit=1)
    assert reply.complaint
    listed = scene.salesman.call("list_models", query="ir.config_parameter").data["models"]
    assert "ir.config_parameter" not in [model["model"] for model in listed]


def test_two_users_at_once_never_share_what_they_read(scene: Scene, full: Wire) -> None:
    # The same field of the same record, from both, in the same moments: a shared cache would mix the answers.
    arguments = {"model": "res.partner", "ids": [scene.customer], "fields": ["sale_order_ids", "sale_order_count"]}

    def read(wire: Wire) -> list[int]:
        return wire.call("get_record", **arguments).data["records"][0]["sale_order_ids"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda turn: (turn % 2, read((scene.salesman, full)[turn % 2])), range(60)))
    wrong = [ids for mine, ids in answers if mine == 0 and ids != [scene.own]]
    assert not wrong, f"the salesman saw {wrong}"
    assert all(sorted(ids) == sorted([scene.own, scene.other]) for mine, ids in answers if mine == 1)


def test_records_are_made_in_the_name_of_the_user(scene: Scene, odoo: Odoo) -> None:
    values = {"partner_id": scene.customer}
    [made] = scene.salesman.call("create_record", model="sale.order", values=values).data["created"]
    row = odoo.read("sale.order", made["id"], "create_uid", "user_id")
    assert row["create_uid"] == scene.user_id, "not the service account, nor the administrator"


def test_the_addon_itself_is_out_of_reach(full: Wire, odoo: Odoo, settings_id: int) -> None:
    # An AI tool must not lift its own limits, even where its user may.
    values = {"enabled": True}
    reply = full.call("update_record", model="mcp.server.settings", ids=[settings_id], values=values)
    assert reply.complaint
    reply = full.call("execute_method", model="mcp.connection", method="create_api_key", args=["live stolen"])
    assert reply.complaint
    assert odoo.count("mcp.connection", [["name", "=", "live stolen"]]) == 0
