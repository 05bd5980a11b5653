"""Secrets that Odoo shows to its administrators, or to whoever may read a record, are for no AI tool."""

import uuid
from unittest.mock import patch

from odoo.tests import tagged

from ..gateway.policy import denied_models, secret_fields
from .gateway_common import call, create, search, write
from .test_escape_attempts import WaysOutCase
from .test_reading_read import group, read, traverse

PARAMETER = "ir.config_parameter"


@tagged("-at_install", "post_install")
class TestClosedModels(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reader = cls.proof_of(cls.settings_admin, "read_only")

    def test_no_model_of_secrets_is_read(self):
        known = [name for name in denied_models.MODELS & self.env.registry.keys() if not self.env[name]._abstract]
        for model in known:
            fault = self.fault(search(model, fields=None), proof=self.reader)
            self.assert_fault(fault, "access_denied", model=model, operation="read")
            self.assertIn("No AI tool may use", fault.message)

    def test_no_operation_reaches_a_parameter(self):
        secret = [["key", "=", "database.secret"]]
        parameter = self.env[PARAMETER].search([("key", "=", "database.secret")])
        for step in (
            search(PARAMETER, secret, ["value"]),
            read(PARAMETER, parameter.ids, ["value"]),
            {"op": "search_count", "model": PARAMETER, "domain": secret},
            {"op": "name_search", "model": PARAMETER, "name": "database", "domain": [], "limit": 1},
            group(PARAMETER, ["value"]),
            traverse(PARAMETER, parameter.ids, ["create_uid"]),
            call(PARAMETER, "search_read", [], secret, ["value"]),
            call(PARAMETER, "read", parameter.ids, ["value"]),
            call(PARAMETER, "onchange", parameter.ids, {}, [], {"value": {}}),
        ):
            with self.subTest(step):
                self.assert_fault(self.fault(step, proof=self.reader), "access_denied", model=PARAMETER)
        for step in (
            call(PARAMETER, "get_param", [], "database.secret"),
            call(PARAMETER, "set_param", [], "database.secret", "known"),
            call(PARAMETER, "export_data", parameter.ids, ["value"]),
            write(PARAMETER, parameter.ids, value="known"),
            create(PARAMETER, {"key": "mcp", "value": "known"}),
        ):
            with self.subTest(step):
                self.assert_fault(self.tried(step), "access_denied", model=PARAMETER)
        # by code as well, where it runs as the user
        fault = self.tried(self.run_code("env['ir.config_parameter'].get_param('database.secret')"))
        self.assertIn(f"No AI tool may use the model {PARAMETER}", fault.message)

    def test_none_is_reached_along_a_relation(self):
        self.assertEqual(self.env["ir.mail_server"]._fields["smtp_pass"].type, "char")
        field = self.env["res.partner"]._fields["parent_id"]
        self.patch(field, "comodel_name", "ir.mail_server")
        for step in (
            search("res.partner", [["parent_id.smtp_host", "like", "a"]]),
            search("res.partner", [["parent_id", "any", [["smtp_host", "like", "a"]]]]),
            traverse("res.partner", self.user.partner_id.ids, ["parent_id"]),
        ):
            with self.subTest(step):
                self.assert_fault(self.fault(step, proof=self.reader), "access_denied", model="ir.mail_server")

    def test_they_are_not_in_the_schema(self):
        asked = {"proof": self.reader, "lang": None, "models": None}
        names = {told["model"] for told in self.ask("schema", asked)["models"]}
        self.assertIn("ir.cron", names)
        self.assertFalse(names & denied_models.MODELS)
        fault = self.refused(lambda: self.ask("schema", {**asked, "models": [PARAMETER]}))
        self.assert_fault(fault, "unknown_model", model=PARAMETER)

    def test_nothing_that_odoo_remembers_is_narrowed(self):
        menus = self.env["ir.ui.menu"].with_user(self.settings_admin)
        rules = self.env["ir.rule"].with_user(self.settings_admin)
        model = "mail.message" if "mail.message" in self.env else "ir.attachment"

        def remembered():
            return menus._visible_menu_ids(), rules._compute_domain(model)

        before = remembered()
        self.env.registry.clear_all_caches()
        self.execute(call("ir.ui.menu", "load_menus", [], False), search(model, fields=None), mode="run")
        self.assertEqual(remembered(), before)

    def test_odoo_reads_them_as_ever(self):
        code = "env.user.partner_id.write({'comment': env['ir.config_parameter'].sudo().get_param('database.uuid')})"
        self.execute(self.run_code(code), mode="run")
        self.assertIn(self.env[PARAMETER].get_param("database.uuid"), self.settings_admin.partner_id.comment)
        # and people do, where no call runs
        parameters = self.env[PARAMETER].with_user(self.settings_admin)
        self.assertTrue(parameters.search([("key", "=", "database.secret")]).value)


@tagged("-at_install", "post_install")
class TestSecretFields(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = str(uuid.uuid4())
        values = {"name": "mcp-secret", "access_token": cls.token, "public": True}
        cls.attachment = cls.env["ir.attachment"].create(values)
        cls.mine = [["id", "=", cls.attachment.id]]
        cls.reader = cls.proof_of(cls.settings_admin, "read_only")

    def assert_hidden(self, *steps, **data):
        for step in steps:
            with self.subTest(step):
                fault = self.tried(step)
                self.assert_fault(fault, "access_denied", model="ir.attachment", **data)
                self.assertIn("access_token", fault.message)

    def test_a_secret_is_left_out_and_named(self):
        for step in (
            search("ir.attachment", self.mine, ["name", "access_token"]),
            read("ir.attachment", self.attachment.ids, ["name", "access_token"]),
        ):
            result = self.run_one(step, proof=self.reader)
            self.assertEqual(result["records"], [{"id": self.attachment.id, "name": "mcp-secret"}])
            self.assertEqual(result["skipped_fields"], ["access_token"])

    def test_nothing_is_searched_ordered_or_grouped_by_it(self):
        guess = [["access_token", "=like", self.token[:3] + "%"]]
        self.assert_hidden(
            search("ir.attachment", guess),
            search("ir.attachment", [["id", "any", guess]]),
            {"op": "search_count", "model": "ir.attachment", "domain": guess},
            {"op": "name_search", "model": "ir.attachment", "name": "", "domain": guess, "limit": 1},
            search("ir.attachment", self.mine, order="access_token"),
            group("ir.attachment", ["access_token"]),
            group("ir.attachment", [], ["access_token:max"]),
            group("ir.attachment", ["name"], having=[["access_token:max", "=", "x"]]),
            field="access_token",
        )

    def test_no_method_tells_it(self):
        guess = [["access_token", "=like", self.token[:3] + "%"]]
        ids, model = self.attachment.ids, "ir.attachment"
        self.assert_hidden(
            call(model, "read", ids, ["access_token"]),
            call(model, "search_read", [], self.mine, ["access_token"]),
            call(model, "web_read", ids, {"access_token": {}}),
            call(model, "web_search_read", [], self.mine, {"access_token": {}}),
            call(model, "export_data", ids, ["name", "access_token"]),
            call(model, "search", [], guess),
            call(model, "search", [], self.mine, order="access_token"),
            call(model, "search_count", [], guess),
            call(model, "name_search", [], "", guess),
            call(model, "formatted_read_group", [], self.mine, ["access_token"], ["__count"]),
            call(model, "formatted_read_group", [], self.mine, ["name"], ["access_token:max"]),
            call(model, "web_read_group", [], self.mine, ["access_token"], ["__count"]),
            call(model, "onchange", ids, {"name": "x"}, ["name"], {"name": {}, "access_token": {}}),
        )
        for step in (
            call(model, "read", ids),
            call(model, "search_read", [], self.mine),
            call(model, "copy_data", ids),
            call(model, "fields_get"),
        ):
            with self.subTest(step):
                result = self.run_one(step, mode="run")["result"]
                self.assertTrue(result)
                self.assertNotIn(self.token, str(result))
                self.assertNotIn("access_token", str(result))

    def test_none_is_set(self):
        known = {"access_token": "known"}
        for step in (
            write("ir.attachment", self.attachment.ids, **known),
            create("ir.attachment", {"name": "mcp", **known}),
            call("ir.attachment", "write", self.attachment.ids, known),
            call("ir.attachment", "create", [], [{"name": "mcp", **known}]),
            call("ir.attachment", "copy", self.attachment.ids, known),
        ):
            with self.subTest(step):
                self.assert_fault(self.tried(step), "access_denied", model="ir.attachment", field="access_token")

    def test_no_method_makes_one(self):
        step = call("ir.attachment", "generate_access_token", self.attachment.ids)
        self.assert_fault(self.tried(step), "method_denied", method="generate_access_token")

    def test_it_is_not_in_the_schema(self):
        asked = {"proof": self.proof, "lang": None, "models": ["ir.attachment"]}
        names = {field["name"] for field in self.ask("schema", asked)["fields"]["ir.attachment"]}
        self.assertIn("name", names)
        self.assertNotIn("access_token", names)

    def test_no_code_copies_it(self):
        record = f"env['ir.attachment'].browse({self.attachment.id})"
        for value in (
            f"{record}.access_token",
            f"{record}.sudo().access_token",
            f"{record}['access_token']",
            f"{record}.sudo().mapped('access_token')[0]",
            f"[r.access_token for r in {record}][0]",
            f"{record}.sudo().filtered(lambda r: r.access_token).mapped(lambda r: r.access_token)[0]",
            f"{record}.sudo()._read_format(['access_token'])[0]['access_token']",
            f"{record}.sudo().generate_access_token()[0]",
        ):
            self.env.invalidate_all()
            self.execute(self.run_code(f"{record}.write({{'name': {value}}})"), mode="run")
            self.assertNotIn(self.token, self.attachment.name, value)
        guess = f"env['ir.attachment'].sudo().search_count([('access_token', '=like', '{self.token[:3]}%')])"
        self.assert_fault(self.tried(self.run_code(guess)), "access_denied")
        self.assertEqual(self.attachment.access_token, self.token)

    def test_odoo_uses_it_as_ever(self):
        self.env.invalidate_all()
        # Odoo's own code lets those in who show the token
        code = f"env['ir.attachment'].browse({self.attachment.id})._can_return_content(access_token='{self.token}')"
        found = self.run_one(self.run_code(f"action = {{'ok': {code}}}"), mode="run")
        self.assertTrue(found["result"]["ok"])
        # and people do, where no call runs
        attachment = self.attachment.with_user(self.settings_admin)
        self.assertEqual(attachment.read(["access_token"])[0]["access_token"], self.token)
        self.assertIn("access_token", attachment.fields_get())

    def test_which_fields_are_secret(self):
        for name in (
            "access_token",
            "account_token",
            "adyen_api_key",
            "google_calendar_rtoken",
            "new_passwd",
            "password",
            "pin",
            "smtp_pass",
            "stripe_webhook_secret",
            "visibility_password_display",
            "x_api_key_2",
        ):
            self.assertTrue(secret_fields.is_name(name), name)
        for name in (
            "key",
            "grouping_key",
            "passport_id",
            "public_key",
            "secretary",
            "shipping",
            "tokenize",
            "token_url",
        ):
            self.assertFalse(secret_fields.is_name(name), name)
        for model, name in (
            ("res.users", "password"),
            ("ir.mail_server", "smtp_pass"),
            ("ir.attachment", "access_token"),
        ):
            self.assertIn(name, secret_fields.names_of(self.env[model]))
        # what has such a name and is no text only tells about a secret
        for name, model in self.env.items():
            types = {model._fields[secret].type for secret in secret_fields.names_of(model)}
            self.assertLessEqual(types, {"char", "text", "html", "binary"}, name)

    def test_what_shows_a_secret_by_another_name_is_one(self):
        field = self.env["ir.attachment"]._fields["description"]
        for path, store, secret in (
            ("original_id.access_token", False, True),
            ("access_token", False, True),
            # a value of its own, made when the secret was
            ("access_token", True, False),
            ("original_id.name", False, False),
        ):
            self.patch(field, "store", store)
            with patch.dict(self.env.registry.field_depends, {field: (path,)}):
                self.assertEqual(field.name in secret_fields.compute_names(self.env, "ir.attachment"), secret, path)


@tagged("-at_install", "post_install")
class TestClosedRows(WaysOutCase):
    def test_no_mail_about_accounts_is_found(self):
        if "mail.message" not in self.env:
            self.skipTest("needs messages")
        values = {"body": "mcp-closed", "message_type": "comment"}
        account, contact = self.env["mail.message"].create(
            [
                {**values, "model": "res.users", "res_id": self.settings_admin.id},
                {**values, "model": "res.partner", "res_id": self.settings_admin.partner_id.id},
            ]
        )
        domain = [["body", "like", "mcp-closed"]]
        found = self.run_one(search("mail.message", domain, ["body"]))["records"]
        self.assertEqual([row["id"] for row in found], contact.ids)
        self.assertEqual(
            self.run_one(call("mail.message", "search", [], domain), mode="run")["result"]["ids"], contact.ids
        )
        self.assertEqual(self.run_one(read("mail.message", account.ids, ["body"]))["missing"], account.ids)
        self.assertIn(account, self.env["mail.message"].with_user(self.settings_admin).search(domain))


@tagged("-at_install", "post_install")
class TestSecretsInAnswers(WaysOutCase):
    def test_a_link_loses_its_token(self):
        link = "https://odoo.example.com/my/orders/7?x=1&access_token=12-ab&amp;hash=cd#top"
        told = "https://odoo.example.com/my/orders/7?x=1&access_token=…&amp;hash=…#top"
        self.assertEqual(secret_fields.redact_links(link), told)
        self.settings_admin.partner_id.comment = f"<p>{link.replace('&amp;', '&')}</p>"
        self.env.flush_all()
        result = self.run_one(read("res.partner", self.settings_admin.partner_id.ids, ["comment"]))
        self.assertEqual(
            result["records"][0]["comment"], f"<p>{told.replace('&hash', '&amp;hash')}</p>".replace("1&a", "1&amp;a")
        )

    def test_a_method_answers_without_secrets(self):
        answer = {"url": "/my?access_token=ab&b=1", "access_token": "ab", "value": [{"api_key": "ab", "token_id": 1}]}
        step = self.run_code(f"action = {answer!r}")
        result = self.run_one(step, mode="run")["result"]
        self.assertEqual(result, {"url": "/my?access_token=…&b=1", "value": [{"token_id": 1}]})

    def test_the_link_to_the_portal_is_answered_without_token(self):
        if "sale.order" not in self.env:
            self.skipTest("needs documents of the portal")
        order = self.env["sale.order"].create({"partner_id": self.portal.partner_id.id})
        self.settings_admin.group_ids += self.env.ref("sales_team.group_sale_manager")
        for name in ("get_portal_url", "action_preview_sale_order"):
            result = self.run_one(call("sale.order", name, order.ids), mode="run")["result"]
            self.assertIn("access_token=…", str(result))
            self.assertTrue(order.access_token)
            self.assertNotIn(order.access_token, str(result))
