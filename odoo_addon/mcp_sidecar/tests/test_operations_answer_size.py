"""Answers have a bound: long values are cut with a way to the rest, and rows come in pages that lose none."""

import json
import re
from unittest.mock import patch

from odoo.tests import tagged

from ..gateway.operations import answer_size
from ..gateway.reading import traverse
from .gateway_common import GatewayCase, call, create, search, write

MOST = answer_size.MAX_CHARS
_WAY = re.compile(r'fields \["(\w+\[\d+:\])"\]')


def read(model, ids, *fields):
    return {"op": "read", "model": model, "ids": ids, "fields": list(fields)}


def length(results):
    return len(json.dumps(results, ensure_ascii=False, separators=(",", ":")))


@tagged("post_install", "-at_install")
class TestBounded(GatewayCase):
    def partners(self, count, **values):
        rows = [{"name": f"Bounded {number:04}", **values} for number in range(count)]
        return self.env["res.partner"].create(rows)

    def run_bounded(self, step, **changes):
        results = self.execute(step, **changes)
        self.assertLessEqual(length(results), answer_size.MAX_CHARS)
        return results[0]

    def read_on(self, record, field, cut):
        """The whole value, read by what each note says."""
        value, note = cut["records"][0][field], " ".join(cut["notes"])
        whole = value[: -len("…")] if isinstance(value, str) else value
        while match := _WAY.search(note):
            cut = self.run_bounded(read(record._name, [record.id], match[1]))
            part, note = cut["records"][0][field], " ".join(cut.get("notes", ()))
            more = bool(_WAY.search(note))
            whole += part[: -len("…")] if more and isinstance(part, str) else part
        return whole

    # === Long values ===

    def test_a_long_text_is_cut_and_can_be_read_to_its_end(self):
        text = "".join(f'{number} "é😀\\ ' for number in range(40_000))
        partner = self.partners(1, function=text)
        cut = self.run_bounded(read("res.partner", partner.ids, "function", "name"))
        self.assertEqual(cut["records"][0]["name"], partner.name)
        self.assertTrue(cut["records"][0]["function"].endswith("…"))
        self.assertEqual(self.read_on(partner, "function", cut), text)

    def test_html_is_cut_and_can_be_read_to_its_end(self):
        partner = self.partners(1, comment="".join(f"<p>{number}</p>" for number in range(30_000)))
        cut = self.run_bounded(search("res.partner", [("id", "=", partner.id)], ["comment"]))
        self.assertEqual(self.read_on(partner, "comment", cut), partner.comment)

    def test_a_long_list_of_ids_is_cut_and_can_be_read_to_its_end(self):
        tags = self.env["res.partner.category"].create([{"name": f"Tag {number}"} for number in range(4_000)])
        partner = self.partners(1, category_id=tags.ids)
        with patch.object(answer_size, "MAX_CHARS", 16_000):
            cut = self.run_bounded(read("res.partner", partner.ids, "category_id"))
            self.assertLess(len(cut["records"][0]["category_id"]), 3_000)
            self.assertEqual(set(self.read_on(partner, "category_id", cut)), set(tags.ids))

    def test_a_request_may_name_another_bound(self):
        self.partners(20, function="x" * 20_000)
        step = search("res.partner", [("name", "=like", "Bounded%")], ["function"])
        whole = self.execute(step, max_chars=1_000_000)
        self.assertGreater(length(whole), answer_size.MAX_CHARS)
        self.assertEqual({len(row["function"]) for row in whole[0]["records"]}, {20_000})
        self.assertLessEqual(length(self.execute(step, max_chars=20_000)), 20_000)
        for bound in (999, 10_000_001, "many"):
            self.assertEqual(self.fault(step, max_chars=bound).code, "bad_request")

    def test_one_long_text_leaves_the_other_rows(self):
        partners = self.partners(20)
        partners[3].function = "x" * 500_000
        cut = self.run_bounded(read("res.partner", partners.ids, "name", "function"))
        self.assertEqual([row["id"] for row in cut["records"]], partners.ids)
        self.assertIn(str(partners[3].id), cut["notes"][0])
        self.assertNotIn("rest", cut)

    def test_many_long_values_of_one_record_fit(self):
        names = ["function", "street", "street2", "city", "zip", "email", "phone", "vat", "ref", "website"]
        partner = self.partners(1, **dict.fromkeys(names, "\x01" * 100_000))
        cut = self.run_bounded(read("res.partner", partner.ids, *names))
        self.assertEqual(set(cut["records"][0]) - {"id"}, set(names))
        self.assertTrue(cut["notes"])

    # === Rows ===

    def test_pages_give_each_row_once(self):
        partners = self.partners(500, function="y" * 1_000)
        domain, seen, offset = [("id", "in", partners.ids)], [], 0
        while True:
            page = self.run_bounded(search("res.partner", domain, ["function"], limit=500, offset=offset, order="name"))
            seen += [row["id"] for row in page["records"]]
            offset += len(page["records"])
            if not page["has_more"]:
                break
            self.assertIn("next_offset", page["notes"][-1])
        self.assertEqual(seen, partners.ids)

    def test_ids_that_did_not_fit_are_named(self):
        partners = self.partners(300, function="y" * 1_000)
        seen, rest = [], partners.ids
        while rest:
            page = self.run_bounded(read("res.partner", rest, "function"))
            seen += [row["id"] for row in page["records"]]
            self.assertEqual(page["missing"], [])
            rest = page.get("rest", [])
        self.assertEqual(seen, partners.ids)

    def test_names_found_come_in_pages(self):
        partners = self.env["res.partner"].create([{"name": f"Bounded {'z' * 900} {n:03}"} for n in range(300)])
        seen, offset, more = [], 0, True
        while more:
            step = {
                "op": "name_search",
                "model": "res.partner",
                "name": "Bounded",
                "domain": [],
                "limit": 300,
                "offset": offset,
            }
            page = self.run_bounded(step)
            seen += [row["id"] for row in page["records"]]
            offset, more = len(seen), page["has_more"]
        self.assertEqual(sorted(seen), sorted(partners.ids))

    def test_groups_come_in_pages(self):
        self.env["res.partner"].create([{"name": f"G{n:03}", "function": f"{n:03}{'g' * 1000}"} for n in range(300)])
        seen, more = [], True
        while more:
            step = {
                "op": "read_group",
                "model": "res.partner",
                "domain": [("function", "=like", "%ggg")],
                "groupby": ["function"],
                "aggregates": [],
                "having": [],
                "limit": 300,
                "offset": len(seen),
                "order": None,
            }
            page = self.run_bounded(step)
            seen += [group["function"] for group in page["groups"]]
            more = page["has_more"]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(len(seen), 300)

    def test_messages_of_a_chatter_are_bounded(self):
        partner = self.partners(1)
        for number in range(40):
            partner.message_post(body=f"{number} " + "m" * 20_000)
        domain = [("model", "=", "res.partner"), ("res_id", "=", partner.id)]
        page = self.run_bounded(search("mail.message", domain, ["body"], limit=80))
        self.assertGreaterEqual(len(page["records"]), 20)
        self.assertTrue(page["notes"])

    def test_what_a_path_leads_to_comes_in_pages(self):
        parent = self.partners(1)
        children = self.partners(130, parent_id=parent.id)
        step = {"op": "traverse", "model": "res.partner", "ids": parent.ids, "path": ["child_ids"], "domain": []}
        pages = [self.run_one({**step, "fields": ["name"], "limit": 50, "offset": offset}) for offset in (0, 50, 100)]
        self.assertEqual([page["has_more"] for page in pages], [True, True, False])
        seen = [row["id"] for page in pages for row in page["records"]]
        self.assertEqual(len(seen), 130)
        self.assertEqual(set(seen), set(children.ids))
        self.assertEqual({page["trail"][0]["count"] for page in pages}, {130})

    def test_what_is_on_a_path_is_limited(self):
        parent = self.partners(1)
        self.partners(4, parent_id=parent.id)
        step = {"op": "traverse", "model": "res.partner", "ids": parent.ids, "domain": [], "fields": ["name"]}
        with patch.object(traverse, "_MOST_ON_THE_WAY", 3):
            self.assertEqual(len(self.run_one({**step, "path": ["child_ids"], "limit": 9})["records"]), 4)
            fault = self.fault({**step, "path": ["child_ids", "company_id"], "limit": 9})
        self.assert_fault(fault, "bad_request", at="steps.0.path")
        self.assertIn("4 records of res.partner", fault.message)

    # === What has no pages ===

    def test_a_method_that_answers_many_rows_is_cut_with_a_way(self):
        partners = self.partners(600, function="y" * 1_000)
        answer = self.run_bounded(
            call("res.partner", "search_read", (), [("id", "in", partners.ids)], ["function"]), mode="run"
        )
        self.assertIn(f"of its {len(partners)} entries", answer["notes"][0])
        self.assertEqual(len(answer["result"][0]["function"]), 1_000)

    def test_a_method_that_answers_one_object_is_cut_where_it_is_long(self):
        partners = self.partners(600, function="y" * 1_000)
        step = call("res.partner", "web_search_read", (), [("id", "in", partners.ids)], {"function": {}})
        answer = self.run_bounded(step, mode="run")
        self.assertEqual(answer["result"]["length"], 600)
        self.assertGreater(len(answer["result"]["records"]), 100)
        self.assertTrue(answer["notes"])

    def test_changes_name_every_record(self):
        name = "n" * 2_000
        made = self.run_bounded(create("res.partner", *({"name": f"{name}{n}"} for n in range(400))), mode="write")
        self.assertEqual(len(made["records"]), 400)
        ids = [row["id"] for row in made["records"]]
        changed = self.run_bounded(write("res.partner", ids, comment="x"), mode="write")
        self.assertEqual([row["id"] for row in changed["records"]], ids)

    def test_several_steps_share_the_bound(self):
        partners = self.partners(200, function="y" * 1_000)
        short = search("res.partner", [("id", "=", partners[0].id)], ["name"])
        long_one = search("res.partner", [("id", "in", partners.ids)], ["function"], limit=200)
        results = self.execute(short, long_one, long_one)
        self.assertLessEqual(length(results), MOST)
        self.assertEqual(results[0]["records"][0]["name"], partners[0].name)
        self.assertEqual(len(results[1]["records"]), len(results[2]["records"]))

    # === Controls ===

    def test_what_fits_is_left_alone(self):
        partner = self.partners(1, function="x" * 130_000)
        answer = self.run_one(read("res.partner", partner.ids, "function"))
        self.assertEqual(answer["records"][0]["function"], partner.function)
        self.assertNotIn("notes", answer)

    def test_a_part_of_a_value_can_be_asked_for(self):
        partner = self.partners(1, function="0123456789")
        for asked, part in (("function[3:]", "3456789"), ("function[:2]", "01"), ("function[2:4]", "23")):
            answer = self.run_one(read("res.partner", partner.ids, asked, "name"))
            self.assertEqual(answer["records"][0], {"id": partner.id, "function": part, "name": partner.name})
        fault = self.fault(read("res.partner", partner.ids, "function[:2]", "function[4:]"))
        self.assert_fault(fault, "bad_request", at="steps.0.fields.1")

    def test_a_part_of_a_secret_is_as_closed_as_the_whole(self):
        fault = self.run_one(read("res.users", [self.user.id], "password[0:]"))
        self.assertEqual(fault["skipped_fields"], ["password"])
