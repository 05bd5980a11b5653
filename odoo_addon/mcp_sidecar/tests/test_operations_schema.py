"""The models and fields that a person may see."""

from odoo.tests import tagged

from .gateway_common import GatewayCase


@tagged("-at_install", "post_install")
class TestGatewaySchema(GatewayCase):
    def schema(self, models=None, proof=None, lang=None):
        return self.ask("schema", {"proof": proof or self.proof, "lang": lang, "models": models})

    def models(self, **changes):
        return {model["model"]: model for model in self.schema(**changes)["models"]}

    def fields(self, model, **changes):
        return {field["name"]: field for field in self.schema([model], **changes)["fields"][model]}

    def test_models_with_what_may_be_done(self):
        models = self.models()
        self.assertEqual(
            models["res.partner"],
            {
                "model": "res.partner",
                "label": "Contact",
                "transient": False,
                "access": ["read", "create", "write", "unlink"],
            },
        )
        plain = self.models(proof=self.user_proof)
        self.assertEqual(plain["res.country"]["access"], ["read"])
        self.assertIn("ir.cron", models)
        self.assertNotIn("ir.cron", plain)
        self.assertTrue(models["change.password.wizard"]["transient"])
        for hidden in ("base", "mcp.gateway", "mcp.event", "mcp.call", "mcp.credential"):
            self.assertNotIn(hidden, plain)

    def test_labels_in_the_asked_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.model"]._get("res.country").with_context(lang="fr_FR").name = "Pays"
        self.env["ir.model.fields"]._get("res.country", "code").with_context(lang="fr_FR").field_description = "Sigle"
        self.assertEqual(self.models(lang="fr_FR")["res.country"]["label"], "Pays")
        self.assertEqual(self.models()["res.country"]["label"], "Country")
        self.assertEqual(self.fields("res.country", lang="fr_FR")["code"]["label"], "Sigle")
        self.settings_admin.lang = "fr_FR"
        self.assertEqual(self.fields("res.country")["code"]["label"], "Sigle")
        fault = self.refused(lambda: self.schema(lang="xx_XX"))
        self.assert_fault(fault, "invalid_context", key="lang")

    def test_fields_say_what_applies(self):
        fields = self.fields("res.partner")
        self.assertEqual(next(iter(fields)), "name")
        self.assertEqual(fields["country_id"]["relation"], "res.country")
        self.assertNotIn("required", fields["country_id"])
        self.assertEqual(fields["child_ids"]["relation_field"], "parent_id")
        self.assertIn(["contact", "Contact"], fields["type"]["selection"])
        display_name = fields["display_name"]
        self.assertEqual(
            (display_name["stored"], display_name["readonly"], display_name["searchable"]), (False, True, True)
        )
        self.assertNotIn("stored", fields["name"])
        self.assertEqual(fields["barcode"]["company_dependent"], True)
        self.assertTrue(self.fields("res.country")["name"]["required"])
        for field in fields.values():
            self.assertNotIn("groups", field)
            self.assertTrue({"name", "type", "label"} <= set(field))

    def test_fields_that_may_not_be_read_are_not_there(self):
        self.patch(self.env["res.partner"]._fields["ref"], "groups", "base.group_system")
        self.assertIn("ref", self.fields("res.partner"))
        self.assertNotIn("ref", self.fields("res.partner", proof=self.user_proof))

    def test_models_out_of_reach_do_not_exist(self):
        for model in ("ir.cron", "nothing", "base", "mcp.gateway"):
            fault = self.refused(lambda model=model: self.schema([model], proof=self.user_proof))
            self.assert_fault(fault, "unknown_model", model=model)
            self.assertEqual(fault.message, f'There is no model "{model}".')

    def test_people_with_the_same_key_see_the_same(self):
        twin = self._person("mcp_test_twin", "mcp_sidecar.group_user")
        keys = {}
        for name, proof in [("user", self.user_proof), ("twin", self.proof_of(twin)), ("admin", self.proof)]:
            keys[name] = self.ask("authenticate", {"proof": proof, "ip": None})["schema_key"]
        self.assertEqual(keys["user"], keys["twin"])
        self.assertNotEqual(keys["user"], keys["admin"])
        self.assertEqual(self.schema(proof=self.user_proof), self.schema(proof=self.proof_of(twin)))
        self.env["res.lang"]._activate_lang("fr_FR")
        twin.lang = "fr_FR"
        changed = self.ask("authenticate", {"proof": self.proof_of(twin), "ip": None})["schema_key"]
        self.assertNotEqual(changed, keys["user"])

    def test_the_list_of_models_is_quick(self):
        self.models()
        with self.assertQueryCount(4):
            self.models()
