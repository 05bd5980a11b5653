"""Conditions mean what they say: none becomes "no filter", and ids, days and names are what they look like."""

import base64
import unicodedata

from odoo.exceptions import AccessError
from odoo.models import BaseModel
from odoo.tests import tagged
from odoo.tools import mute_logger

from .gateway_common import GatewayCase, call, search
from .test_reading_filtered_pages import named

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def setting_avatar(value):
    def compute(records):
        records.avatar_128 = value

    return compute


class ConditionsCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["ir.default"].search([]).unlink()
        country = cls.env.ref("base.be").id
        cls.parent = cls.env["res.partner"].create({"name": "mcp-parent", "ref": "mcp-cond", "is_company": True})
        cls.child = cls.env["res.partner"].create(
            {"name": "mcp-child", "ref": "mcp-cond", "parent_id": cls.parent.id, "country_id": country}
        )
        cls.pictured = cls.env["res.partner"].create({"name": "mcp-image", "ref": "mcp-cond", "image_1920": PIXEL})
        cls.all = cls.parent + cls.child + cls.pictured

    def found(self, *domain, model="res.partner", **changes):
        """Ids of what a domain finds among the records of this test."""
        rows = self.run_one(search(model, [*domain, ["ref", "=", "mcp-cond"]], ["id"]), **changes)["records"]
        return {row["id"] for row in rows}

    def assert_found(self, domain, records):
        self.assertEqual(self.found(*domain), set(records.ids), domain)

    def assert_refused(self, condition, part="", model="res.partner"):
        fault = self.fault(search(model, [condition]))
        self.assertEqual(fault.code, "invalid_domain", condition)
        self.assertIn(part, fault.message, condition)


@tagged("-at_install", "post_install")
class TestNothingIsDropped(ConditionsCase):
    def test_content_is_not_compared(self):
        form = '["image_1920", "!=", false]'
        for operator, value in [
            ("=", "abc"),
            ("!=", "abc"),
            ("=", True),
            ("in", ["abc"]),
            ("in", [False, "abc"]),
            ("not in", ["abc"]),
            ("ilike", "abc"),
            ("not like", "abc"),
            (">", 5),
            ("=?", "abc"),
            ("=", ""),
        ]:
            with self.subTest(operator=operator, value=value):
                self.assert_refused(["image_1920", operator, value], form)
        self.assert_refused(["parent_id.image_1920", "=", "abc"], '["parent_id.image_1920", "!=", false]')
        self.assert_refused(["child_ids", "any", [["image_128", "=", "abc"]]], '["image_128", "!=", false]')
        self.assert_refused(["child_ids", "not any", [["image_128", "in", ["abc"]]]])
        self.assert_found([["image_1920", "!=", False]], self.pictured)
        self.assert_found([["image_1920", "=", None]], self.parent + self.child)
        self.assert_found([["image_1920", "in", [False]]], self.parent + self.child)

    def test_patterns_need_a_text(self):
        for operator in ("ilike", "not ilike", "like", "not like", "=like", "=ilike"):
            for value in (None, "", False, True, ["a", "b"], []):
                with self.subTest(operator=operator, value=value):
                    self.assert_refused(["name", operator, value], '["name", "=", false]')
        self.assert_refused(["parent_id", "ilike", ""])
        self.assert_refused(["parent_id.name", "ilike", None])
        self.assert_found([["name", "ilike", "MCP-CH"]], self.child)
        self.assert_found([["parent_id", "ilike", "mcp-par"]], self.child)
        self.assert_found([["name", "=like", "mcp-c%"]], self.child)

    def test_booleans_are_true_or_false(self):
        for condition in (["is_company", "=", "nope"], ["is_company", "in", [True, "x"]], ["active", "!=", "maybe"]):
            self.assert_refused(condition, "neither true nor false")
        self.assert_refused(["is_company", "=", 5])
        self.assert_refused(["is_company", ">", False])
        self.assert_refused(["parent_id.is_company", "=", "nope"])
        for value in (True, 1, "true", "True", "yes", "1"):
            self.assert_found([["is_company", "=", value]], self.parent)
        for value in (False, 0, None, "false", "no"):
            self.assert_found([["is_company", "=", value]], self.child + self.pictured)

    def test_empty_comparisons_are_refused(self):
        for condition in (
            ["name", "=?", None],
            ["name", "=?", ""],
            ["parent_id", "=?", False],
            ["color", "=?", 0],
            ["create_date", ">", None],
            ["create_date", "<=", False],
            ["color", ">", ""],
            ["color", ">", True],
            ["name", "<", ["a"]],
            ["name", "=", True],
            ["parent_id", "=", True],
            ["parent_id", "in", [True]],
            ["color", "!=", True],
            ["parent_id", "child_of", ""],
            ["parent_id", "child_of", None],
            ["id", "parent_of", False],
            ["id", "child_of", [True]],
        ):
            with self.subTest(condition=condition):
                self.assert_refused(condition)
        self.assert_found([["name", "=?", "mcp-child"]], self.child)
        self.assert_found([["id", "child_of", self.parent.id]], self.parent + self.child)

    def test_empty_lists_mean_what_they_say(self):
        self.assert_found([["id", "in", []]], self.env["res.partner"])
        self.assert_found([["id", "not in", []]], self.all)
        self.assert_found([["id", "child_of", []]], self.env["res.partner"])
        self.assert_found([["parent_id", "any", []]], self.child)
        self.assert_found([["child_ids", "=", []]], self.child + self.pictured)

    def test_numbers_are_numbers(self):
        self.assert_refused(["color", "=", "red"], "is a number")
        self.assert_refused(["partner_latitude", ">", "north"], "is a number")
        self.child.color = 7
        self.assert_found([["color", "=", "7"]], self.child)
        self.assert_found([["color", ">=", "7"]], self.child)
        self.assert_found([["name", "=", 5]], self.env["res.partner"])

    def test_ways_to_search_that_drop_what_they_do_not_know(self):
        field = self.env["res.partner"]._fields["is_public"]
        self.patch(field, "search", lambda model, operator, value: [])
        self.assert_refused(["is_public", "=", True], "does not search")
        self.assert_refused(["child_ids", "any", [["is_public", "=", True]]], "does not search")
        self.patch(field, "search", lambda model, operator, value: NotImplemented)
        self.assert_refused(["is_public", "=", True], "does not search")
        self.patch(field, "search", lambda model, operator, value: [("id", operator, self.child.id)])
        self.assert_found([["is_public", "=", True]], self.child)

    def test_records_without_a_name_are_not_searched_by_it(self):
        admin = self.env.ref("base.user_admin")
        system = self.proof_of(admin)
        model = next(name for name in sorted(self.env.registry) if self.is_nameless(name, admin))
        for step in (
            search(model, [["display_name", "ilike", "zzz"]], ["id"]),
            search(model, [["display_name", "=", "z"]], ["id"]),
        ):
            self.assertEqual(self.fault(step, proof=system).code, "invalid_domain")
        self.assertEqual(self.fault(named(model, "zzz"), proof=system).code, "bad_request")

    def is_nameless(self, name, user):
        model = self.env[name].with_user(user)
        search_name = type(model)._search_display_name
        named = model._rec_name or model._rec_names_search or search_name is not BaseModel._search_display_name
        return not (named or model._abstract or model._transient) and model.has_access("read")

    def test_domains_of_methods_are_checked_alike(self):
        wrong = [["image_1920", "=", "abc"]]
        for step in (
            call("res.partner", "search", (), wrong),
            call("res.partner", "search", domain=wrong),
            call("res.partner", "search_count", (), wrong),
            call("res.partner", "search_read", (), wrong, ["name"]),
            call("res.partner", "formatted_read_group", (), wrong, [], ["__count"]),
            call("res.partner", "name_search", (), "mcp", wrong),
            call("res.partner", "name_search", name="mcp", domain=wrong),
        ):
            with self.subTest(step=step):
                self.assertEqual(self.fault(step).code, "invalid_domain")
        for order in ("name:down", "name; drop"):
            self.assertEqual(self.fault(call("res.partner", "search", domain=[], order=order)).code, "bad_request")
        right = [["ref", "=", "mcp-cond"], ["name", "ilike", "mcp-c"]]
        found = self.run_one(call("res.partner", "search", domain=right, order="name:desc"))["result"]
        self.assertEqual(found["ids"], self.child.ids)
        self.assertEqual(self.run_one(call("res.partner", "search_count", (), right))["result"], 1)


@tagged("-at_install", "post_install")
class TestIdsAndNames(ConditionsCase):
    def test_ids_are_numbers(self):
        number = self.parent.id
        for condition in (
            ["parent_id", "=", str(number)],
            ["parent_id", "!=", str(number)],
            ["parent_id", "in", [str(number), self.child.id]],
            ["parent_id", "not in", [str(number)]],
            ["parent_id", "child_of", str(number)],
            ["child_ids", "=", str(number)],
            ["category_id", "in", [" 7 "]],
            ["id", "=", str(number)],
            ["id", "in", [str(number), 9]],
            ["id", ">", "5"],
            ["parent_id.parent_id", "=", str(number)],
            ["child_ids", "any", [["parent_id", "=", str(number)]]],
        ):
            with self.subTest(condition=condition):
                self.assert_refused(condition, "without quotes")
        self.assert_refused(["parent_id", "=", str(number)], '["parent_id.display_name", "=", ')
        fault = self.fault(search("mail.message", [["res_id", "=", "65"]], ["id"]))
        self.assertIn("without quotes", fault.message)
        self.assert_found([["parent_id", "=", number]], self.child)
        self.assert_found([["parent_id", "in", [number, False]]], self.all)
        self.assert_found([["parent_id", "=", "mcp-parent"]], self.child)
        self.assert_found([["parent_id.display_name", "=", "mcp-parent"]], self.child)
        numbered = self.env["res.partner"].create({"name": "65", "ref": "mcp-cond"})
        numbered.child_ids = self.pictured
        self.assert_found([["parent_id.display_name", "=", "65"]], self.pictured)
        self.assert_found([["parent_id", "ilike", "65"]], self.pictured)

    def test_an_empty_name_is_no_record(self):
        self.assert_found([["parent_id", "=", ""]], self.parent + self.pictured)
        self.assert_found([["parent_id", "!=", ""]], self.child)
        self.assert_found([["child_ids", "=", ""]], self.child + self.pictured)
        self.assert_found([["parent_id", "in", ["", self.parent.id]]], self.all)
        self.assert_found([["state_id", "=", ""]], self.all)

    def test_a_span_is_two_conditions(self):
        self.assert_refused(["create_date", "=", ["2026-01-01", "2026-02-01"]], '["create_date", ">=", "2026-01-01"]')
        self.assert_refused(["create_date", "!=", ["2026-01-01", "2026-02-01"]])
        self.assert_found([["name", "=", ["mcp-child", "mcp-image"]]], self.child + self.pictured)

    def test_a_day_is_the_users_own(self):
        self.settings_admin.tz = "Europe/Brussels"
        for record, at in [
            (self.parent, "2026-11-27 23:30:00"),
            (self.child, "2026-11-28 22:59:59"),
            (self.pictured, "2026-11-28 23:00:00"),
        ]:
            self.env.cr.execute("UPDATE res_partner SET create_date = %s WHERE id = %s", [at, record.id])
        day = self.parent + self.child
        self.assert_found([["create_date", "=", "2026-11-28"]], day)
        self.assert_found([["create_date", "in", ["2026-11-28"]]], day)
        self.assert_found([["create_date", "in", ["2026-11-28", "2026-11-29"]]], self.all)
        self.assert_found([["create_date", "!=", "2026-11-28"]], self.pictured)
        self.assert_found([["create_date", "not in", ["2026-11-28"]]], self.pictured)
        self.assert_found([["create_date", "=", "2026-11-28 22:59:59"]], self.child)
        self.assert_found([["create_date", "=", "2026-11-28T23:59:59+01:00"]], self.child)
        self.assert_found([["child_ids.create_date", "=", "2026-11-28"]], self.parent)
        self.assert_found([["create_date", ">=", "2026-11-29"]], self.pictured)
        self.assert_refused(["create_date", "ilike", "2026-11-28"], '"2026-11-28"')
        self.assertEqual(
            self.found(["create_date", "=", "2026-11-28"], context={"tz": "UTC"}), set((self.child + self.pictured).ids)
        )

    def test_one_record_answers_a_day(self):
        """Lines of two days are no line of the day between."""
        for name, at in [("a", "2026-11-01 12:00:00"), ("b", "2026-11-03 12:00:00")]:
            made = self.env["res.partner"].create({"name": name, "parent_id": self.pictured.id})
            self.env.cr.execute("UPDATE res_partner SET create_date = %s WHERE id = %s", [at, made.id])
        self.assert_found([["child_ids.create_date", "=", "2026-11-02"]], self.env["res.partner"])
        self.assert_found([["child_ids.create_date", "=", "2026-11-03"]], self.pictured)


@tagged("-at_install", "post_install")
class TestSearchedText(ConditionsCase):
    def names(self, text, model="res.partner"):
        rows = self.run_one(named(model, text, domain=[["ref", "=", "mcp-cond"]]))["records"]
        return {row["display_name"] for row in rows}

    def test_wildcards_of_a_query_mean_themselves(self):
        for name in ("mcp 50% off", "mcp 500 off", "mcp a_b", "mcp axb", r"mcp c\d", "mcp cd"):
            self.env["res.partner"].create({"name": name, "ref": "mcp-cond"})
        self.assertEqual(self.names("50%"), {"mcp 50% off"})
        self.assertEqual(self.names("a_b"), {"mcp a_b"})
        self.assertEqual(self.names("c\\d"), {r"mcp c\d"})
        self.assertEqual(self.names("mcp c"), {"mcp-child", r"mcp c\d", "mcp cd"} - {"mcp-child"})
        self.assertEqual(self.names("%"), {"mcp 50% off"})
        self.assertEqual(self.names("\\"), {r"mcp c\d"})
        # a domain is written by who knows what a pattern is
        rows = self.run_one(search("res.partner", [["name", "like", "mcp 50%off"], ["ref", "=", "mcp-cond"]]))[
            "records"
        ]
        self.assertEqual({row["name"] for row in rows}, {"mcp 50% off", "mcp 500 off"})

    def test_a_code_with_an_underscore_comes_first(self):
        made = self.env["product.product"].create(
            [
                {"name": "mcp A a_1 in its name", "default_code": "mcp-x"},
                {"name": "mcp Z", "default_code": "a_1"},
                {"name": "mcp B", "default_code": "ax1"},
            ]
        )
        rows = self.run_one(named("product.product", "a_1", domain=[["id", "in", made.ids]]))["records"]
        self.assertEqual([row["id"] for row in rows], [made[1].id, made[0].id])

    def test_composed_and_decomposed_letters_are_the_same(self):
        composed, decomposed = (unicodedata.normalize(form, "mcp Café Nürnberg") for form in ("NFC", "NFD"))
        made = self.env["res.partner"].create([{"name": name, "ref": "mcp-cond"} for name in (composed, decomposed)])
        for text in (composed, decomposed):
            self.assertEqual(self.names(text), {composed, decomposed})
            for condition in (
                ["name", "=", text],
                ["name", "in", [text]],
                ["name", "ilike", text.split()[1]],
                ["name", "like", text],
                ["name", "=ilike", text.upper()],
                ["display_name", "=", text],
            ):
                self.assert_found([condition], made)
            self.assert_found([["name", "not ilike", text]], self.all)
            self.assert_found([["name", "!=", text]], self.all)
        self.child.parent_id = made[0]
        for text in (composed, decomposed):
            self.assert_found([["parent_id", "=", text]], self.child)
            self.assert_found([["parent_id", "ilike", text]], self.child)


@tagged("-at_install", "post_install")
class TestFieldsThatFail(ConditionsCase):
    def fail(self, name, error):
        def compute(records):
            raise error

        self.patch(self.env["res.partner"]._fields[name], "compute", compute)

    def assert_left_out(self, name, reason):
        step = search("res.partner", [["id", "=", self.child.id]], ["name", name])
        read = {"op": "read", "model": "res.partner", "ids": self.child.ids, "fields": ["name", name]}
        for asked in (step, read):
            with mute_logger("odoo.addons.mcp_sidecar.gateway.reading.partial_read", "odoo.sql_db"):
                found = self.run_one(asked)
            self.assertEqual(found["records"], [{"id": self.child.id, "name": "mcp-child"}])
            self.assertEqual(found["skipped_fields"], [name])
            self.assertEqual(list(found["skipped_reasons"]), [name])
            self.assertIn(reason, found["skipped_reasons"][name])

    def test_a_field_that_fails_is_left_out_and_named(self):
        self.fail("email_formatted", KeyError("whatever"))
        self.assert_left_out("email_formatted", "Odoo fails to read it")

    def test_a_field_of_what_may_not_be_read_is_left_out(self):
        self.fail("email_formatted", AccessError("no"))
        self.assert_left_out("email_formatted", "may not read")

    def test_a_field_whose_query_fails_is_left_out(self):
        def compute(records):
            records.env.cr.execute("SELECT nothing_of_that_name FROM res_partner")

        self.patch(self.env["res.partner"]._fields["email_formatted"], "compute", compute)
        self.assert_left_out("email_formatted", "Odoo fails to read it")

    def test_what_can_be_read_is_read_as_before(self):
        found = self.run_one(search("res.partner", [["id", "=", self.child.id]], ["name", "email_formatted"]))
        self.assertNotIn("skipped_reasons", found)
        self.assertEqual(found["skipped_fields"], [])

    def test_data_that_is_called_binary_is_data(self):
        field = self.env["res.partner"]._fields["avatar_128"]
        for value, expected in [
            ({"total": 5.5, "lines": [{"id": 1}]}, {"total": 5.5, "lines": [{"id": 1}]}),
            ([1, 2], [1, 2]),
            (base64.b64encode(b"four"), {"size": 4}),
            (False, None),
        ]:
            self.patch(field, "compute", setting_avatar(value))
            self.env.invalidate_all()
            found = self.run_one(search("res.partner", [["id", "=", self.child.id]], ["avatar_128"]))
            self.assertEqual(found["records"][0]["avatar_128"], expected)
