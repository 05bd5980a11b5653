"""Rows that belong to a record of another model, and properties that refer to one."""

from odoo.tests import tagged

from .confined_common import ConfinedCase
from .gateway_common import create, search


class BearersCase(ConfinedCase):
    def assert_hidden(self, hidden, shown, *models, fields=("display_name",), **changes):
        """With these models allowed the rows of one kind can't be reached, those of the other kind can."""
        model = hidden._name
        # some of these rows are code, which takes that level
        proof = self.proof_for(model, *models, method_level="any")
        ids = (hidden + shown).ids
        found = self.run_one(search(model, [["id", "in", ids]], fields), proof=proof)["records"]
        self.assertEqual([row["id"] for row in found], shown.ids)
        self.assertEqual(self.run_one(search(model, [["id", "in", ids]], fields))["records"][0].keys(), found[0].keys())
        counted = self.run_one({"op": "search_count", "model": model, "domain": [["id", "in", ids]]}, proof=proof)
        self.assertEqual(counted["count"], len(shown))
        read = self.run_one({"op": "read", "model": model, "ids": ids, "fields": ["id"]}, proof=proof)
        self.assertEqual(read["missing"], hidden.ids)
        for step in (
            {"op": "write", "model": model, "ids": hidden.ids, "values": changes},
            {"op": "unlink", "model": model, "ids": hidden.ids},
        ):
            fault = self.fault(step, proof=proof, mode="write")
            self.assert_fault(fault, "not_found", model=model, ids=hidden.ids)
        if changes:
            self.execute(
                {"op": "write", "model": model, "ids": shown.ids, "values": changes}, proof=proof, mode="write"
            )
        return proof


@tagged("-at_install", "post_install")
class TestAllowedModelsBearers(BearersCase):
    def test_attachments(self):
        files = self.env["ir.attachment"].create(
            [
                {"name": "mcp-hidden", "res_model": "res.country", "res_id": self.belgium.id},
                {"name": "mcp-public", "res_model": "res.country", "res_id": self.belgium.id, "public": True},
                {"name": "mcp-shown", "res_model": "res.partner", "res_id": self.partner.id},
            ]
        )
        proof = self.assert_hidden(files[:2], files[2], "res.partner", name="mcp-renamed")
        for step in (
            create("ir.attachment", {"name": "x", "res_model": "res.country", "res_id": self.belgium.id}),
            create("ir.attachment", {"name": "x", "res_model": "no.such.model", "res_id": 1}),
            self.change(files[2], res_model="res.country"),
        ):
            self.assert_denied(
                step["values"][0]["res_model"] if step["op"] == "create" else "res.country",
                step,
                proof=proof,
                mode="write",
            )
        step = create("ir.attachment", {"name": "x", "res_model": "res.partner", "res_id": self.partner.id})
        self.execute(step, proof=proof, mode="write")

    def test_attachments_of_nothing_are_their_makers(self):
        own = self.env["ir.attachment"].with_user(self.settings_admin).create({"name": "mcp-own"})
        other = self.env["ir.attachment"].with_user(self.user).create({"name": "mcp-other"})
        self.assert_hidden(other.with_user(self.settings_admin), own)

    def test_what_odoo_keeps_of_models(self):
        models = self.env["ir.model"]
        hidden, shown = models._get("res.country"), models._get("res.partner")
        self.assert_hidden(hidden, shown, "res.partner", fields=["model"])
        fields = self.env["ir.model.fields"]
        hidden, shown = fields._get("res.country", "code"), fields._get("res.partner", "name")
        self.assert_hidden(hidden, shown, "res.partner", fields=["name"])
        ids = self.env["ir.model.data"].search(
            [("model", "in", ["res.country", "res.partner"]), ("module", "=", "base")]
        )
        hidden, shown = (ids.filtered(lambda row, m=m: row.model == m)[:1] for m in ("res.country", "res.partner"))
        self.assert_hidden(hidden, shown, "res.partner", fields=["name"])

    def test_filters_exports_and_rules(self):
        for model, values in (
            ("ir.filters", lambda name: {"name": "mcp", "model_id": name}),
            ("ir.exports", lambda name: {"name": "mcp", "resource": name}),
            ("ir.rule", lambda name: {"name": "mcp", "model_id": self.env["ir.model"]._get_id(name)}),
            ("ir.model.access", lambda name: {"name": "mcp", "model_id": self.env["ir.model"]._get_id(name)}),
        ):
            with self.subTest(model):
                rows = self.env[model].create([values("res.country"), values("res.partner")])
                proof = self.assert_hidden(rows[0], rows[1], "res.partner", fields=["name"], name="mcp-renamed")
                refused = values("res.country")
                if "resource" in refused or model == "ir.filters":
                    self.assert_denied("res.country", create(model, refused), proof=proof, mode="write")

    def test_whatever_names_its_model_as_most_of_odoo_does(self):
        actions = self.env["ir.actions.act_window"].create(
            [{"name": "mcp", "res_model": "res.country"}, {"name": "mcp", "res_model": "res.partner"}]
        )
        proof = self.assert_hidden(actions[0], actions[1], "res.partner", fields=["name"], name="mcp-renamed")
        step = self.change(actions[1], res_model="res.country")
        self.assert_denied("res.country", step, proof=proof, mode="write")

    def test_a_wizard_that_would_write_of_another_model(self):
        self._mail("mail.compose.message")
        proof = self.proof_for("mail.compose.message", "mail.template", "res.partner")
        step = create("mail.compose.message", {"model": "res.users", "res_ids": str(self.user.ids), "body": "x"})
        self.assert_denied("res.users", step, proof=proof, mode="write")

    def test_a_name_that_only_a_hidden_row_has(self):
        """A rule of an allowed model refers to the model's own row, which is shown where the rule is."""
        rule = self.env["ir.rule"].create({"name": "mcp", "model_id": self.env["ir.model"]._get_id("res.partner")})
        proof = self.proof_for("ir.rule", "ir.model", "res.partner")
        self.assertEqual(self.read_one(rule, ["model_id"], proof)[0]["model_id"]["name"], "Contact")
        field = self.env["ir.model.fields"]._get("res.partner", "country_id")
        self.env.cr.execute(
            "UPDATE ir_model_fields SET model_id = %s WHERE id = %s",
            [self.env["ir.model"]._get_id("res.country"), field.id],
        )
        field.invalidate_recordset()
        proof = self.proof_for("ir.model.fields", "ir.model", "res.partner")
        row, _skipped = self.read_one(field, ["model_id"], proof)
        self.assertIsNone(row["model_id"]["name"])
        # Odoo has named the groups with sudo before
        group = {"op": "read_group", "model": "ir.model.fields", "domain": [["id", "=", field.id]]}
        group |= {"groupby": ["model_id"], "aggregates": [], "having": [], "limit": 9, "offset": 0, "order": None}
        self.assertIsNone(self.run_one(group, proof=proof)["groups"][0]["model_id"]["name"])

    def _mail(self, name):
        if name not in self.env:
            self.skipTest(f"{name} is not installed")
        return self.env[name]

    def test_messages(self):
        messages = self._mail("mail.message").create(
            [
                {"model": "res.users", "res_id": self.user.id, "body": "mcp"},
                {"model": "res.partner", "res_id": self.partner.id, "body": "mcp"},
            ]
        )
        proof = self.assert_hidden(messages[0], messages[1], "res.partner", fields=["body"])
        step = create("mail.message", {"model": "res.users", "res_id": self.user.id, "body": "x"})
        self.assert_denied("res.users", step, proof=proof, mode="write")
        notification = self.env["mail.notification"].create(
            [{"mail_message_id": message.id, "res_partner_id": self.partner.id} for message in messages]
        )
        self.assert_hidden(notification[0], notification[1], "res.partner", fields=["notification_type"])

    def test_hidden_rows_are_not_linked(self):
        hidden = self.env["ir.attachment"].create(
            {"name": "a-secret", "res_model": "res.country", "res_id": self.belgium.id, "raw": b"x"}
        )
        values = {"model": "res.partner", "res_id": self.partner.id, "body": "mcp"}
        message = self._mail("mail.message").create(values)
        proof = self.proof_for("mail.message", "ir.attachment", "res.partner")
        for command in ([4, hidden.id], [1, hidden.id, {"name": "x"}], [2, hidden.id], [6, 0, hidden.ids]):
            with self.subTest(command):
                step = self.change(message, attachment_ids=[command])
                fault = self.fault(step, proof=proof, mode="write")
                self.assertIn(fault.code, ("access_denied", "invalid_command"))
                self.assertNotIn("a-secret", fault.message)
        self.assertFalse(message.attachment_ids)
        self.assertEqual(hidden.exists().name, "a-secret")

    def test_a_message_that_one_has_written_oneself(self):
        """Odoo shows it to its author wherever it is."""
        author = {"author_id": self.settings_admin.partner_id.id, "body": "mcp"}
        message = self._mail("mail.message").create(
            [
                {"model": "res.users", "res_id": self.user.id, **author},
                {"model": "res.partner", "res_id": self.partner.id, **author},
            ]
        )
        self.assert_hidden(message[0], message[1], "res.partner", fields=["body"])

    def test_activities_and_followers(self):
        activities = self._mail("mail.activity")
        todo = self.env.ref("mail.mail_activity_data_todo").id
        rows = activities.create(
            [
                {
                    "res_model_id": self.env["ir.model"]._get_id(name),
                    "res_id": record.id,
                    "activity_type_id": todo,
                    "summary": "mcp",
                    "user_id": self.settings_admin.id,
                }
                for name, record in (("res.country", self.belgium), ("res.partner", self.partner))
                if hasattr(record, "activity_ids")
            ]
        )
        other = activities.create(
            {
                "res_model_id": self.env["ir.model"]._get_id("res.partner"),
                "res_id": self.child.id,
                "activity_type_id": todo,
                "summary": "mcp",
                "user_id": self.settings_admin.id,
            }
        )
        # the model of a row is told by its own column, whatever made it
        self.env.cr.execute("UPDATE mail_activity SET res_model = 'res.users' WHERE id = %s", [other.id])
        other.invalidate_recordset()
        self.assert_hidden(other, rows, "res.partner", fields=["summary"], summary="mcp-renamed")
        followers = self.env["mail.followers"].create(
            [
                {"res_model": name, "res_id": record.id, "partner_id": self.child.id}
                for name, record in (("res.users", self.user), ("res.partner", self.partner))
            ]
        )
        self.assert_hidden(followers[0], followers[1], "res.partner", fields=["id"])


@tagged("-at_install", "post_install")
class TestAllowedModelsProperties(BearersCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.definitions = [
            {"name": "aa", "string": "Country", "type": "many2one", "comodel": "res.country"},
            {"name": "bb", "string": "Other", "type": "many2one", "comodel": "res.partner"},
            {"name": "cc", "string": "Text", "type": "char"},
        ]
        values = [cls.belgium.id, cls.child.id, "x"]
        cls.partner.properties = [
            {**definition, "value": value, "definition_changed": True}
            for definition, value in zip(cls.definitions, values, strict=True)
        ]
        cls.env.flush_all()
        cls.holder = cls.env["res.partner"]._fields["properties"].definition_record
        cls.home = cls.env["res.partner"]._fields[cls.holder].comodel_name
        cls.with_home = cls.proof_for("res.partner", cls.home)

    def test_what_they_are_called_is_kept_elsewhere(self):
        self.assertEqual(self.read_one(self.partner, ["properties"])[1], ["properties"])
        self.assert_denied(self.home, search("res.partner", [["properties.cc", "=", "x"]]))

    def test_those_that_refer_to_another_model_are_left_out(self):
        row, _skipped = self.read_one(self.partner, ["properties"], self.with_home)
        self.assertEqual([item["name"] for item in row["properties"]], ["bb", "cc"])
        self.assertEqual(row["properties"][0]["value"], {"id": self.child.id, "name": self.child.display_name})

    def test_they_neither_search_nor_order_nor_group(self):
        group = {
            "op": "read_group",
            "model": "res.partner",
            "domain": [],
            "groupby": ["properties.aa"],
            "aggregates": [],
        }
        group |= {"having": [], "limit": 10, "offset": 0, "order": None}
        for step in (
            search("res.partner", [["properties.aa", "=", self.belgium.id]]),
            search("res.partner", [["properties.aa", "ilike", "Belg"]]),
            search("res.partner", order="properties.aa"),
            group,
        ):
            with self.subTest(step):
                self.assert_denied("res.country", step, proof=self.with_home)
        found = self.run_one(search("res.partner", [["properties.cc", "=", "x"]]), proof=self.with_home)
        self.assertEqual([row["id"] for row in found["records"]], self.partner.ids)

    def test_they_are_not_written(self):
        for value in (self.belgium.id, None):
            with self.subTest(value):
                step = self.change(self.partner, properties={"aa": value})
                self.assert_denied("res.country", step, proof=self.with_home, mode="write")
        for value in (
            [{**self.definitions[0], "value": self.belgium.id}],
            [{"name": "dd", "string": "D", "type": "many2one", "comodel": "res.country", "definition_changed": True}],
        ):
            with self.subTest(value):
                step = self.change(self.partner, properties=value)
                fault = self.fault(step, proof=self.with_home, mode="write")
                self.assert_fault(fault, "invalid_value", model="res.partner", field="properties")

    def test_a_hint_names_none_of_them(self):
        fault = self.fault(self.change(self.partner, properties={"Country": 1}), proof=self.with_home, mode="write")
        self.assert_fault(fault, "invalid_value", model="res.partner", field="properties")
        self.assertNotIn("aa", fault.message)

    def test_writing_keeps_those_that_may_not_be_seen(self):
        # mail would read its address format
        self.partner.country_id = False
        self.run_one(self.change(self.partner, properties={"cc": "y"}), proof=self.with_home, mode="write")
        stored = {"aa": self.belgium.id, "bb": self.child.id, "cc": "y"}
        self.assertEqual(self.partner.properties._values, stored)
