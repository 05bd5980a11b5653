"""Fields that are read where a call names none: what a person looks at first, and nothing private."""

from unittest.mock import patch

from odoo.tests import tagged

from ..gateway.reading import ranking, read, view_columns
from .gateway_common import GatewayCase, search

_TOTALS = {
    "account.move": {"name", "state", "partner_id", "invoice_date", "amount_total_in_currency_signed", "currency_id"},
    "account.move.line": {"date", "name", "partner_id", "debit", "credit"},
    "account.payment": {"name", "state", "partner_id", "date", "amount_company_currency_signed"},
    "crm.lead": {"name", "stage_id", "partner_id", "expected_revenue", "user_id"},
    "project.task": {"name", "stage_id", "project_id", "partner_id"},
    "purchase.order": {"name", "state", "partner_id", "amount_total", "currency_id"},
    "sale.order": {"name", "state", "partner_id", "date_order", "amount_total", "currency_id"},
    "sale.order.line": {"order_id", "name", "product_id", "product_uom_qty", "price_subtotal"},
    "stock.move": {"reference", "state", "date", "product_id", "product_uom_qty"},
    "stock.picking": {"name", "state", "partner_id", "scheduled_date", "origin"},
}


class ColumnsCase(GatewayCase):
    def chosen(self, model_name, user=None):
        model = self.env[model_name].with_user(user or self.settings_admin)
        return read.select_fields(model, None)[0]


@tagged("post_install", "-at_install")
class TestColumns(ColumnsCase):
    def view(self, arch, view_type="list", model="res.country", **values):
        values |= {"name": "Columns", "type": view_type, "model": model, "arch": arch, "priority": 0}
        return self.env["ir.ui.view"].create(values)

    def test_the_list_of_a_model_decides(self):
        self.view(
            """<list>
                <field name="name"/>
                <field name="phone_code"/>
                <field name="vat_label" optional="show"/>
                <field name="code" optional="hide"/>
                <field name="zip_required" column_invisible="True"/>
                <field name="state_required" invisible="1"/>
                <field name="state_ids"/>
                <field name="currency_id" widget="handle"/>
            </list>"""
        )
        self.assertEqual(self.chosen("res.country"), ["name", "phone_code", "vat_label"])
        row = self.run_one(search("res.country", fields=None, limit=1))["records"][0]
        self.assertEqual(list(row), ["id", "name", "phone_code", "vat_label"])

    def test_the_title_of_the_form_stands_first(self):
        self.view('<list><field name="phone_code"/></list>')
        self.view(
            """<form>
                <header><field name="code" widget="statusbar"/></header>
                <div class="mb-1 oe_title"><h1><field name="name"/></h1></div>
                <field name="vat_label"/>
            </form>""",
            "form",
        )
        self.assertEqual(self.chosen("res.country"), ["name", "code", "phone_code"])

    def test_a_record_is_always_named(self):
        self.view('<list><field name="phone_code"/></list>')
        self.view("<form><field name='phone_code'/></form>", "form")
        self.assertEqual(self.chosen("res.country"), ["name", "phone_code"])

    def test_columns_for_other_groups_are_left_out(self):
        self.view('<list><field name="name"/><field name="code" groups="base.group_system"/></list>')
        self.assertIn("code", self.chosen("res.country"))
        self.assertNotIn("code", self.chosen("res.country", self.user))
        self.assertIn("code", self.chosen("res.country"))

    def test_they_are_the_same_in_each_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        model = self.env["res.country"]
        self.assertEqual(
            view_columns.of(model.with_context(lang="fr_FR")), view_columns.of(model.with_context(lang="en_US"))
        )

    def test_they_are_read_once(self):
        model = self.env["res.country"].with_user(self.user)
        view_columns.of(model)
        with patch.object(view_columns, "found", side_effect=AssertionError("read again")):
            view_columns.of(model.with_context(lang="en_US"))
        self.view('<list><field name="vat_label"/></list>')
        self.assertIn("vat_label", view_columns.of(model))

    def test_a_model_without_a_list_falls_back_to_the_guess(self):
        model = self.env["ir.model.data"].with_user(self.settings_admin)
        self.env["ir.ui.view"].search([("model", "=", "ir.model.data"), ("type", "=", "list")]).unlink()
        self.assertEqual(view_columns.of(model), ())
        names = self.chosen("ir.model.data")
        self.assertIn("name", names)
        self.assertLessEqual(len(names), ranking.DEFAULT_FIELDS)

    def test_a_broken_view_falls_back_to_the_guess(self):
        model = self.env["res.country"].with_user(self.user)
        with patch.object(type(model), "get_view", side_effect=ValueError("broken")), self.assertLogs(level="WARNING"):
            self.assertIn("name", self.chosen("res.country", self.user))

    def test_named_fields_are_read_as_named(self):
        self.view('<list><field name="phone_code"/></list>')
        row = self.run_one(search("res.country", fields=["code"], limit=1))["records"][0]
        self.assertEqual(list(row), ["id", "code"])

    def test_no_secret_by_default(self):
        self.view('<list><field name="login"/><field name="password"/></list>', model="res.users")
        self.assertNotIn("password", self.chosen("res.users"))


@tagged("post_install", "-at_install", "-standard", "mcp_full")
class TestColumnsOfModules(ColumnsCase):
    def test_totals_states_names_partners_and_dates(self):
        admin = self.env.ref("base.user_admin")
        for model, expected in _TOTALS.items():
            with self.subTest(model):
                self.assertLessEqual(expected, set(self.chosen(model, admin)))

    def test_no_private_data_of_employees(self):
        admin = self.env.ref("base.user_admin")
        for model in ("hr.employee", "hr.employee.public", "hr.version"):
            with self.subTest(model):
                names = self.chosen(model, admin)
                self.assertIn("name", names)
                self.assertEqual([name for name in names if view_columns._PRIVATE.fullmatch(name)], [])
        self.assertLessEqual({"work_email", "work_phone", "department_id"}, set(self.chosen("hr.employee", admin)))

    def test_nor_where_a_list_shows_it_or_there_is_none(self):
        admin = self.env.ref("base.user_admin")
        arch = '<list><field name="name"/><field name="private_email"/><field name="birthday"/></list>'
        self.env["ir.ui.view"].create(
            {"name": "Private", "type": "list", "model": "hr.employee", "arch": arch, "priority": 0}
        )
        self.assertEqual({"private_email", "birthday"} & set(self.chosen("hr.employee", admin)), set())
        with patch.object(view_columns, "of", lambda model: ()):
            names = self.chosen("hr.employee", admin)
        self.assertEqual([name for name in names if view_columns._PRIVATE.fullmatch(name)], [])

    def test_private_data_is_read_where_it_is_asked_for(self):
        admin = self.env.ref("base.user_admin")
        names, skipped = read.select_fields(self.env["hr.employee"].with_user(admin), ["private_email"])
        self.assertEqual((names, skipped), (["private_email"], []))
