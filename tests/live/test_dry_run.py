"""A dry run tells what would happen and stores nothing."""

from support.odoo import Odoo
from support.wire import Wire


def test_create(full: Wire, odoo: Odoo, tag: str) -> None:
    reply = full.call("create_record", model="res.partner", values={"name": tag}, dry_run=True)
    assert tag in reply.text and not reply.failed, "it says what would be created"
    assert odoo.count("res.partner", [["name", "=", tag]]) == 0, "nothing is stored"


def test_update(full: Wire, odoo: Odoo, tag: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    reply = full.call("update_record", model="res.partner", ids=[partner], values={"name": f"{tag} new"}, dry_run=True)
    assert not reply.failed, reply.text
    assert odoo.read("res.partner", partner, "name")["name"] == tag, "nothing is changed"


def test_delete(full: Wire, odoo: Odoo, tag: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    reply = full.call("delete_record", model="res.partner", id=partner, dry_run=True)
    assert not reply.failed, reply.text
    assert odoo.search("res.partner", [["id", "=", partner]]) == [partner], "nothing is deleted"


def test_batches(full: Wire, odoo: Odoo, tag: str) -> None:
    partner = odoo.call("res.partner", "create", {"name": tag})
    records = [{"name": f"{tag} {number}"} for number in range(3)]
    assert not full.call("batch_create", model="res.partner", records=records, dry_run=True).failed
    updates = [{"id": partner, "values": {"name": f"{tag} new"}}]
    assert not full.call("batch_update", model="res.partner", updates=updates, dry_run=True).failed
    assert not full.call("batch_delete", model="res.partner", ids=[partner], dry_run=True).failed
    assert odoo.search("res.partner", [["name", "=like", f"{tag}%"]]) == [partner]
    assert odoo.read("res.partner", partner, "name")["name"] == tag


def test_it_finds_what_would_fail(full: Wire, odoo: Odoo) -> None:
    reply = full.call("create_record", model="res.partner", values={"no_such_field": 1}, dry_run=True)
    assert "no_such_field" in reply.complaint


def test_it_leaves_its_key_unused(full: Wire, odoo: Odoo, tag: str) -> None:
    arguments = {"model": "res.partner", "values": {"name": tag}, "idempotency_key": f"{tag}-dry"}
    assert not full.call("create_record", **arguments, dry_run=True).failed
    assert full.call("create_record", **arguments).data["created"], "the real call goes through"
    assert odoo.count("res.partner", [["name", "=", tag]]) == 1
