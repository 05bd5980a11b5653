"""Records that are called the same in one answer come with their company."""

from odoo.tests import tagged

from ..gateway.auth import credentials
from .gateway_common import GatewayCase, call, create, search, write


class AlikeCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one, cls.two = cls.env["res.company"].create([{"name": "Alike One"}, {"name": "Alike Two"}])
        cls.settings_admin.company_ids += cls.one + cls.two
        cls.twins = cls.env["res.partner"].create(
            [{"name": "Azure twin", "company_id": company.id} for company in (cls.one, cls.two)]
        )
        cls.companies = {cls.twins[0].id: "Alike One", cls.twins[1].id: "Alike Two"}

    def found(self, rows):
        return {row["id"]: row.get("company") for row in rows}


@tagged("post_install", "-at_install")
class TestAlike(AlikeCase):
    def name_search(self, **changes):
        step = {"op": "name_search", "model": "res.partner", "name": "Azure twin", "domain": [], "limit": 20}
        return self.run_one({**step, **changes})["records"]

    def test_candidates_of_a_name(self):
        self.assertEqual(self.found(self.name_search()), self.companies)

    def test_rows(self):
        domain = [("id", "in", self.twins.ids)]
        for names in (["display_name"], ["complete_name", "email"]):
            rows = self.run_one(search("res.partner", domain, names))["records"]
            self.assertEqual(self.found(rows), self.companies)

    def test_rows_that_have_their_company_are_left_alone(self):
        rows = self.run_one(search("res.partner", [("id", "in", self.twins.ids)], ["name", "company_id"]))["records"]
        self.assertEqual(self.found(rows), dict.fromkeys(self.twins.ids))
        self.assertNotIn("company", rows[0])

    def test_links(self):
        children = self.env["res.partner"].create(
            [{"name": f"Child {twin.id}", "parent_id": twin.id, "type": "other"} for twin in self.twins]
        )
        rows = self.run_one(search("res.partner", [("id", "in", children.ids)], ["parent_id"]))["records"]
        self.assertEqual(self.found([row["parent_id"] for row in rows]), self.companies)
        groups = self.run_one(
            {
                "op": "read_group",
                "model": "res.partner",
                "domain": [("id", "in", children.ids)],
                "groupby": ["parent_id"],
                "aggregates": [],
                "having": [],
                "limit": 80,
                "offset": 0,
                "order": None,
            }
        )["groups"]
        self.assertEqual(self.found([group["parent_id"] for group in groups]), self.companies)

    def test_links_of_several_fields(self):
        user = self.env["res.users"].create(
            {"name": "Azure twin", "login": "mcp-alike", "company_id": self.one.id, "company_ids": self.one.ids}
        )
        user.partner_id.company_id = self.one
        child = self.env["res.partner"].create({"name": "Child", "parent_id": self.twins[1].id, "type": "other"})
        rows = self.run_one(
            search("res.partner", [("id", "in", (child + user.partner_id).ids)], ["display_name", "parent_id"])
        )["records"]
        parent = next(row["parent_id"] for row in rows if row["id"] == child.id)
        itself = next(row for row in rows if row["id"] == user.partner_id.id)
        self.assertEqual((parent["company"], itself["company"]), ("Alike Two", "Alike One"))

    def test_one_that_belongs_to_all_companies(self):
        shared = self.env["res.partner"].create({"name": "Azure twin"})
        found = self.name_search()
        self.assertEqual(self.found(found), {**self.companies, shared.id: None})
        self.assertTrue(all("company" in row for row in found))

    def test_changes(self):
        rows = self.run_one(write("res.partner", self.twins.ids, comment="x"), mode="write")["records"]
        self.assertEqual(self.found(rows), self.companies)
        rows = self.run_one(call("res.partner", "action_archive", self.twins.ids), mode="run")["records"]
        self.assertEqual(self.found(rows), self.companies)
        rows = self.run_one({"op": "unlink", "model": "res.partner", "ids": self.twins.ids}, mode="write")["records"]
        self.assertEqual(self.found(rows), self.companies)
        made = create("res.partner", *({"name": "Azure", "company_id": company.id} for company in (self.one, self.two)))
        rows = self.run_one(made, mode="write")["records"]
        self.assertEqual([row["company"] for row in rows], ["Alike One", "Alike Two"])

    def test_records_that_are_called_like_another(self):
        settings = self.env["res.users.settings"]._find_or_create_for_user(self.settings_admin)
        rows = self.run_one(search("res.users.settings", [("id", "=", settings.id)], ["user_id"]))["records"]
        self.assertEqual(rows[0]["user_id"]["id"], self.settings_admin.id)

    def test_names_that_differ_are_left_alone(self):
        self.twins[1].name = "Azure other"
        rows = self.run_one(search("res.partner", [("id", "in", self.twins.ids)], ["display_name"]))["records"]
        self.assertEqual([row.keys() for row in rows], [{"id", "display_name"}] * 2)

    def test_those_of_one_company_are_told_apart_by_their_ids(self):
        self.twins.company_id = False
        rows = self.run_one(search("res.partner", [("id", "in", self.twins.ids)], ["display_name"]))["records"]
        self.assertEqual([row.keys() for row in rows], [{"id", "display_name"}] * 2)

    def test_a_connection_with_allowed_models_is_shown_no_company(self):
        connection, key = self.connect(self.settings_admin)
        connection.allowed_models = "res.partner"
        proof = credentials.proof(key)
        rows = self.run_one(search("res.partner", [("id", "in", self.twins.ids)], ["name"]), proof=proof)["records"]
        self.assertNotIn("company", rows[0])


@tagged("post_install", "-at_install", "-standard", "mcp_full")
class TestAlikeOfModules(AlikeCase):
    def test_journals_accounts_products_and_warehouses(self):
        admin = self.env.ref("base.user_admin")
        admin.company_ids += self.one + self.two
        admin.group_ids += self.env.ref("account.group_account_manager") + self.env.ref("stock.group_stock_manager")
        proof = self.proof_of(admin)
        values = {
            "account.journal": {"name": "Alike sales", "type": "general", "code": "ALK"},
            "product.template": {"name": "Alike desk"},
        }
        for model, given in values.items():
            records = self.env[model].create([{**given, "company_id": company.id} for company in (self.one, self.two)])
            self.assert_companies(model, records, proof)
        accounts = self.env["account.account"]
        for company in (self.one, self.two):
            accounts += accounts.with_company(company).create(
                {"name": "Alike cash", "code": "ALK1", "account_type": "asset_cash", "company_ids": company.ids}
            )
        self.assert_companies("account.account", accounts, proof)
        warehouses = self.env["stock.warehouse"].search([("company_id", "in", (self.one + self.two).ids)])
        warehouses = warehouses or self.env["stock.warehouse"].create(
            [{"name": "x", "code": f"AL{company.id}", "company_id": company.id} for company in (self.one, self.two)]
        )
        warehouses.name = "Alike house"
        self.assert_companies("stock.warehouse", warehouses, proof)

    def assert_companies(self, model, records, proof):
        with self.subTest(model):
            rows = self.run_one(search(model, [("id", "in", records.ids)], ["display_name"]), proof=proof)["records"]
            names = {row["display_name"] for row in rows}
            if len(names) == 1:
                self.assertEqual({row.get("company") for row in rows}, {"Alike One", "Alike Two"})
            else:
                # the name itself says it
                self.assertTrue(all("Alike One" in name or "Alike Two" in name for name in names), names)
