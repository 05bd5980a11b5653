"""Reading with a list of allowed models: no path of a call leads to another model."""

from odoo.tests import tagged

from ..gateway.policy import denied_models, field_reach
from .confined_common import ConfinedCase
from .gateway_common import search


def name_search(model, name="", domain=()):
    return {"op": "name_search", "model": model, "name": name, "domain": list(domain), "limit": 10}


def count(model, domain=()):
    return {"op": "search_count", "model": model, "domain": list(domain)}


def group(model, groupby=(), aggregates=(), **changes):
    step = {"op": "read_group", "model": model, "domain": [], "groupby": list(groupby), "aggregates": list(aggregates)}
    return {**step, "having": [], "limit": 10, "offset": 0, "order": None, **changes}


def traverse(model, ids, *path, fields=("id",)):
    step = {"op": "traverse", "model": model, "ids": ids, "path": list(path), "fields": list(fields)}
    return {**step, "domain": [], "limit": 10}


@tagged("-at_install", "post_install")
class TestAllowedModelsReads(ConfinedCase):
    def test_what_is_allowed_is_as_ever(self):
        step = search("res.partner", self.mine, ["name", "parent_id", "child_ids"], order="parent_id desc, name")
        self.assertEqual(self.run_one(step, proof=self.confined), self.run_one(step))
        for step in (
            count("res.partner", [["parent_id.name", "=", "mcp-one"]]),
            name_search("res.partner", "mcp-two"),
            group("res.partner", ["parent_id"], domain=self.mine),
            traverse("res.partner", self.partner.ids, "child_ids", fields=["name"]),
        ):
            with self.subTest(step):
                self.assertEqual(self.run_one(step, proof=self.confined), self.run_one(step))

    def test_the_model_of_a_step(self):
        for model in ("res.country", "no.such.model", "base", "mcp.gateway"):
            steps = [
                search(model),
                name_search(model),
                count(model),
                {"op": "read", "model": model, "ids": [1], "fields": None},
                group(model),
                traverse(model, [1], "x"),
            ]
            self.assert_each_denied(model, steps)
        # what exists and what doesn't look alike
        messages = {self.assert_denied(m, search(m)).message.replace(m, "") for m in ("res.country", "no.such.model")}
        self.assertEqual(len(messages), 1)

    def test_every_step_of_a_call(self):
        self.assert_denied("res.country", search("res.partner"), search("res.country"))

    def test_domains(self):
        for condition in (
            ["country_id.name", "=", "Belgium"],
            ["country_id.code", "like", "B"],
            ["country_id", "any", [["code", "=", "BE"]]],
            ["country_id", "not any", [["code", "=", "BE"]]],
            ["country_id", "ilike", "Belg"],
            ["country_id", "=", "Belgium"],
            ["country_id", "in", [self.belgium.id]],
            ["country_id", "!=", False],
            ["country_id", "child_of", self.belgium.id],
            ["parent_id.country_id.code", "=", "BE"],
            ["parent_id", "any", [["country_id", "any", [["code", "=", "BE"]]]]],
            ["child_ids.country_id", "=", self.belgium.id],
            ["country_code", "=", "BE"],
        ):
            domain = ["|", ["name", "=", "x"], condition]
            steps = [
                search("res.partner", domain),
                count("res.partner", domain),
                name_search("res.partner", "", domain),
                group("res.partner", domain=domain),
                {**traverse("res.partner", self.partner.ids, "child_ids"), "domain": domain},
            ]
            self.assert_each_denied("res.country", steps)
        for condition in (["category_id.name", "=", "mcp-tag"], ["category_id", "in", self.tag.ids]):
            self.assert_denied("res.partner.category", search("res.partner", [condition]))

    def test_names_that_are_made_of_another_model(self):
        """A user's name is kept with the partner, so that it can neither be read nor searched nor ordered by."""
        proof = self.proof_for("res.users", "res.country")
        self.env.cr.execute("UPDATE res_country SET create_uid = %s WHERE id = %s", [self.user.id, self.belgium.id])
        self.belgium.invalidate_recordset()
        steps = [
            name_search("res.users", "mcp"),
            search("res.users", [["name", "like", "mcp"]]),
            search("res.users", [["display_name", "like", "mcp"]]),
            search("res.country", [["create_uid", "ilike", "mcp"]]),
            search("res.country", [["create_uid", "=", "mcp_test_user"]]),
            search("res.country", [["create_uid", "in", ["mcp_test_user"]]]),
            search("res.country", [["create_uid.name", "like", "mcp"]]),
            search("res.users", order="name"),
        ]
        self.assert_each_denied("res.partner", steps, proof=proof)
        row, _skipped = self.read_one(self.belgium, ["create_uid"], proof)
        self.assertEqual(row["create_uid"], {"id": self.user.id, "name": None})
        groups = self.run_one(group("res.country", ["create_uid"]), proof=proof)["groups"]
        self.assertIn({"id": self.user.id, "name": None}, [row["create_uid"] for row in groups])
        row, skipped = self.read_one(self.user, ["login", "name", "email", "display_name", "partner_id"], proof)
        self.assertEqual(row, {"id": self.user.id, "login": self.user.login})
        self.assertEqual(skipped, ["name", "email", "display_name", "partner_id"])
        complete = self.proof_for("res.users", "res.country", "res.partner")
        self.assertEqual(
            self.read_one(self.belgium, ["create_uid"], complete)[0]["create_uid"]["name"], "mcp_test_user"
        )

    def test_names_that_are_names_of_others(self):
        """Settings are called as their user, who is called as the partner."""
        settings = self.env["res.users.settings"]._find_or_create_for_user(self.settings_admin)
        for models, name in ((["res.users"], None), (["res.users", "res.partner"], "mcp_test_settings")):
            proof = self.proof_for("res.users.settings", *models)
            row, skipped = self.read_one(settings, ["display_name", "user_id"], proof)
            self.assertEqual((row.get("display_name"), row["user_id"]["name"]), (name, name))
            self.assertEqual(skipped, [] if name else ["display_name"])

    def test_an_order_that_nobody_asked_for(self):
        """Users are ordered by name where nothing else is said, and by their login where that would tell the name."""
        names = ["mcp-c", "mcp-b", "mcp-a"]
        people = [self._person(f"mcp_order_{number}", "base.group_user") for number in range(3)]
        for person, name in zip(people, names, strict=True):
            person.name = name
        step = search("res.users", [["login", "like", "mcp_order_"]], ["login"])
        logins = [row["login"] for row in self.run_one(step)["records"]]
        self.assertEqual(logins, ["mcp_order_2", "mcp_order_1", "mcp_order_0"])
        confined = self.run_one(step, proof=self.proof_for("res.users"))["records"]
        self.assertEqual([row["login"] for row in confined], logins[::-1])

    def test_orders(self):
        for order in ("country_id", "name, country_id desc", "country_id.id", "country_code"):
            self.assert_denied("res.country", search("res.partner", order=order))
        self.assert_denied("res.partner.category", search("res.partner", order="category_id"))

    def test_groups(self):
        for step in (
            group("res.partner", ["country_id"]),
            group("res.partner", ["country_id.name"]),
            group("res.partner", ["parent_id.country_id"]),
            group("res.partner", ["country_code"]),
            group("res.partner", ["name"], ["country_id:count_distinct"]),
            group("res.partner", [], ["country_id:array_agg"]),
            group("res.partner", ["name"], having=[["country_id:count_distinct", ">", 0]]),
        ):
            with self.subTest(step):
                self.assert_denied("res.country", step)
        self.assert_denied("res.partner.category", group("res.partner", ["category_id"]))

    def test_fields(self):
        names = ["name", "country_id", "category_id", "country_code", "user_id", "bank_ids", "create_uid", "child_ids"]
        row, skipped = self.read_one(self.partner, names)
        self.assertEqual(row, {"id": self.partner.id, "name": "mcp-one", "child_ids": self.child.ids})
        self.assertEqual(skipped, ["country_id", "category_id", "country_code", "user_id", "bank_ids", "create_uid"])
        read = {"op": "read", "model": "res.partner", "ids": self.partner.ids, "fields": names}
        walked = traverse("res.partner", self.child.ids, "parent_id", fields=names)
        for step in (read, walked):
            result = self.run_one(step, proof=self.confined)
            self.assertEqual((result["records"], result["skipped_fields"]), ([row], skipped))

    def test_the_fields_that_are_read_where_none_are_named(self):
        row, skipped = self.read_one(self.partner, None)
        self.assertFalse({"country_id", "user_id", "company_id", "category_id"} & row.keys())
        self.assertIn("name", row)
        self.assertEqual(skipped, [])

    def test_a_stored_copy_of_another_model(self):
        """A company keeps the name and the address of its partner."""
        company = self.env.company
        self.assertTrue(company._fields["name"].store and company._fields["name"].related)
        self.assertEqual(self.read_one(company, ["name", "email"], self.proof_for("res.company"))[1], ["name", "email"])
        row, skipped = self.read_one(company, ["name"], self.proof_for("res.company", "res.partner"))
        self.assertEqual((row["name"], skipped), (company.name, []))

    def test_a_computed_field_that_comes_to_another_model_is_left_out(self):
        def compute(partners):
            partners.company_type = partners.env["res.country"].search([], limit=1).code

        self.patch(self.env.registry["res.partner"], "_compute_company_type", compute)
        self.assertEqual(self.read_one(self.partner, ["name", "company_type"])[1], ["company_type"])

    def test_a_computed_field_that_does_not_say_what_it_is_made_of(self):
        proof = self.proof_for("ir.ui.view")
        view = self.env["ir.ui.view"].search([], limit=1)
        self.assertEqual(self.read_one(view, ["name", "xml_id"], proof)[1], ["xml_id"])
        fault = self.fault(search("ir.ui.view", [["xml_id", "=", "x"]]), proof=proof)
        self.assert_fault(fault, "access_denied", model="ir.ui.view", field="xml_id")

    def test_paths(self):
        for path in (["country_id"], ["child_ids", "country_id"], ["parent_id", "country_id", "state_ids"]):
            self.assert_denied("res.country", traverse("res.partner", self.child.ids, *path))
        self.assert_denied("res.partner.category", traverse("res.partner", self.partner.ids, "category_id"))

    def test_references(self):
        """A field that may refer to any model shows only records of allowed ones."""
        action = self.env.ref("base.action_partner_form")
        menu = self.env["ir.ui.menu"].create({"name": "mcp", "action": f"{action._name},{action.id}"})
        row, _skipped = self.read_one(menu, ["action"], self.proof_for("ir.ui.menu"))
        self.assertIsNone(row["action"])
        row, _skipped = self.read_one(menu, ["action"], self.proof_for("ir.ui.menu", action._name))
        self.assertEqual((row["action"]["model"], row["action"]["id"]), (action._name, action.id))

    def test_no_list_of_one_model_fails(self):
        """Each model of this database alone: what can't be read is left out, and nothing ends in a traceback."""
        readable = (
            self.env["ir.model.access"].with_user(self.settings_admin)._get_allowed_models("read")
            - denied_models.MODELS
        )
        names = sorted(name for name in readable if name in self.env.registry and not self.env.registry[name]._abstract)
        self.assertGreater(len(names), 50)
        proof = self.proof_for("res.partner")
        connection = self.env["mcp.connection"].search([("name", "=", "Confined")], order="id desc", limit=1)
        for name in names:
            connection.allowed_models = name
            with self.subTest(name):
                self.ask("schema", {"proof": proof, "lang": None, "models": [name]})
                step = search(name, [], list(self.env[name]._fields), limit=5)
                result = self.run_one(step, proof=proof)
                relations = {field.name for field in self.env[name]._fields.values() if field.relational}
                shown = relations - set(result["skipped_fields"])
                self.assertTrue(all(self.env[name]._fields[field].comodel_name == name for field in shown))

    def test_without_a_list_nothing_is_looked_for(self):
        self.patch(field_reach, "compute_unreachable", lambda *args: self.fail("looked for"))
        self.env.registry.clear_cache()
        self.run_one(search("res.partner", [["country_id.code", "=", "BE"]], None, order="country_id"))
