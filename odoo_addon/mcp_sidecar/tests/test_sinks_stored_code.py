"""What Odoo evaluates later: only a connection that may call any method leaves it behind, and none leaves a sink."""

from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from ..gateway.sinks import stored_code
from .gateway_common import call, create, search, write
from .sinks_common import SinksCase

HARMLESS = "object.name"
NAMING = (
    "object._get_signup_url()",
    "object.sudo()._generate_signup_token()",
    "env['res.users.apikeys'].sudo()._generate(None, 'x', None)",
    "env['ir.config_parameter'].sudo().get_param('database.secret')",
    "env['ir.config_parameter'].sudo().get_param('database' + '.secret')",
    "object.signup_type",
    "object.access_token",
    "object['access' '_token']",
    "object['acc\\x65ss_token']",
    "object['\\u0061ccess_token']",
    "object.\uff41ccess_token",
    "object.get_portal_url()",
    "object._get_share_url(pid=1)",
    "object._sign_token(1)",
    "user._compute_session_token('x')",
    "user.totp_secret",
    "user.action_reset_password()",
    "env.cr.execute('SELECT value FROM ir_config_parameter')",
)
WRITING = ("env.user.write({'password': 'x'})", "env.user.change_password('a', 'b')", "env.user.oauth_uid")


class StoredCase(SinksCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.buttons = cls.proof_of(cls.settings_admin, level="buttons")
        cls.none = cls.proof_of(cls.settings_admin, level="none")
        cls.partner_model = cls.env["ir.model"]._get_id("res.partner")

    def records(self):
        """By model: values of a new record, and a change."""
        model_id = self.partner_model
        inner = {"name": "mcp", "model_id": model_id, "state": "code", "code": "pass"}
        found = {
            "mail.template": ({"name": "mcp", "model_id": model_id, "subject": "plain"}, {"subject": "changed"}),
            "ir.ui.view": (
                {"name": "mcp", "type": "qweb", "arch": "<p>plain</p>"},
                {"arch": "<p>changed</p>"},
            ),
            "ir.actions.server": (inner, {"code": "x = 1"}),
            "ir.cron": (
                {**inner, "interval_number": 1, "interval_type": "days"},
                {"code": "x = 1"},
            ),
            "ir.rule": ({"name": "mcp", "model_id": model_id, "domain_force": "[]"}, {"domain_force": "[(1, '=', 1)]"}),
            "ir.actions.report": (
                {"name": "mcp", "model": "res.partner", "report_name": "mcp.report"},
                {"print_report_name": "object.name"},
            ),
            "ir.asset": ({"name": "mcp", "bundle": "web.assets_backend", "path": "mcp"}, {"path": "other"}),
            "ir.model.fields": (
                {"name": "x_mcp_stored", "model_id": model_id, "ttype": "char", "field_description": "mcp"},
                {"compute": "pass", "depends": "name"},
            ),
        }
        if "base.automation" in self.env:
            automation = {"name": "mcp", "model_id": model_id, "trigger": "on_create"}
            found["base.automation"] = (automation, {"filter_domain": "[('id', '=', 1)]"})
        return found

    def assert_refused(self, *steps, word="level", **changes):
        for step in steps:
            for proof in (self.buttons, self.none):
                with self.subTest(step, proof=proof):
                    fault = self.fault(step, mode="write", proof=proof, **changes)
                    self.assert_fault(fault, "access_denied")
                    self.assertIn(word, fault.message)


@tagged("-at_install", "post_install")
class TestLevel(StoredCase):
    def test_only_any_makes_changes_and_deletes_code(self):
        for model, (values, change) in self.records().items():
            self.assertIn(model, stored_code.CODE)
            if model == "ir.model.fields":
                # a column is added at once, by a statement that no savepoint of a test outlives
                self.assert_refused(create(model, values))
                continue
            record = self.env[model].create(values)
            unlink = {"op": "unlink", "model": model, "ids": record.ids}
            self.assert_refused(create(model, values), write(model, record.ids, **change), unlink)
            if model != "ir.actions.report":
                self.execute(create(model, values), mode="write")
            self.execute(write(model, record.ids, **change), mode="write")
            self.execute(unlink, mode="write")

    def test_the_refusal_teaches(self):
        fault = self.fault(create("ir.rule", self.records()["ir.rule"][0]), mode="write", proof=self.buttons)
        self.assertIn("“buttons”", fault.message)
        self.assertIn("an administrator raises the level", fault.message)

    def test_no_way_round(self):
        template = self.template("res.partner", subject="plain")
        view = self.env["ir.ui.view"].create({"name": "mcp", "type": "qweb", "arch": "<p>plain</p>"})
        view_values = {"name": "mcp", "type": "qweb", "arch": "<p/>"}
        rule_values = self.records()["ir.rule"][0]
        self.assert_refused(
            write("res.groups", [self.xmlid("base.group_no_one")], rule_groups=[[0, 0, rule_values]]),
            write("res.groups", [self.xmlid("base.group_no_one")], view_access=[[0, 0, view_values]]),
        )
        for step in (
            call("mail.template", "write", template.ids, {"subject": "x"}),
            call("mail.template", "create", [], [{"name": "x", "model_id": self.partner_model}]),
            call("mail.template", "copy", template.ids),
            call("mail.template", "web_save", template.ids, {"subject": "x"}, {}),
            call("mail.template", "name_create", [], "x"),
            call("mail.template", "update_field_translations", template.ids, "subject", {"en_US": "x"}),
            call("ir.ui.view", "update_field_translations", view.ids, "arch_db", {"en_US": {"plain": "x"}}),
            call("mail.template", "load", [], ["name", "model_id/.id"], [["x", str(self.partner_model)]]),
            call("mail.template", "unlink", template.ids),
        ):
            with self.subTest(step):
                # also where the method itself were allowed
                with self.patched_level():
                    text = self.tried_or_done(step)
                self.assertIn("Method Level", text)
        self.assertEqual((template.subject, template.name), ("plain", "mcp"))
        self.assertFalse(self.env["mail.template"].search([("name", "=", "x")]))
        composing = {"model": "res.partner", "res_ids": str(self.customer.ids), "template_name": "x", "body": "y"}
        composer = create("mail.compose.message", composing)
        made = self.run_one(composer, mode="write")["records"][0]["id"]
        with self.patched_level():
            text = self.tried_or_done(call("mail.compose.message", "create_mail_template", [made]))
        self.assertIn("Method Level", text)

    def patched_level(self):
        """A connection of level `any` whose records of code are judged as those of level `buttons`."""
        return patch.object(stored_code, "method_levels", SimpleNamespace(level=lambda cr: "buttons", ANY="any"))

    def test_text_with_expressions_takes_any_and_text_does_not(self):
        if "sms.template" not in self.env:
            self.skipTest("needs another model that is rendered")
        values = {"name": "mcp", "model_id": self.partner_model}
        self.execute(create("sms.template", {**values, "body": "plain"}), mode="write", proof=self.buttons)
        dynamic = create("sms.template", {**values, "body": "{{ object.name }}"})
        self.assert_refused(dynamic)
        self.execute(dynamic, mode="write")

    def test_a_literal_is_for_each_level(self):
        for model, fields in stored_code.LITERALS.items():
            self.assertLessEqual(fields, self.env[model]._fields.keys())
        values = {"name": "mcp", "model_id": "res.partner", "domain": "[('name', 'like', 'x')]"}
        self.execute(create("ir.filters", values), mode="write", proof=self.buttons)
        self.assert_refused(create("ir.filters", {**values, "domain": "[('user_id', '=', uid)]"}))
        secret = create("ir.filters", {**values, "domain": "[('access_token', 'like', 'a')]"})
        self.assert_fault(self.fault(secret, mode="write", proof=self.buttons), "access_denied", field="domain")

    def test_ordinary_records_are_for_each_level(self):
        for proof in (self.buttons, self.none):
            body = {"name": "{{ object.access_token }}", "comment": "<p t-out='object.name'>x</p>"}
            self.execute(create("res.partner", body), mode="write", proof=proof)
            file = {"name": "x", "url": "https://example.com", "type": "url"}
            self.execute(create("ir.attachment", file), mode="write", proof=proof)
        self.assert_refused(create("ir.attachment", {"name": "x", "url": "/web/assets/x.js", "raw": ""}))

    def test_odoos_own_code_switches_its_actions(self):
        cron = self.env["ir.cron"].search([], limit=1)
        code = f"env['ir.cron'].sudo().browse({cron.id}).write({{'active': True}})"
        with self.patched_level():
            self.execute(self.run_code(code), mode="run")
            self.assertIn(
                "Method Level",
                self.tried_or_done(self.run_code(code.replace("'active': True", "'code': 'x = 1'"))),
            )

    def test_people_are_not_limited(self):
        self.template("res.partner", subject="{{ object.signup_type }}")


@tagged("-at_install", "post_install")
class TestNamedSinks(StoredCase):
    def assert_named(self, *steps):
        for step in steps:
            with self.subTest(step):
                fault = self.fault(step, mode="write")
                self.assert_fault(fault, "access_denied", model=step["model"])
                self.assertIn("No AI tool may leave such code behind", fault.message)

    def test_no_level_leaves_a_sink_behind(self):
        template = self.template("res.partner")
        view = self.env["ir.ui.view"].create({"name": "mcp", "type": "qweb", "arch": "<p>plain</p>"})
        action = {"name": "mcp", "model_id": self.partner_model, "state": "code"}
        for expression in NAMING:
            self.assert_named(
                write("mail.template", template.ids, subject=f"{{{{ {expression} }}}}"),
                create("ir.actions.server", {**action, "code": expression}),
            )
        for expression in ("object.access_token", "object._get_signup_url()"):
            quoted = f'<p t-out="{expression}"/>'
            self.assert_named(
                *(
                    write("mail.template", template.ids, **{field: quoted})
                    for field in ("body_html", "email_to", "lang")
                ),
                write("ir.ui.view", view.ids, arch=quoted),
                write("ir.ui.view", view.ids, arch_db=quoted),
                write("ir.ui.view", view.ids, arch_base=quoted),
                create("ir.rule", {"name": "x", "model_id": self.partner_model, "domain_force": f"[{expression}]"}),
                create(
                    "ir.actions.report",
                    {"name": "x", "model": "res.partner", "report_name": "x", "attachment": expression},
                ),
                create("ir.cron", {**action, "code": expression}),
                create(
                    "ir.model.fields",
                    {"name": "x_mcp", "model_id": self.partner_model, "ttype": "char", "compute": expression},
                ),
            )
        for expression in WRITING:
            self.assert_named(create("ir.actions.server", {**action, "code": expression}))

    def test_no_field_of_ones_own_is_related_to_one(self):
        values = {"name": "x_mcp", "model_id": self.partner_model, "ttype": "char"}
        self.assert_named(
            create("ir.model.fields", {**values, "related": "user_ids.password"}),
            create("ir.model.fields", {**values, "related": "signup_type"}),
            create(
                "ir.actions.server", {"name": "x", "model_id": self.partner_model, "update_path": "user_ids.password"}
            ),
        )

    def test_no_webhook_posts_one(self):
        field = self.env["ir.model.fields"]._get("ir.attachment", "access_token")
        values = {
            "name": "mcp",
            "model_id": self.env["ir.model"]._get_id("ir.attachment"),
            "state": "webhook",
            "webhook_url": "https://example.com",
        }
        step = create("ir.actions.server", {**values, "webhook_field_ids": [[6, 0, field.ids]]})
        self.assert_fault(self.fault(step, mode="write"), "access_denied", field="webhook_field_ids")
        self.execute(create("ir.actions.server", values), mode="write")

    def test_ordinary_code_names_none(self):
        for text in (
            "{{ object.partner_id.lang }}",
            "records.write({'name': 'x'})",
            "<form><field name='password' password='True'/></form>",
            "record.passport_id and record.public_key",
            "env['mail.message'].search([])",
            "t-call='mail.mail_notification_light'",
        ):
            self.assertIsNone(stored_code.named_sink(text), text)
        for text in NAMING:
            self.assertTrue(stored_code.named_sink(text), text)

    def test_the_original_attack_is_not_stored_for_later(self):
        """A template with the link, sent by a scheduled action: both halves are refused."""
        body = '<a t-att-href="object.partner_id._get_signup_url()">x</a>'
        template = create(
            "mail.template", {"name": "x", "model_id": self.env["ir.model"]._get_id("res.users"), "body_html": body}
        )
        self.assert_named(template)
        found = self.run_one(search("mail.template", [["name", "=", "x"]]))
        self.assertFalse(found["records"])
