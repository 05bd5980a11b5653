"""Reading what larger applications keep, on a database that has them (`deploy/dev test-addon --modules full`)."""

from odoo.tests import tagged
from odoo.tools import mute_logger

from .gateway_common import GatewayCase, search
from .test_reading_filtered_pages import grouped


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestMoreModules(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss = cls.env.ref("base.user_admin")
        cls.boss_proof = cls.proof_of(cls.boss)

    def test_the_database_has_demo_data_of_each_application(self):
        for model in ("account.move", "stock.quant", "purchase.order", "crm.lead", "project.task", "hr.employee"):
            with self.subTest(model=model):
                step = {"op": "search_count", "model": model, "domain": []}
                self.assertGreater(self.run_one(step, proof=self.boss_proof)["count"], 0)

    def read_as_boss(self, step, **changes):
        return self.run_one(step, proof=self.boss_proof, **changes)

    # === Orders ===

    def test_each_row_is_on_one_page(self):
        for model, order in [
            ("account.move.line", "account_id"),
            ("account.move.line", "debit desc"),
            ("account.move", "state, partner_id desc"),
            ("stock.quant", "location_id"),
            ("stock.move", "product_id desc nulls last"),
            ("purchase.order.line", "product_id"),
            ("crm.lead", "stage_id"),
            ("project.task", "priority"),
            ("hr.employee", "department_id"),
            ("calendar.event", "allday"),
            ("product.product", "categ_id"),
            ("account.account", "account_type"),
            ("account.account", None),
            ("mail.message", "model"),
            ("ir.attachment", "res_model"),
            ("purchase.bill.union", "partner_id"),
        ]:
            with self.subTest(model=model, order=order):
                step = search(model, fields=["id"], limit=7, order=order, total=True)
                found, has_more = [], True
                while has_more and len(found) < 150:
                    page = self.read_as_boss({**step, "offset": len(found)})
                    found += [row["id"] for row in page["records"]]
                    has_more = page["has_more"]
                self.assertEqual(len(found), len(set(found)))
                if not has_more:
                    self.assertEqual(len(found), page["total"])

    def test_each_group_is_on_one_page(self):
        for model, groupby, order in [
            ("account.move.line", ["account_id"], "__count desc"),
            ("sale.order", ["partner_id"], "__count"),
            ("crm.lead", ["stage_id", "user_id"], "__count desc"),
            ("project.task", ["tag_ids"], "__count desc"),
        ]:
            with self.subTest(model=model):
                step = grouped(model, groupby, limit=2, order=order)
                found, has_more = [], True
                while has_more:
                    page = self.read_as_boss({**step, "offset": len(found)})
                    found += page["groups"]
                    has_more = page["has_more"]
                keys = [str([row[spec] for spec in groupby]) for row in found]
                self.assertEqual(len(keys), len(set(keys)))

    def test_messages_are_counted_as_this_user_sees_them(self):
        page = self.read_as_boss(search("mail.message", fields=["id"], limit=50, total=True))
        self.assertTrue(page["has_more"])
        messages = self.env["mail.message"].with_user(self.boss)
        self.assertEqual(page["total"], len(messages.search([])))

    # === Values ===

    def test_totals_of_an_invoice_are_data(self):
        move = self.env["account.move"].search([("move_type", "=", "out_invoice")], limit=1)
        [row] = self.read_as_boss(search("account.move", [["id", "=", move.id]], ["tax_totals", "amount_total"]))[
            "records"
        ]
        self.assertEqual(row["tax_totals"]["total_amount_currency"], row["amount_total"])
        order = self.env["sale.order"].search([("order_line", "!=", False)], limit=1)
        [row] = self.read_as_boss(search("sale.order", [["id", "=", order.id]], ["tax_totals", "amount_total"]))[
            "records"
        ]
        self.assertEqual(row["tax_totals"]["total_amount_currency"], row["amount_total"])

    def test_json_is_read_as_it_is(self):
        plan = self.env["account.analytic.plan"].create({"name": "mcp"})
        account = self.env["account.analytic.account"].create({"name": "mcp", "plan_id": plan.id})
        lines = self.env["sale.order.line"].search([("display_type", "=", False)], limit=2)
        lines[0].analytic_distribution = {str(account.id): 100}
        lines[1].analytic_distribution = False
        step = {"op": "read", "model": "sale.order.line", "ids": lines.ids, "fields": ["analytic_distribution"]}
        rows = self.read_as_boss(step)["records"]
        self.assertEqual([row["analytic_distribution"] for row in rows], [{str(account.id): 100}, None])

    @mute_logger("odoo.sql_db", "odoo.addons.mcp_sidecar.gateway.reading.partial_read")
    def test_fields_that_fail_are_left_out(self):
        found = self.read_as_boss(search("project.project", fields=["name", "is_rotting"], limit=2))
        self.assertIn("name", found["records"][0])
        # a view of Odoo's own whose field is no column
        found = self.read_as_boss(search("vendor.delay.report", fields=["qty_total", "on_time_rate"], limit=2))
        self.assertIn("qty_total", found["records"][0])
        self.assertEqual(
            (found["skipped_fields"], list(found["skipped_reasons"])), (["on_time_rate"], ["on_time_rate"])
        )
        invoiced = search("account.move", [["move_type", "=", "out_invoice"]], ["name", "matched_payment_ids"], limit=2)
        self.assertIn("name", self.read_as_boss(invoiced)["records"][0])
        # computing this one changes other lines of the invoice
        lines = self.read_as_boss(search("account.move.line", fields=["name", "parent_id"], limit=2))
        self.assertIn("name", lines["records"][0])
        self.assertEqual(lines["skipped_fields"], ["parent_id"])

    def test_rows_of_views_may_have_negative_ids(self):
        rows = self.read_as_boss(search("purchase.bill.union", fields=["name"], limit=50))["records"]
        [negative] = [row for row in rows if row["id"] < 0][:1]
        step = {"op": "read", "model": "purchase.bill.union", "ids": [negative["id"]], "fields": ["name"]}
        self.assertEqual(self.read_as_boss(step)["records"], [negative])
        self.assertEqual(self.fault({**step, "ids": [0]}, proof=self.boss_proof).code, "bad_request")

    # === Conditions ===

    def test_conditions_that_odoo_drops_are_refused(self):
        for model, condition in [
            ("res.partner", ["credit", "=", 5]),
            ("res.partner", ["debit", "=", "nope"]),
            ("account.move", ["partner_id.credit", "in", [5]]),
            ("account.full.reconcile", ["display_name", "ilike", "zzz"]),
            ("account.move.line", ["full_reconcile_id", "=", "zzz"]),
            ("hr.employee", ["image_1920", "=", "abc"]),
            ("account.move", ["invoice_pdf_report_file", "ilike", "abc"]),
            ("account.lock_exception", ["state", "=", "nope"]),
        ]:
            with self.subTest(model=model, condition=condition):
                fault = self.fault(search(model, [condition], ["id"]), proof=self.boss_proof)
                self.assertEqual(fault.code, "invalid_domain", fault.message)
        step = {"op": "search_count", "model": "res.partner"}
        some = self.read_as_boss({**step, "domain": [["credit", ">", 0]]})["count"]
        every = self.read_as_boss({**step, "domain": []})["count"]
        self.assertTrue(0 < some < every)
        self.assertGreater(self.read_as_boss({**step, "domain": [["image_1920", "!=", False]]})["count"], 0)

    # === Groups ===

    def test_hours_are_told_apart(self):
        self.boss.tz = "UTC"
        events = (
            self.env["calendar.event"]
            .with_user(self.boss)
            .create(
                [
                    {"name": "mcp-hours", "start": f"2026-11-28 {hour}:15:00", "stop": f"2026-11-28 {hour}:45:00"}
                    for hour in ("11", "23")
                ]
            )
        )
        step = grouped("calendar.event", ["start:hour"], domain=[["id", "in", events.ids]])
        labels = [row["start:hour"]["label"] for row in self.read_as_boss(step)["groups"]]
        self.assertEqual(labels, ["11:00 28 Nov", "23:00 28 Nov"])
        labels = [
            row["start:hour"]["label"] for row in self.read_as_boss(step, context={"tz": "Asia/Kolkata"})["groups"]
        ]
        self.assertTrue(labels[1].startswith("04:"), labels)

    def test_what_has_no_date_has_none(self):
        lead = self.env["crm.lead"].create({"name": "mcp-undated", "type": "opportunity"})
        for spec in ("date_deadline:month", "date_deadline:day_of_week", "date_closed:hour", "date_closed:hour_number"):
            step = grouped("crm.lead", [spec], domain=[["id", "=", lead.id]])
            self.assertEqual(self.read_as_boss(step)["groups"], [{spec: None, "__count": 1}])

    def test_sums_of_several_currencies_say_so(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        pricelist = self.env["product.pricelist"].create({"name": "mcp", "currency_id": euro.id})
        partner = self.env["res.partner"].create({"name": "mcp-currencies"})
        orders = self.env["sale.order"].create(
            [{"partner_id": partner.id}, {"partner_id": partner.id, "pricelist_id": pricelist.id}]
        )
        mine = [["id", "in", orders.ids]]
        for function in ("sum", "avg", "max"):
            [note] = self.read_as_boss(grouped("sale.order", [], [f"amount_total:{function}"], mine))["notes"]
            self.assertIn("EUR, USD", note)
        self.assertIn("notes", self.read_as_boss(grouped("sale.order", ["partner_id"], ["amount_total:sum"], mine)))
        for quiet in (
            grouped("sale.order", ["currency_id"], ["amount_total:sum"], mine),
            grouped("sale.order", [], ["amount_total:sum"], [["id", "=", orders[0].id]]),
            grouped("sale.order", [], ["id:count"], mine),
            grouped("sale.order", [], [], mine),
        ):
            self.assertNotIn("notes", self.read_as_boss(quiet))
        rows = self.read_as_boss(
            grouped("sale.order", [], ["amount_total:sum", "currency_id:array_agg_distinct"], mine)
        )["groups"]
        self.assertEqual(set(rows[0]), {"__count", "amount_total:sum", "currency_id:array_agg_distinct"})
        rows = self.read_as_boss(grouped("sale.order", [], ["amount_total:sum"], mine))["groups"]
        self.assertEqual(set(rows[0]), {"__count", "amount_total:sum"})


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestPropertyConditions(GatewayCase):
    """Properties are searched and grouped by their own type."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss = cls.env.ref("base.user_admin")
        cls.boss.tz = "Europe/Brussels"
        cls.boss_proof = cls.proof_of(cls.boss)
        cls.project = cls.env["project.project"].create({"name": "mcp-properties"})
        cls.first, cls.second = cls.env["res.partner"].create([{"name": "mcp-first"}, {"name": "mcp-second"}])
        options = {"selection": [["a", "Alpha"], ["b", "Beta"]], "tags": [["x", "Xray", 1], ["y", "Yankee", 2]]}
        cls.project.task_properties_definition = [
            {"name": "due", "string": "Due", "type": "date"},
            {"name": "at", "string": "At", "type": "datetime"},
            {"name": "size", "string": "Size", "type": "selection", "selection": options["selection"]},
            {"name": "marks", "string": "Marks", "type": "tags", "tags": options["tags"]},
            {"name": "who", "string": "Who", "type": "many2one", "comodel": "res.partner"},
            {"name": "all", "string": "All", "type": "many2many", "comodel": "res.partner"},
            {"name": "number", "string": "Number", "type": "integer"},
            {"name": "done", "string": "Done", "type": "boolean"},
            {"name": "note", "string": "Note", "type": "char"},
        ]
        both = (cls.first + cls.second).ids
        cls.tasks = cls.env["project.task"].create(
            [{"name": f"mcp-{index}", "project_id": cls.project.id} for index in "012"]
        )
        given = [
            ["2026-11-28", "2026-11-28 22:30:00", "a", ["x", "y"], both[0], both, 0, True, "hello"],
            ["2026-10-01", "2026-11-28 23:30:00", "b", ["y"], both[1], both[:1], 7, False, "falsehood"],
        ]
        names = ["due", "at", "size", "marks", "who", "all", "number", "done", "note"]
        for task, values in zip(cls.tasks, given, strict=False):
            task.task_properties = dict(zip(names, values, strict=True))
        # the third has none at all
        cls.env.flush_all()

    def found(self, name, operator, value, **changes):
        domain = [[f"task_properties.{name}", operator, value], ["id", "in", self.tasks.ids]]
        rows = self.run_one(search("project.task", domain, ["id"]), proof=self.boss_proof, **changes)["records"]
        return sorted(self.tasks.ids.index(row["id"]) for row in rows)

    def test_dates(self):
        for name, operator, value, expected in [
            ("due", "=", "2026-11-28", [0]),
            ("due", "!=", "2026-11-28", [1, 2]),
            ("due", ">=", "2026-11-01", [0]),
            ("due", "<", "2026-11-01", [1]),
            ("due", "<", "today +9999d", [0, 1]),
            ("due", "<", "2026-10-01", []),
            ("due", "=", False, [2]),
            ("due", "!=", False, [0, 1]),
            ("at", "=", "2026-11-28", [0]),
            ("at", "=", "2026-11-29", [1]),
            ("at", "!=", "2026-11-29", [0, 2]),
            ("at", ">", "2026-11-28", [1]),
            ("at", "<=", "2026-11-28", [0]),
            ("at", ">", "2026-11-29T00:00:00+01:00", [1]),
            ("at", "=", "2026-11-28T22:30:00Z", [0]),
            ("at", ">=", "2026-11-28 22:30:00", [0, 1]),
        ]:
            with self.subTest(name=name, operator=operator, value=value):
                self.assertEqual(self.found(name, operator, value), expected)
        self.assertEqual(self.found("at", "=", "2026-11-28", context={"tz": "UTC"}), [0, 1])

    def test_options_and_records(self):
        first, second = self.first.id, self.second.id
        for name, operator, value, expected in [
            ("size", "=", "a", [0]),
            ("size", "=", "Alpha", [0]),
            ("size", "!=", "a", [1, 2]),
            ("size", "ilike", "bet", [1]),
            ("size", "in", ["a", "b"], [0, 1]),
            ("marks", "=", "Xray", [0]),
            ("marks", "in", ["x", "y"], [0, 1]),
            ("marks", "not in", ["x"], [1, 2]),
            ("who", "=", first, [0]),
            ("who", "in", [first, second], [0, 1]),
            ("who", "=", "mcp-second", [1]),
            ("who", "ilike", "MCP-", [0, 1]),
            ("who", "not ilike", "first", [1, 2]),
            ("who", "=", False, [2]),
            ("all", "in", [second], [0]),
            ("all", "in", [first, second], [0, 1]),
            ("all", "ilike", "nobody of that name", []),
        ]:
            with self.subTest(name=name, operator=operator, value=value):
                self.assertEqual(self.found(name, operator, value), expected)

    def test_numbers_texts_and_flags(self):
        for name, operator, value, expected in [
            ("number", "=", 0, [0]),
            ("number", "!=", 0, [1, 2]),
            ("number", "=", 1, []),
            ("number", "=", "7", [1]),
            ("number", "in", [0, 7], [0, 1]),
            ("number", ">", -1, [0, 1]),
            ("number", ">=", 7, [1]),
            ("number", "=", False, [2]),
            ("done", "=", True, [0]),
            ("done", "=", False, [1, 2]),
            ("done", "!=", True, [1, 2]),
            ("note", "=", "hello", [0]),
            ("note", "!=", "hello", [1, 2]),
            ("note", "ilike", "AL", [1]),
            ("note", "not ilike", "ell", [1, 2]),
            ("note", "=", False, [2]),
        ]:
            with self.subTest(name=name, operator=operator, value=value):
                self.assertEqual(self.found(name, operator, value), expected)

    def test_what_does_not_fit_is_refused(self):
        for name, operator, value in [
            ("due", "=", "soon"),
            ("due", "ilike", "2026"),
            ("at", ">", 5),
            ("size", "=", "c"),
            ("size", ">", "a"),
            ("marks", "in", ["x", "z"]),
            ("who", "=", str(self.first.id)),
            ("who", "child_of", self.first.id),
            ("number", "=", "many"),
            ("number", "ilike", "7"),
            ("number", "=", True),
            ("done", "=", "nope"),
            ("note", "ilike", ""),
            ("note", "ilike", None),
            ("note", ">", None),
        ]:
            with self.subTest(name=name, operator=operator, value=value):
                step = search("project.task", [[f"task_properties.{name}", operator, value]], ["id"])
                self.assertEqual(self.fault(step, proof=self.boss_proof).code, "invalid_domain")

    def test_properties_behind_a_relation(self):
        domain = [["task_ids.task_properties.at", "=", "2026-11-29"], ["id", "=", self.project.id]]
        rows = self.run_one(search("project.project", domain, ["id"]), proof=self.boss_proof)["records"]
        self.assertEqual(rows, [{"id": self.project.id}])
        domain[0][2] = "2026-11-30"
        rows = self.run_one(search("project.project", domain, ["id"]), proof=self.boss_proof)["records"]
        self.assertEqual(rows, [])

    def groups(self, spec):
        spec = f"task_properties.{spec}"
        step = grouped("project.task", [spec], domain=[["id", "in", self.tasks.ids]])
        rows = self.run_one(step, proof=self.boss_proof)["groups"]
        return [(row[spec], row["__count"]) for row in rows]

    def test_groups(self):
        october = {"from": "2026-10-01", "to": "2026-11-01", "label": "October 2026"}
        november = {"from": "2026-11-01", "to": "2026-12-01", "label": "November 2026"}
        self.assertEqual(self.groups("due:month"), [(october, 1), (november, 1), (None, 1)])
        day = {"from": "2026-11-28T00:00:00Z", "to": "2026-11-29T00:00:00Z", "label": "28 Nov 2026 UTC"}
        self.assertEqual(self.groups("at:day"), [(day, 2), (None, 1)])
        self.assertEqual(self.groups("size"), [("a", 1), ("b", 1), (None, 1)])
        xray, yankee = {"id": "x", "name": "Xray"}, {"id": "y", "name": "Yankee"}
        self.assertEqual(self.groups("marks"), [(xray, 1), (yankee, 2), (None, 1)])
        names = [group and group["name"] for group, _count in self.groups("who")]
        self.assertEqual(sorted(names, key=str), [None, "mcp-first", "mcp-second"])
        self.assertEqual(sorted(self.groups("number"), key=str), sorted([(0, 1), (7, 1), (None, 1)], key=str))
        self.assertEqual(self.groups("done"), [(False, 2), (True, 1)])
        for spec in ("due", "due:hour", "due:year_number", "at", "at:hour", "note:month", "number:day"):
            step = grouped("project.task", [f"task_properties.{spec}"])
            fault = self.fault(step, proof=self.boss_proof)
            self.assert_fault(fault, "bad_request", at="steps.0.groupby")
