"""The list of allowed models itself: what may be on it, who hears of it, and that it belongs to one call."""

from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..gateway.auth import credentials
from ..gateway.policy import allowed_models
from .confined_common import ConfinedCase
from .gateway_common import request, search


@tagged("-at_install", "post_install")
class TestAllowedModels(ConfinedCase):
    def authenticate(self, proof):
        return self.ask("authenticate", {"proof": proof, "ip": None})

    def schema(self, models=None, proof=None):
        return self.ask("schema", {"proof": proof or self.confined, "lang": None, "models": models})

    def test_a_line_that_names_no_model_is_refused_with_its_number(self):
        connection, _key = self.connect(self.user)
        for text, number, name in (("res.partner\nres.partners", 2, "res.partners"), ("\n base ", 2, "base")):
            with self.assertRaisesRegex(ValidationError, f"line {number}.*{name}"):
                connection.allowed_models = text
        connection.allowed_models = " res.partner \n\nsale.order" if "sale.order" in self.env else "res.partner"
        connection.allowed_models = False

    def test_what_is_told_of_a_connection(self):
        for models, level, allowed in (((), "buttons", True), (("res.users", "res.partner"), "none", False)):
            document = self.authenticate(self.proof_for(*models))["connection"]
            self.assertEqual((document["allowed_models"], document["allow_methods"]), (sorted(models), allowed))
            self.assertEqual(document["method_level"], level)
        document = self.authenticate(self.proof_for("res.partner", method_level="any"))["connection"]
        self.assertEqual((document["method_level"], document["allow_methods"]), ("any", True))

    def test_an_empty_text_is_no_list(self):
        document = self.authenticate(self.proof_for(" ", ""))["connection"]
        self.assertEqual((document["allowed_models"], document["allow_methods"]), ([], True))

    def test_a_change_is_noted(self):
        connection, _key = self.connect(self.user)
        noted = self.notes()
        connection.allowed_models = "res.partner"
        connection.method_level = "any"
        self.assertEqual(noted, [("connection", connection.id)] * 2)

    def test_a_model_that_is_gone_opens_nothing(self):
        """As after uninstalling the module of the only model on the list."""
        proof = self.proof_for("res.partner")
        self.env.cr.execute("UPDATE mcp_connection SET allowed_models = 'gone.model' WHERE name = 'Confined'")
        self.env["mcp.connection"].invalidate_model()
        for model in ("res.partner", "res.country"):
            self.assert_denied(model, search(model), proof=proof)
        self.assert_fault(self.fault(search("gone.model"), proof=proof), "unknown_model", model="gone.model")
        self.assertEqual(self.schema(proof=proof), {"models": []})
        self.assertEqual(self.authenticate(proof)["connection"]["allowed_models"], ["gone.model"])
        # and the form can still be saved
        self.env["mcp.connection"].search([("name", "=", "Confined")]).write({"notes": "x"})

    # === Schema ===

    def test_schema(self):
        self.assertEqual([model["model"] for model in self.schema()["models"]], ["res.partner"])
        fields = {field["name"]: field for field in self.schema(["res.partner"])["fields"]["res.partner"]}
        self.assertTrue({"name", "parent_id", "child_ids"} <= fields.keys())
        self.assertFalse({"country_id", "category_id", "country_code", "user_id"} & fields.keys())
        self.assertEqual({field.get("relation") for field in fields.values()}, {None, "res.partner"})
        for model in ("res.country", "no.such.model", "base", "res.company"):
            fault = self.refused(lambda model=model: self.schema([model]))
            self.assert_fault(fault, "model_denied", model=model)

    def test_models_that_a_reference_may_refer_to(self):
        def options(*models):
            fields = self.schema(["ir.ui.menu"], self.proof_for("ir.ui.menu", *models))["fields"]["ir.ui.menu"]
            return [value for field in fields if field["name"] == "action" for value, _label in field["selection"]]

        self.assertEqual(options("res.partner"), [])
        self.assertEqual(options("ir.actions.act_url"), ["ir.actions.act_url"])

    def test_who_sees_the_same_schema(self):
        keys = [
            self.authenticate(proof)["schema_key"]
            for proof in (self.proof, self.confined, self.proof_for("res.partner"), self.proof_for("res.users"))
        ]
        self.assertEqual(keys[1], keys[2])
        self.assertEqual(len(set(keys)), 3)

    # === One call at a time ===

    def test_connections_of_one_user_in_a_batch(self):
        other = self.proof_for("res.country")
        partner = search("res.partner", [["id", "=", self.partner.id]], ["name", "country_id"])
        country = search("res.country", [["id", "=", self.belgium.id]], ["name"])
        proofs = [self.proof, self.confined, other] * 2
        calls = [request(proof, step) for proof in proofs for step in (partner, country)]
        answers = self.ask("execute_batch", {"calls": calls})["answers"]
        for start in (0, 6):
            free, free_country, confined, denied, also_denied, allowed = answers[start : start + 6]
            self.assertEqual(free["results"][0]["records"][0]["country_id"]["name"], "Belgium")
            self.assertEqual(free_country["results"][0]["records"][0]["name"], "Belgium")
            self.assertEqual(confined["results"][0]["records"], [{"id": self.partner.id, "name": "mcp-one"}])
            self.assertEqual(denied["error"]["data"], {"model": "res.country"})
            self.assertEqual(also_denied["error"]["data"], {"model": "res.partner"})
            self.assertEqual(allowed["results"][0]["records"][0]["name"], "Belgium")

    def test_what_one_call_computed_is_not_in_the_next_ones_answer(self):
        """A batch shares its transaction's cache, also between two connections of a person."""

        def compute(partners):
            for partner in partners:
                partner.company_type = "company" if partner.country_id.code == "BE" else "person"

        self.patch(self.env.registry["res.partner"], "_compute_company_type", compute)
        step = search("res.partner", [["id", "=", self.partner.id]], ["company_type"])
        for proofs in ([self.proof, self.confined], [self.confined, self.proof]):
            answers = self.ask("execute_batch", {"calls": [request(proof, step) for proof in proofs]})["answers"]
            results = dict(zip(proofs, (answer["results"][0] for answer in answers), strict=True))
            self.assertEqual(results[self.proof]["records"][0]["company_type"], "company")
            self.assertEqual(results[self.confined]["skipped_fields"], ["company_type"])

    def test_nothing_that_odoo_remembers_is_narrowed(self):
        menus = self.env["ir.ui.menu"].with_user(self.settings_admin)
        access = self.env["ir.model.access"].with_user(self.settings_admin)
        rules = self.env["ir.rule"].with_user(self.settings_admin)
        # a message in another form, if there is one: its rules hold those of the message
        model = "mail.mail" if "mail.mail" in self.env else "ir.attachment"

        def remembered():
            return menus._visible_menu_ids(), access._get_allowed_models("read"), rules._compute_domain(model)

        before = remembered()
        self.env.registry.clear_all_caches()
        with allowed_models.restricted_to(self.env.cr, frozenset({"ir.ui.menu", model, "res.partner"})):
            confined = remembered()
        self.assertEqual(remembered(), before)
        self.assertEqual(confined[0], before[0])
        self.assertNotEqual(confined[1:], before[1:])

    def test_it_ends_with_a_call_that_fails(self):
        self.assert_denied("res.country", search("res.country"))
        self.fault(search("res.partner", fields=["nmae"]), proof=self.confined)
        self.run_one(search("res.country"))

    def test_an_own_key_of_the_same_person_is_not_confined(self):
        connection, key = self.connect(self.settings_admin)
        proof = credentials.proof(key)
        connection.allowed_models = "res.partner"
        self.assert_denied("res.country", search("res.country"), proof=proof)
        connection.allowed_models = False
        self.run_one(search("res.country"), proof=proof)
        self.run_one(search("res.country"))
