"""Reading: what is found, what is left out, and where a mistake is said to be."""

import base64
import threading
from datetime import datetime
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.reading import ranking
from ..gateway.values import binary_size, outputs
from .gateway_common import GatewayCase, search

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE = base64.b64encode(PNG)


def read(model, ids, fields=("name",)):
    return {"op": "read", "model": model, "ids": list(ids), "fields": fields if fields is None else list(fields)}


def group(model, groupby, aggregates=(), **changes):
    step = {"op": "read_group", "model": model, "domain": [], "groupby": list(groupby), "aggregates": list(aggregates)}
    return {**step, "having": [], "limit": 80, "offset": 0, "order": None, **changes}


def traverse(model, ids, path, fields=("name",), domain=(), limit=50):
    step = {"op": "traverse", "model": model, "ids": list(ids), "path": list(path), "fields": list(fields)}
    return {**step, "domain": list(domain), "limit": limit}


class ReadsCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partners = cls.env["res.partner"].create(
            [{"name": f"mcp-{index}", "ref": "mcp-read", "color": index % 2} for index in range(5)]
        )
        cls.mine = [["ref", "=", "mcp-read"]]


@tagged("-at_install", "post_install")
class TestExecutorReads(ReadsCase):
    # === Pages ===

    def test_pages_and_totals(self):
        step = search("res.partner", self.mine, limit=2, order="name", total=True)
        first = self.run_one(step)
        self.assertEqual([row["name"] for row in first["records"]], ["mcp-0", "mcp-1"])
        self.assertEqual((first["has_more"], first["total"]), (True, 5))
        last = self.run_one({**step, "offset": 4})
        self.assertEqual(
            ([row["name"] for row in last["records"]], last["has_more"], last["total"]), (["mcp-4"], False, 5)
        )
        beyond = self.run_one({**step, "offset": 50})
        self.assertEqual((beyond["records"], beyond["has_more"], beyond["total"]), ([], False, 5))
        self.assertNotIn("total", self.run_one({**step, "total": False}))
        nothing = self.run_one({**step, "limit": 0})
        self.assertEqual((nothing["records"], nothing["has_more"], nothing["total"]), ([], True, 5))

    def test_count_and_search_by_name(self):
        self.assertEqual(
            self.run_one({"op": "search_count", "model": "res.partner", "domain": self.mine}), {"count": 5}
        )
        step = {"op": "name_search", "model": "res.partner", "name": "mcp-", "domain": self.mine, "limit": 4}
        found = self.run_one(step)
        self.assertEqual((len(found["records"]), found["has_more"]), (4, True))
        self.assertEqual(set(found["records"][0]), {"id", "display_name"})
        self.assertFalse(self.run_one({**step, "name": "mcp-3"})["has_more"])

    # === Fields ===

    def test_fields_that_may_not_be_read_are_named_and_left_out(self):
        field = self.env["res.partner"]._fields["ref"]
        self.patch(field, "groups", "base.group_no_one,base.group_system")
        employee = self.proof_of(self.employee)
        step = search("res.partner", [["name", "=", "mcp-1"]], ["name", "ref"])
        result = self.run_one(step, proof=employee)
        self.assertEqual(result["records"], [{"id": self.partners[1].id, "name": "mcp-1"}])
        self.assertEqual(result["skipped_fields"], ["ref"])
        result = self.run_one(read("res.partner", self.partners[1].ids, ["ref", "name"]), proof=employee)
        self.assertEqual(result["skipped_fields"], ["ref"])
        self.assertNotIn("ref", self.run_one({**step, "fields": None}, proof=employee)["records"][0])
        for domain in (
            [["ref", "=", "mcp-read"]],
            [["child_ids.ref", "=", "x"]],
            [["child_ids", "any", [["ref", "=", 1]]]],
        ):
            fault = self.fault(search("res.partner", domain), proof=employee)
            self.assert_fault(fault, "access_denied", model="res.partner", field="ref", operation="read")
        self.assert_fault(self.fault(search("res.partner", order="ref"), proof=employee), "access_denied", field="ref")
        self.assert_fault(self.fault(group("res.partner", ["ref"]), proof=employee), "access_denied", field="ref")
        self.assert_fault(
            self.fault(group("res.partner", [], ["ref:max"]), proof=employee), "access_denied", field="ref"
        )

    def test_lines_of_a_model_out_of_reach_are_left_out(self):
        step = read("res.users", self.user.ids, ["login", "log_ids"])
        result = self.run_one(step, proof=self.user_proof)
        self.assertEqual(result["records"], [{"id": self.user.id, "login": self.user.login}])
        self.assertEqual(result["skipped_fields"], ["log_ids"])

    def test_secrets_are_never_read(self):
        result = self.run_one(search("res.users", [["id", "=", self.settings_admin.id]], ["login", "password"]))
        self.assertEqual(result["skipped_fields"], ["password"])
        self.assertNotIn("password", result["records"][0])
        connection, _key = self.connect(self.settings_admin)
        self.settings_admin.group_ids += self.env.ref("mcp_sidecar.group_admin")
        result = self.run_one(search("mcp.credential", [["connection_id", "=", connection.id]], ["kind", "digest"]))
        self.assertEqual(result["skipped_fields"], ["digest"])
        fault = self.fault(search("mcp.credential", [["digest", "like", "0"]], ["kind"]))
        self.assert_fault(fault, "access_denied", field="digest")

    def test_a_wrong_name_is_named_with_its_model(self):
        cases = [
            (search("res.partner", fields=["nmae"]), "res.partner", "nmae"),
            (search("res.partner", [["country_id.cod", "=", "BE"]]), "res.country", "cod"),
            (search("res.partner", [["child_ids", "any", [["nmae", "=", 1]]]]), "res.partner", "nmae"),
            (search("res.partner", [["name.x", "=", 1]]), "res.partner", "name.x"),
            (search("res.partner", [["create_date.decade", "=", 1]]), "res.partner", "create_date.decade"),
            (search("res.partner", order="nmae desc"), "res.partner", "nmae"),
            (search("res.partner", order="country_id.name"), "res.partner", "country_id.name"),
            (search("res.partner", fields=["country_id.name"]), "res.partner", "country_id.name"),
            (group("res.partner", ["country_id.cod"]), "res.country", "cod"),
            (group("res.partner", [], ["nmae:sum"]), "res.partner", "nmae"),
            (traverse("res.partner", self.partners[:1].ids, ["country"]), "res.partner", "country"),
            (traverse("res.partner", self.partners[:1].ids, ["name"]), "res.partner", "name"),
        ]
        for step, model, field in cases:
            with self.subTest(model=model, field=field):
                self.assert_fault(self.fault(step), "unknown_field", model=model, field=field)

    def test_models_that_are_not_there(self):
        for name in ("res.partners", "", "mail.thread", "base", "mcp.gateway", "res.partner; DROP TABLE x"):
            if name:
                self.assert_fault(self.fault(search(name)), "unknown_model", model=name)

    def test_models_out_of_reach(self):
        fault = self.fault(search("ir.cron"), proof=self.user_proof)
        self.assert_fault(fault, "access_denied", model="ir.cron", operation="read")
        self.assertEqual(fault.message, "You may not read records of ir.cron.")
        fault = self.fault(search("res.partner", [["user_id.log_ids.id", ">", 0]]), proof=self.user_proof)
        self.assert_fault(fault, "access_denied", model="res.users.log")

    def test_transient_models_can_be_read(self):
        self.assertEqual(self.run_one(search("change.password.wizard", fields=["id"]))["records"], [])

    def test_the_most_relevant_fields_come_first(self):
        record = self.run_one(search("res.partner", [["id", "=", self.partners[0].id]], None))["records"][0]
        self.assertEqual(list(record)[:2], ["id", "name"])
        self.assertLessEqual(len(record), ranking.DEFAULT_FIELDS + 1)
        self.assertTrue({"email", "phone", "country_id"} <= set(record))
        order = ranking.ranked(self.env["res.partner"])
        place = {name: order.index(name) for name in order}
        for first, later in [
            ("name", "type"),
            ("user_id", "comment"),
            ("email", "child_ids"),
            ("child_ids", "image_1920"),
        ]:
            self.assertLess(place[first], place[later], (first, later))
        self.assertLess(place["image_1920"], place["write_uid"])
        self.assertEqual(set(order) | {"id"}, set(self.env["res.partner"]._fields))

    # === Records ===

    def test_missing_and_unreadable_records_look_alike(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        foreign = self.env["res.partner"].create({"name": "mcp-foreign", "company_id": company.id})
        ids = [self.partners[1].id, foreign.id, 999999999, self.partners[0].id]
        result = self.run_one(read("res.partner", ids))
        self.assertEqual([row["id"] for row in result["records"]], [self.partners[1].id, self.partners[0].id])
        self.assertEqual(result["missing"], [foreign.id, 999999999])

    def test_archived_records_are_read_by_id(self):
        self.partners[2].active = False
        result = self.run_one(read("res.partner", self.partners[2].ids, ["name", "active"]))
        self.assertEqual(result["records"], [{"id": self.partners[2].id, "name": "mcp-2", "active": False}])

    def test_a_filter_on_archived_records_is_not_for_their_relations(self):
        child = self.env["res.partner"].create({"name": "c", "parent_id": self.partners[0].id, "active": False})
        step = search("res.partner", [["id", "=", self.partners[0].id]], ["child_ids"])
        self.assertEqual(self.run_one(step, context={"active_test": False})["records"][0]["child_ids"], [])
        self.assertTrue(child.exists())

    # === Domains ===

    def test_domains_that_are_right(self):
        instant = self.partners[0].create_date.strftime("%Y-%m-%dT%H:%M:%S")
        for domain in (
            [["ref", "=", "mcp-read"], ["name", "like", "mcp-1"]],
            ["&", ["ref", "=", "mcp-read"], "|", ["name", "=", "mcp-1"], ["name", "=", "nobody"]],
            ["!", "|", ["ref", "!=", "mcp-read"], ["name", "!=", "mcp-1"]],
            [["name", "==", "mcp-1"], ["name", "<>", "mcp-2"], ["name", "ILIKE", "MCP-1"], [1, "=", 1]],
            [["id", "in", self.partners[1].ids], ["id", "child_of", self.partners[1].id]],
            [["name", "=", "mcp-1"], ["create_date", ">=", instant + "Z"], ["create_date", "<", "2999-01-01"]],
            [["name", "=", "mcp-1"], ["create_date", "<=", "2999-01-01T00:00:00+02:00"], ["active", "=", True]],
            [["name", "=", "mcp-1"], ["create_date.year_number", ">", 2000], ["parent_id", "=", None]],
            [["name", "=", "mcp-1"], ["user_ids", "not any", [["login", "=", "x"]]], ["category_id", "=", False]],
            [["name", "=", "mcp-1"], ["create_date", ">", "-7d"]],
        ):
            with self.subTest(domain=domain):
                found = self.run_one(search("res.partner", domain))["records"]
                self.assertEqual([row["name"] for row in found], ["mcp-1"])

    def test_an_instant_is_compared_in_utc(self):
        self.env.cr.execute(
            "UPDATE res_partner SET create_date = '2020-06-01 10:00:00' WHERE id = %s", self.partners[0].ids
        )
        for border, expected in [("2020-06-01T12:00:00+02:00", 1), ("2020-06-01T11:59:59+02:00", 0)]:
            domain = [*self.mine, ["create_date", "<=", border]]
            self.assertEqual(self.run_one(search("res.partner", domain))["records"].__len__(), expected, border)

    def test_domains_that_are_wrong(self):
        cases = [
            ([["name", "~", "x"]], ["name", "~", "x"]),
            ([["name", "any!", []]], ["name", "any!", []]),
            ([["child_ids", "any", [["child_ids", "not any!", []]]]], ["child_ids", "not any!", []]),
            ([["name", "any", []]], ["name", "any", []]),
            ([["name", "in", "mcp"]], ["name", "in", "mcp"]),
            ([["name", "=", {"a": 1}]], ["name", "=", {"a": 1}]),
            ([["name", "=", [[1]]]], ["name", "=", [[1]]]),
            ([["name", 5, "x"]], ["name", 5, "x"]),
            ([[5, "=", "x"]], [5, "=", "x"]),
            (["name", "=", "x"], "name"),
            (["&", ["name", "=", "x"]], "&"),
            (["!"], "!"),
            ([["name", "="]], ["name", "="]),
            ([["name", "child_of", 1]], ["name", "child_of", 1]),
            ([["country_id", "<", "x"]], [["country_id", "<", "x"]]),
            ([["create_date", ">", "never"]], ["create_date", ">", "never"]),
            ([["partner_latitude", "=", "north"]], ["partner_latitude", "=", "north"]),
            ([["partner_latitude", "=", "Infinity"]], ["partner_latitude", "=", "Infinity"]),
            ([["partner_latitude", "=", 10**400]], ["partner_latitude", "=", 10**400]),
            ([["create_date", ">", "today -99999999999d"]], ["create_date", ">", "today -99999999999d"]),
            ([["create_date", ">", "2026-13-01T00:00:00Z"]], ["create_date", ">", "2026-13-01T00:00:00Z"]),
            ([["create_date", ">", "9999-12-31T23:59:59-23:59"]], ["create_date", ">", "9999-12-31T23:59:59-23:59"]),
        ]
        for domain, at in cases:
            with self.subTest(domain=domain), mute_logger("odoo.sql_db"):
                fault = self.fault(search("res.partner", domain))
                self.assertEqual(fault.code, "invalid_domain", fault.message)
                self.assertEqual([list(x) if isinstance(x, tuple) else x for x in fault.data["at"]], list(at))
        nested = [["name", "=", "x"]]
        for _level in range(20):
            nested = [["child_ids", "any", nested]]
        self.assertEqual(self.fault(search("res.partner", nested)).code, "invalid_domain")
        self.assertTrue(self.run_one(search("res.partner", ["!"] * 900 + [["name", "=", "mcp-1"]]))["records"])

    def test_what_can_not_be_searched_or_ordered(self):
        fault = self.fault(search("res.partner", [["avatar_128", "!=", False]]))
        self.assert_fault(fault, "invalid_domain", model="res.partner")
        self.assert_fault(self.fault(search("res.partner", order="avatar_128")), "bad_request", at="steps.0.order")
        for order in ("name; drop", "name sideways", "name,", "name asc desc", "(name)"):
            self.assert_fault(self.fault(search("res.partner", order=order)), "bad_request", at="steps.0.order")
        for order in ("name DESC", "country_id.id, name desc nulls last", "  name  "):
            self.assertTrue(self.run_one(search("res.partner", order=order, limit=1))["records"])


@tagged("-at_install", "post_install")
class TestExecutorValues(ReadsCase):
    def test_each_kind_of_value(self):
        belgium = self.env.ref("base.be")
        tag = self.env["res.partner.category"].create({"name": "mcp-tag"})
        partner = self.partners[0]
        partner.write(
            {
                "country_id": belgium.id,
                "category_id": [(6, 0, tag.ids)],
                "image_1920": IMAGE,
                "comment": "<p>Hello</p>",
                "partner_latitude": 1.5,
            }
        )
        self.env.flush_all()
        self.env.cr.execute("UPDATE res_partner SET create_date = '2026-11-20 08:15:30.7' WHERE id = %s", partner.ids)
        self.env.invalidate_all()
        names = ["name", "email", "country_id", "parent_id", "category_id", "child_ids", "create_date", "image_1920"]
        names += ["comment", "partner_latitude", "color", "active", "type", "image_128", "is_company", "lang"]
        row = self.run_one(read("res.partner", partner.ids, names))["records"][0]
        small = row.pop("image_128")
        self.assertEqual(
            row,
            {
                "id": partner.id,
                "name": "mcp-0",
                "email": None,
                "country_id": {"id": belgium.id, "name": "Belgium"},
                "parent_id": None,
                "category_id": tag.ids,
                "child_ids": [],
                "create_date": "2026-11-20T08:15:30Z",
                "image_1920": {"size": len(PNG)},
                "comment": "<p>Hello</p>",
                "partner_latitude": 1.5,
                "color": 0,
                "active": True,
                "type": "contact",
                "is_company": False,
                "lang": row["lang"],
            },
        )
        self.assertGreater(small["size"], 0)
        self.assertIsNone(
            self.run_one(read("res.partner", self.partners[1].ids, ["image_1920"]))["records"][0]["image_1920"]
        )

    def test_the_size_of_binary_content_is_told_without_loading_it(self):
        content = b"x" * 1000
        attachment = self.env["ir.attachment"].create({"name": "mcp.bin", "raw": content, "public": True})
        asked = ["name", "raw", "datas", "file_size"]
        row = self.run_one(read("ir.attachment", attachment.ids, asked))["records"][0]
        self.assertEqual((row["raw"], row["datas"]), ({"size": 1000}, {"size": 1000}))

    def test_the_size_of_content_in_a_column(self):
        exports = self.env["base.language.export"]
        for length in (1, 2, 3, 1000):
            export = exports.create({"name": "x", "data": base64.b64encode(b"y" * length)})
            self.env.flush_all()
            self.assertEqual(binary_size.sizes(export, export._fields["data"]), {export.id: length})
        self.assertEqual(binary_size.sizes(exports.create({"name": "x"}), exports._fields["data"]), {})

    def test_what_is_called_binary_and_holds_something_else_has_no_size(self):
        # as account.move.line.term_key
        self.assertIsNone(binary_size._content_size({"date": "2026-11-22"}))

    def test_ids_of_referred_records_may_be_texts(self):
        # as those of account.root
        row, field = {"id": 1}, self.env["res.partner"]._fields["country_id"]
        self.patch(outputs, "_found", lambda *args: [(row, "40")])
        self.patch(outputs, "names", lambda comodel, ids: dict.fromkeys(ids, "Forty"))
        outputs._add_names([], self.env["res.partner"], field)
        self.assertEqual(row["country_id"], {"id": "40", "name": "Forty"})

    def test_related_content_has_its_size(self):
        self.settings_admin.image_1920 = IMAGE
        row = self.run_one(read("res.users", self.settings_admin.ids, ["image_1920"]))["records"][0]
        self.assertEqual(row["image_1920"], {"size": len(PNG)})

    def test_a_reference_tells_model_id_and_name(self):
        menu = self.env["ir.ui.menu"].create({"name": "mcp-menu"})
        action = self.env["ir.actions.act_window"].create({"name": "mcp-action", "res_model": "res.partner"})
        menu.action = f"ir.actions.act_window,{action.id}"
        row = self.run_one(read("ir.ui.menu", menu.ids, ["action"]))["records"][0]
        self.assertEqual(row["action"], {"model": "ir.actions.act_window", "id": action.id, "name": "mcp-action"})
        menu.action = False
        self.assertIsNone(self.run_one(read("ir.ui.menu", menu.ids, ["action"]))["records"][0]["action"])

    def test_names_of_referred_records_are_fetched_together(self):
        countries = self.env["res.country"].search([], limit=5)
        for partner, country in zip(self.partners, countries, strict=True):
            partner.country_id = country
        step = search("res.partner", self.mine, ["name", "country_id"])
        self.run_one(step)
        self.env.flush_all()
        self.env.invalidate_all()
        queries = []
        self.env.cr.execute("SELECT 1")
        with (
            self.assertQueryCount(6),
            patch.object(threading.current_thread(), "query_hooks", [], create=True) as hooks,
        ):
            hooks.append(lambda _cr, query, *_args: queries.append(str(query)))
            rows = self.run_one(step)["records"]
        self.assertFalse([query for query in queries if "phone_code" in query], "columns that the names don't need")
        self.assertEqual({row["country_id"]["name"] for row in rows}, set(countries.mapped("name")))

    def test_anything_a_method_answers_becomes_plain(self):
        now = datetime(2026, 11, 22, 13, 30)
        cases = [
            (self.partners[:2], {"model": "res.partner", "ids": self.partners[:2].ids}),
            (now, "2026-11-22T13:30:00Z"),
            (now.date(), "2026-11-22"),
            (b"12345", {"size": 5}),
            ({1: (now, {2})}, {"1": ["2026-11-22T13:30:00Z", [2]]}),
            (float("nan"), None),
            (2**70, 2**70),
            (None, None),
        ]
        for value, expected in cases:
            self.assertEqual(outputs.plain(value), expected)
        self.assertIsInstance(outputs.plain(object()), str)


@tagged("-at_install", "post_install")
class TestExecutorGroups(ReadsCase):
    def test_groups_and_sums(self):
        result = self.run_one(group("res.partner", ["color"], ["id:count"], domain=self.mine))
        self.assertEqual(
            result["groups"],
            [{"color": 0, "__count": 3, "id:count": 3}, {"color": 1, "__count": 2, "id:count": 2}],
        )
        self.assertFalse(result["has_more"])
        step = group("res.partner", ["color"], domain=self.mine, limit=1, order="__count desc, color")
        result = self.run_one(step)
        self.assertEqual((result["groups"], result["has_more"]), ([{"color": 0, "__count": 3}], True))
        self.assertEqual(self.run_one({**step, "offset": 1})["groups"], [{"color": 1, "__count": 2}])
        result = self.run_one(group("res.partner", ["color"], domain=self.mine, having=[["__count", ">", 2]]))
        self.assertEqual(result["groups"], [{"color": 0, "__count": 3}])
        self.assertEqual(self.run_one(group("res.partner", [], domain=self.mine))["groups"], [{"__count": 5}])
        nothing = self.run_one(group("res.partner", [], ["color:sum", "active:bool_and"], domain=[["id", "=", 0]]))
        self.assertEqual(nothing["groups"][0]["color:sum"], None)

    def test_dates_become_spans(self):
        self.env.cr.execute("UPDATE res_partner SET create_date = '2026-03-10 12:00:00' WHERE ref = 'mcp-read'")
        step = group("res.partner", ["create_date:month"], domain=self.mine)
        span = self.run_one(step, context={"tz": "UTC"})["groups"][0]["create_date:month"]
        self.assertEqual(span, {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "label": "March 2026"})
        # the clocks change in that month: it begins in winter time and ends in summer time
        span = self.run_one(step, context={"tz": "Europe/Brussels"})["groups"][0]["create_date:month"]
        self.assertEqual((span["from"], span["to"]), ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"))
        step = group("res.partner", ["create_date:month_number"], domain=self.mine)
        self.assertEqual(self.run_one(step)["groups"][0]["create_date:month_number"], 3)

    def test_relations_become_names(self):
        belgium = self.env.ref("base.be")
        self.partners[:2].country_id = belgium
        groups = self.run_one(group("res.partner", ["country_id"], domain=self.mine))["groups"]
        self.assertEqual(groups[0]["country_id"], {"id": belgium.id, "name": "Belgium"})
        self.assertIsNone(groups[1]["country_id"])
        groups = self.run_one(group("res.partner", ["country_id.code"], domain=self.mine))["groups"]
        self.assertEqual({row["country_id.code"] for row in groups}, {"BE", None})

    def test_groupings_that_are_wrong(self):
        for step, at in [
            (group("res.partner", ["create_date"]), "groupby"),
            (group("res.partner", ["create_date:decade"]), "groupby"),
            (group("res.partner", ["name:month"]), "groupby"),
            (group("res.partner", ["avatar_128"]), "groupby"),
            (group("res.partner", [], ["color"]), "aggregates"),
            (group("res.partner", [], ["color:explode"]), "aggregates"),
            (group("res.partner", ["color"], order="name"), "order"),
            (group("res.partner", ["color"], having=[["__count", "like", 2]]), "having"),
            (group("res.partner", ["color"], having=["x"]), "having"),
            (group("res.partner", ["color"], having=["&", ["__count", ">", 2]]), "having"),
        ]:
            with self.subTest(step=step), mute_logger("odoo.sql_db"):
                self.assert_fault(self.fault(step), "bad_request", at=f"steps.0.{at}")
        never = ["create_date", ">", "never"]
        self.assert_fault(self.fault(group("res.partner", ["color"], domain=[never])), "invalid_domain", at=never)


@tagged("-at_install", "post_install")
class TestExecutorTraverse(ReadsCase):
    def test_relations_are_followed(self):
        parent = self.partners[0]
        tag = self.env["res.partner.category"].create({"name": "mcp-tag"})
        children = self.env["res.partner"].create(
            [{"name": f"child-{i}", "parent_id": parent.id, "category_id": [(6, 0, tag.ids)]} for i in range(3)]
        )
        result = self.run_one(traverse("res.partner", parent.ids, ["child_ids", "category_id"]))
        self.assertEqual(result["model"], "res.partner.category")
        self.assertEqual(
            result["trail"],
            [
                {"field": "child_ids", "model": "res.partner", "count": 3},
                {"field": "category_id", "model": "res.partner.category", "count": 1},
            ],
        )
        self.assertEqual(result["records"], [{"id": tag.id, "name": "mcp-tag"}])
        step = traverse("res.partner", parent.ids, ["child_ids"], domain=[["name", "!=", "child-1"]], limit=1)
        result = self.run_one(step)
        self.assertEqual((len(result["records"]), result["has_more"]), (1, True))
        self.assertEqual(result["trail"][0]["count"], len(children))

    def test_rights_hold_at_every_step(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        hidden = self.env["res.partner"].create({"name": "mcp-hidden", "company_id": company.id})
        tag = self.env["res.partner.category"].create(
            {"name": "t", "partner_ids": [(6, 0, (hidden + self.partners[0]).ids)]}
        )
        result = self.run_one(traverse("res.partner.category", tag.ids, ["partner_ids"]))
        self.assertEqual([row["id"] for row in result["records"]], self.partners[0].ids)
        self.assertEqual(result["trail"][0]["count"], 1)
        fault = self.fault(traverse("res.partner", hidden.ids, ["category_id"]))
        self.assert_fault(fault, "not_found", model="res.partner", ids=hidden.ids)
        fault = self.fault(traverse("res.users", self.user.ids, ["log_ids"]), proof=self.user_proof)
        self.assert_fault(fault, "access_denied", model="res.users.log")
