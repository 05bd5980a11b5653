"""Pages: each row once and none left out, whatever the order, and whatever the model filters behind its query."""

from odoo.tests import tagged

from .gateway_common import GatewayCase, call, search


def named(model, name, limit=20, offset=0, domain=()):
    step = {"op": "name_search", "model": model, "name": name, "domain": list(domain)}
    return {**step, "limit": limit, "offset": offset}


def grouped(model, groupby, aggregates=(), domain=(), **changes):
    step = {"op": "read_group", "model": model, "domain": list(domain), "groupby": list(groupby)}
    step |= {"aggregates": list(aggregates), "having": [], "limit": 80, "offset": 0, "order": None}
    return {**step, **changes}


class PagesCase(GatewayCase):
    """Follows pages to their end."""

    def rows_of(self, step, member="records", key="id", **changes):
        found, offset, has_more = [], 0, True
        while has_more:
            page = self.run_one({**step, "offset": offset}, **changes)
            found += [row[key] if key else row for row in page[member]]
            offset, has_more = len(found), page["has_more"]
            self.assertTrue(page[member] or not has_more, "a page that says that there is more shows some")
        return found

    def assert_each_once(self, found, expected):
        self.assertEqual(len(found), len(set(found)), "no row twice")
        self.assertEqual(set(found), set(expected))


@tagged("-at_install", "post_install")
class TestTotalOrder(PagesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        parents = cls.env["res.partner"].create([{"name": "mcp-same", "ref": "mcp-parent"} for _index in range(4)])
        cls.partners = cls.env["res.partner"].create(
            [
                {"name": "mcp-page", "ref": "mcp-page", "color": index % 2, "parent_id": parents[index % 4].id}
                for index in range(60)
            ]
        )
        # rows that were written last come last in the table, so that an order of ties shows
        cls.partners[::3].comment = "moved"
        cls.env.flush_all()
        cls.mine = [["ref", "=", "mcp-page"]]

    def test_each_row_is_on_one_page(self):
        orders = (
            "color",
            "color desc",
            "name",
            "parent_id",
            "parent_id desc nulls last",
            "city nulls first",
            "ref, name",
        )
        for order in (*orders, "active", "id desc", "is_company desc, id"):
            with self.subTest(order=order):
                step = search("res.partner", self.mine, limit=7, order=order)
                self.assert_each_once(self.rows_of(step), self.partners.ids)

    def test_ties_are_ordered_by_id(self):
        found = self.rows_of(search("res.partner", self.mine, limit=7, order="color desc"))
        self.assertEqual(found, [*self.partners[1::2].ids, *self.partners[::2].ids])
        self.assertEqual(
            self.rows_of(search("res.partner", self.mine, limit=9, order="color, id desc"))[:3],
            self.partners[::2].ids[:-4:-1],
        )

    def test_the_models_own_order_is_made_total(self):
        self.patch(type(self.env["res.partner"]), "_order", "color")
        found = self.rows_of(search("res.partner", self.mine, limit=7))
        self.assertEqual(found, [*self.partners[::2].ids, *self.partners[1::2].ids])

    def test_what_is_found_by_name_has_pages(self):
        self.patch(type(self.env["res.partner"]), "_order", "color")
        step = named("res.partner", "mcp-page", limit=7, domain=self.mine)
        self.assert_each_once(self.rows_of(step), self.partners.ids)
        first = self.run_one(
            {"op": "name_search", "model": "res.partner", "name": "mcp-page", "domain": [], "limit": 7}
        )
        self.assertEqual([row["id"] for row in first["records"]], self.partners[::2].ids[:7], "without an offset")
        fault = self.fault({**step, "offset": 10_000})
        self.assert_fault(fault, "bad_request", at="steps.0.offset")

    def test_methods_of_the_orm_page_as_well(self):
        found = []
        for offset in range(0, 60, 7):
            kwargs = {"domain": self.mine, "offset": offset, "limit": 7, "order": "color"}
            found += self.run_one(call("res.partner", "search", **kwargs))["result"]["ids"]
        self.assert_each_once(found, self.partners.ids)

    def test_each_group_is_on_one_page(self):
        # alike in what they are ordered by: parents of one name, parts of one size
        cases = [
            (["parent_id"], "__count desc"),
            (["parent_id"], "parent_id"),
            (["parent_id", "color"], "__count"),
            (["create_date:day", "parent_id"], "create_date:day desc"),
            (["id"], "__count desc"),
        ]
        for groupby, order in cases:
            with self.subTest(groupby=groupby, order=order):
                step = grouped("res.partner", groupby, domain=self.mine, limit=3, order=order)
                pages = self.rows_of(step, "groups", None)
                whole = self.run_one({**step, "limit": 1000})["groups"]
                self.assertEqual(pages, whole)
                keys = [str([row[spec] for spec in groupby]) for row in pages]
                self.assertEqual(len(keys), len(set(keys)))

    def test_an_order_is_read_in_every_form(self):
        names = {"mcp-a": "x", "mcp-b": None, "mcp-c": "y"}
        self.env["res.partner"].create(
            [{"name": name, "city": city, "ref": "mcp-forms"} for name, city in names.items()]
        )
        for order, expected in [
            ("name:desc", "cba"),
            ("name:DESC", "cba"),
            ("-name", "cba"),
            ("+name", "abc"),
            ("name:asc", "abc"),
            ("name DESC NULLS LAST", "cba"),
            ("city desc nulls last", "cab"),
            ("city nulls first", "bac"),
            ("active desc, -name", "cba"),
        ]:
            with self.subTest(order=order):
                rows = self.run_one(search("res.partner", [["ref", "=", "mcp-forms"]], order=order))["records"]
                self.assertEqual([row["name"][-1] for row in rows], list(expected))
        for order in ("name:down", "-name desc", "create_date:month desc", "name desc desc", "--name", "name:"):
            with self.subTest(order=order):
                fault = self.fault(search("res.partner", order=order))
                self.assert_fault(fault, "bad_request", at="steps.0.order")
        step = grouped("res.partner", ["color"], domain=self.mine)
        for order, expected in [("-color", [1, 0]), ("color:desc", [1, 0]), ("color", [0, 1])]:
            groups = self.run_one({**step, "order": order})["groups"]
            self.assertEqual([row["color"] for row in groups], expected, order)
        self.assert_fault(self.fault({**step, "order": "name desc"}), "bad_request", at="steps.0.order")

    def test_other_code_is_ordered_as_ever(self):
        query = self.env["res.partner"]._search(self.mine, order="color")
        self.assertEqual(str(query.order.code).count("id"), 0)


@tagged("-at_install", "post_install")
class TestFilteredModels(PagesCase):
    """Messages and activities are filtered by who may read their document, after the query has been cut."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.employee_proof = cls.proof_of(cls.employee)
        cls.open, cls.closed = cls.env["res.partner"].create([{"name": "mcp-open"}, {"name": "mcp-closed"}])
        cls.rule = cls.env["ir.rule"].create(
            {
                "name": "not the closed one",
                "model_id": cls.env["ir.model"]._get_id("res.partner"),
                "domain_force": f"[('id', '!=', {cls.closed.id})]",
            }
        )
        note = cls.env.ref("mail.mt_note").id
        values = {"model": "res.partner", "message_type": "comment", "subtype_id": note, "author_id": False}
        cls.messages = cls.env["mail.message"].create(
            [
                {**values, "res_id": (cls.closed if index % 5 else cls.open).id, "body": f"mcp-filtered {index}"}
                for index in range(250)
            ]
        )
        cls.mine = [["id", "in", cls.messages.ids]]
        cls.seen = cls.messages[::5].ids
        cls.env.flush_all()

    def test_messages_are_all_found(self):
        for order in (None, "id", "date", "subject"):
            with self.subTest(order=order):
                step = search("mail.message", self.mine, ["id"], limit=20, order=order, total=True)
                page = self.run_one(step, proof=self.employee_proof)
                self.assertEqual((len(page["records"]), page["has_more"], page["total"]), (20, True, 50))
                self.assert_each_once(self.rows_of(step, proof=self.employee_proof), self.seen)
        last = self.run_one({**step, "offset": 45}, proof=self.employee_proof)
        self.assertEqual((len(last["records"]), last["has_more"], last["total"]), (5, False, 50))
        beyond = self.run_one({**step, "offset": 500}, proof=self.employee_proof)
        self.assertEqual((beyond["records"], beyond["has_more"], beyond["total"]), ([], False, 50))

    def test_pages_that_are_full_before_the_filter_count_as_after_it(self):
        values = {"model": "res.partner", "message_type": "comment", "author_id": False}
        values["subtype_id"] = self.env.ref("mail.mt_note").id
        hidden = range(3, 60, 20)
        messages = self.env["mail.message"].create(
            [{**values, "res_id": (self.closed if index in hidden else self.open).id} for index in range(60)]
        )
        self.env.flush_all()
        expected = [message.id for index, message in enumerate(messages) if index not in hidden]
        step = search("mail.message", [["id", "in", messages.ids]], ["id"], limit=7, order="id")
        self.assertEqual(self.rows_of(step, proof=self.employee_proof), expected)

    def test_messages_are_counted_and_read_by_their_document(self):
        count = {"op": "search_count", "model": "mail.message", "domain": self.mine}
        self.assertEqual(self.run_one(count, proof=self.employee_proof), {"count": 50})
        step = {"op": "traverse", "model": "res.partner", "ids": self.open.ids, "path": ["message_ids"]}
        step |= {"fields": ["id"], "domain": self.mine, "limit": 20}
        page = self.run_one(step, proof=self.employee_proof)
        self.assertEqual((len(page["records"]), page["has_more"]), (20, True))
        self.assertEqual(
            self.run_one(grouped("mail.message", ["model"], domain=self.mine), proof=self.employee_proof)["groups"][0][
                "__count"
            ],
            50,
        )

    def test_activities_are_all_found(self):
        # a partner's activities are seen by who may change the partner
        self.employee.group_ids += self.env.ref("base.group_partner_manager")
        values = {"res_model_id": self.env["ir.model"]._get_id("res.partner"), "user_id": self.settings_admin.id}
        activities = self.env["mail.activity"].create(
            [{**values, "res_id": (self.closed if index % 5 else self.open).id} for index in range(150)]
        )
        self.env.flush_all()
        step = search(
            "mail.activity", [["id", "in", activities.ids]], ["id"], limit=7, order="date_deadline", total=True
        )
        page = self.run_one(step, proof=self.employee_proof)
        self.assertEqual((len(page["records"]), page["has_more"], page["total"]), (7, True, 30))
        self.assert_each_once(self.rows_of(step, proof=self.employee_proof), activities[::5].ids)

    def test_models_that_filter_in_the_query_go_on_as_before(self):
        step = search("product.product", [], ["id"], limit=3, total=True)
        found = self.rows_of(step)
        self.assertEqual(len(found), self.run_one(step)["total"])
