"""Which fields may be set, in which forms, and what an answer says of what was stored."""

import base64

from odoo.tests import tagged
from odoo.tools import html2plaintext

from .gateway_common import call, create, write
from .test_operations_write import PIXEL, WritesCase


class SalesCase(WritesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings_admin.group_ids += cls.env.ref("sales_team.group_sale_manager")
        cls.settings_admin.group_ids += cls.env.ref("account.group_account_user")
        cls.product = cls.env["product.product"].create({"name": "mcp-chair", "list_price": 10, "type": "service"})
        cls.orders = cls.env["sale.order"].create([cls.order_values() for _number in range(2)])
        cls.order, cls.other = cls.orders
        cls.env.flush_all()

    @classmethod
    def order_values(cls, lines=3):
        line = {"product_id": cls.product.id, "product_uom_qty": 2}
        return {"partner_id": cls.partner.id, "order_line": [(0, 0, line) for _number in range(lines)]}

    def change(self, record, **values):
        """What the answer says of the record, and its notes."""
        answer = self.put(write(record._name, record.ids, **values))
        return answer["records"][0].get("stored", {}), answer.get("notes", [])

    def refused_value(self, record, field, value):
        fault = self.not_put(write(record._name, record.ids, **{field: value}))
        self.assert_fault(fault, "invalid_value", model=record._name, field=field)
        return fault.message


@tagged("-at_install", "post_install")
class TestWritability(SalesCase):
    def test_computed_and_related_fields_are_refused_with_what_they_follow_from(self):
        line = self.order.order_line[0]
        cases = [
            (self.order, "amount_total", 5.0, "order_line"),
            (self.order, "invoice_status", "invoiced", "order_line"),
            (line, "qty_invoiced", 2.0, "invoice_lines"),
            (line, "price_subtotal", 2.0, "price_unit"),
            (line, "order_partner_id", self.partner.id, "order_id.partner_id"),
            (self.partner, "complete_name", "x", "name"),
            (self.partner, "display_name", "x", "name"),
            (self.partner, "commercial_partner_id", self.partner.id, "parent_id"),
        ]
        for record, field, value, source in cases:
            with self.subTest(field=field):
                self.assertIn(source, self.refused_value(record, field, value))
        self.assertEqual(self.order.amount_untaxed, 60)

    def test_a_state_of_a_status_bar_is_refused(self):
        message = self.refused_value(self.order, "state", "sale")
        self.assertIn("has now: ", message)
        self.assertIn('action_confirm ("Confirm")', message)
        self.assertNotIn("action_draft", message)
        move = self.env["account.move"].with_context(default_journal_id=False)
        values = {"partner_id": self.partner.id, "move_type": "entry", "state": "posted"}
        fault = self.not_put(create("account.move", values))
        self.assert_fault(fault, "invalid_value", model=move._name, field="state")

    def test_a_new_record_may_name_its_default(self):
        values = {"partner_id": self.partner.id, "state": "draft"}
        self.put(create("sale.order", values))
        fault = self.not_put(create("sale.order", {**values, "state": "sale"}))
        self.assert_fault(fault, "invalid_value", field="state")

    def test_editable_computed_fields_are_taken(self):
        line = self.order.order_line[0]
        self.assertEqual(self.change(line, price_unit=7.0), ({}, []))
        self.assertEqual(self.change(self.partner, company_type="company"), ({}, []))
        self.assertEqual((line.price_subtotal, self.partner.is_company), (14, True))
        # taken from the contact that a user is built on
        user = self.env["res.users"].create({"name": "mcp-u", "login": "mcp-u"})
        self.assertEqual(self.change(user, phone="+32 2 290 34 90"), ({}, []))

    def test_plain_read_only_texts_and_links_are_taken_and_named(self):
        field = self.env["res.partner"]._fields["ref"]
        self.patch(field, "readonly", True)
        stored, notes = self.change(self.partner, ref="mcp-ref")
        self.assertEqual((stored, self.partner.ref), ({}, "mcp-ref"))
        self.assertEqual(len(notes), 1)
        self.assertIn("ref of res.partner is read-only", notes[0])

    def test_plain_read_only_numbers_and_dates_are_refused(self):
        for name, value in (("color", 3), ("partner_latitude", 1.5)):
            self.patch(self.env["res.partner"]._fields[name], "readonly", True)
            self.assertIn("Odoo itself keeps", self.refused_value(self.partner, name, value))
        self.assertFalse(self.partner.color)

    def test_the_same_holds_for_lines_batches_and_methods(self):
        line = {"product_id": self.product.id, "price_subtotal": 1.0}
        model, mode = "sale.order", {"mode": "run"}
        for step in (
            write(model, self.order.ids, order_line=[[0, 0, line]]),
            write(model, self.order.ids, order_line=[[1, self.order.order_line[0].id, {"price_subtotal": 1.0}]]),
            create(
                model, {"partner_id": self.partner.id}, {"partner_id": self.partner.id, "order_line": [[0, 0, line]]}
            ),
            call(model, "write", self.order.ids, {"amount_total": 5.0}),
            call(model, "create", [], {"partner_id": self.partner.id, "amount_total": 5.0}),
            call(model, "create", [], [{"partner_id": self.partner.id, "state": "sale"}]),
            call(model, "copy", self.order.ids, {"state": "sale"}),
            call(model, "web_save", self.order.ids, {"state": "sale"}, {}),
            call(model, "write", self.order.ids, vals={"state": "sale"}),
            call(model, "load", [], ["partner_id/.id", "state"], [[str(self.partner.id), "sale"]]),
            call(model, "load", [], ["partner_id/.id", "order_line/price_subtotal"], [[str(self.partner.id), "1"]]),
        ):
            with self.subTest(step=step):
                fault = self.fault(step, **mode)
                self.assertEqual(fault.code, "invalid_value", fault.message)
        answer = self.run_one(call(model, "write", self.order.ids, {"client_order_ref": "mcp"}), mode="run")
        self.assertTrue(answer["result"])
        self.assertEqual((self.order.state, self.order.client_order_ref), ("draft", "mcp"))

    # === Null ===

    def test_null_clears_or_is_refused(self):
        self.partner.write({"category_id": [(6, 0, self.tags.ids)], "color": 3})
        self.change(self.partner, category_id=None, color=None, ref=None, country_id=None)
        self.assertFalse(self.partner.category_id or self.partner.color)
        for record, field in ((self.partner, "active"), (self.partner, "is_company"), (self.order, "partner_id")):
            with self.subTest(field=field):
                self.refused_value(record, field, None)
        fault = self.not_put(write("sale.order", self.order.ids, order_line=None))
        self.assert_fault(fault, "invalid_command", field="order_line")
        self.assertTrue(self.partner.active)
        self.assertEqual(len(self.order.order_line), 3)
        self.put(create("sale.order", {"partner_id": self.partner.id, "order_line": None}))

    # === What was stored ===

    def test_the_answer_names_what_was_stored_differently(self):
        line = self.order.order_line[0]
        stored, notes = self.change(line, discount=7.123456, name="plain")
        self.assertEqual(stored, {"discount": 7.12})
        self.assertIn("stored", notes[0])
        # a contact has the address of its company
        parent = self.env["res.partner"].create({"name": "mcp-parent", "street": "Main street 1", "is_company": True})
        child = self.env["res.partner"].create({"name": "c", "street": "Other street 2"})
        stored, _notes = self.change(child, parent_id=parent.id, street="Another street 3")
        self.assertEqual(stored, {"street": "Main street 1"})

    def test_creating_says_so_too(self):
        answer = self.put(
            create("res.partner", {"name": "mcp-a", "comment": "<p onclick='x()'>x</p>"}, {"name": "mcp-b"})
        )
        first, second = answer["records"]
        self.assertEqual(first["stored"], {"comment": "<p>x</p>"})
        self.assertNotIn("stored", second)

    def test_text_that_is_no_html_is_escaped(self):
        cases = {
            "Write to <ana@example.com> & wait\nThanks": "Write to <ana@example.com> & wait\nThanks",
            "<p>Write to <ana@example.com></p>": "Write to <ana@example.com>",
            "1 < 2 and 3 > 2": "1 < 2 and 3 > 2",
            "<b>bold</b>": "*bold*",
            "Tom &amp; Jerry": "Tom & Jerry",
        }
        for sent, read in cases.items():
            with self.subTest(sent=sent):
                self.assertEqual(self.change(self.partner, comment=sent), ({}, []))
                self.env.invalidate_all()
                self.assertEqual(html2plaintext(self.partner.comment), read)

    # === Content ===

    def test_base64_in_the_forms_that_callers_send(self):
        content = b"\xfb\xff\xfe mcp"
        plain = base64.b64encode(content).decode()
        forms = (plain, f"{plain[:4]}\r\n {plain[4:]}", f"data:text/plain;charset=utf-8;base64,{plain}")
        for form in (*forms, base64.urlsafe_b64encode(content).decode(), plain.rstrip("=")):
            for field in ("datas", "raw"):
                with self.subTest(form=form, field=field):
                    answer = self.put(create("ir.attachment", {"name": "mcp.bin", field: form}))
                    attachment = self.env["ir.attachment"].browse(answer["records"][0]["id"])
                    self.assertEqual(attachment.raw, content)
                    self.assertNotIn("stored", answer["records"][0])
        for wrong, why in (("no base64!", '"!"'), ("abcde", "length"), ("data:text/plain,x", "base64"), (5, "text")):
            fault = self.not_put(create("ir.attachment", {"name": "mcp.bin", "raw": wrong}))
            self.assert_fault(fault, "invalid_value", field="raw")
            self.assertIn(why, fault.message)
        self.assertEqual(self.change(self.partner, image_1920=f"data:image/png;base64,{PIXEL}"), ({}, []))

    # === Links ===

    def test_dangling_references_are_refused(self):
        partners = self.env["ir.model"]._get("res.partner")
        for step, field in (
            (create("ir.attachment", {"name": "x", "res_model": "res.partner", "res_id": 999999999}), "res_id"),
            (create("mail.activity", {"res_model_id": partners.id, "res_id": 999999999}), "res_id"),
            (write("res.partner", self.partner.ids, category_id=[[4, 999999999]]), "category_id"),
            (write("res.partner", self.partner.ids, category_id=[999999999]), "category_id"),
            (write("res.partner", self.partner.ids, parent_id=999999999), "parent_id"),
        ):
            with self.subTest(field=field):
                fault = self.not_put(step)
                self.assertIn(fault.code, ("invalid_value", "invalid_command"))
                self.assertEqual(fault.data["field"], field)
                self.assertIn("999999999", fault.message)
        self.put(create("ir.attachment", {"name": "x", "res_model": "res.partner", "res_id": self.partner.id}))
        self.put(create("mail.activity", {"res_model_id": partners.id, "res_id": self.partner.id, "summary": "x"}))
        fault = self.not_put(create("mail.activity", {"res_model": "res.partner", "res_id": self.partner.id}))
        self.assert_fault(fault, "invalid_value", field="res_model")
        self.assertIn("res_model_id", fault.message)
