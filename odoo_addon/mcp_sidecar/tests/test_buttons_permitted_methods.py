"""Buttons and the wizards that they open, gone through by calls alone."""

from odoo.tests import tagged

from .gateway_common import call, create
from .test_fields_writability import SalesCase
from .test_operations_write import WritesCase


class Pressing:
    """Calls as the tools make them: a button, then the wizard that it opens in the context behind its handle."""

    proof_of_presser = None

    def press(self, record, name, handle=None):
        context = {"handle": handle} if handle else {}
        step = call(record._name, name, record.ids)
        return self.run_one(step, mode="run", proof=self.proof_of_presser, context=context)

    def fill_in(self, opened, **values):
        """The record of the wizard, with these values."""
        step = create(opened["model"], values)
        context = {"handle": opened["handle"]}
        created = self.run_one(step, mode="write", proof=self.proof_of_presser, context=context)
        return self.env[opened["model"]].browse(created["records"][0]["id"])

    def go_through(self, opened, button, **values):
        self.assertIn(button, opened["buttons"])
        return self.press(self.fill_in(opened, **values), button, opened["handle"])


@tagged("-at_install", "post_install")
class TestPresses(Pressing, SalesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        connections = cls.env["mcp.connection"].search([("user_id", "=", cls.settings_admin.id)])
        connections.method_level = "buttons"
        cls.env.flush_all()
        cls.proof_of_presser = cls.proof

    def test_a_method_answers_with_what_changed(self):
        answer = self.press(self.order, "action_confirm")
        [changed] = answer["changed"]
        self.assertEqual((changed["id"], changed["state"]), (self.order.id, "sale"))
        self.assertEqual(self.order.state, "sale")
        [changed] = self.press(self.order, "action_cancel")["changed"]
        self.assertEqual(changed["state"], "cancel")

    def test_a_button_with_an_action_opens_its_wizard(self):
        self.press(self.order, "action_confirm")
        self.order.order_line.qty_delivered = 2
        name = "sale.action_view_sale_advance_payment_inv"
        answer = self.press(self.order, name)
        opened = answer["opened"]
        self.assertEqual(opened["model"], "sale.advance.payment.inv")
        invoices = self.order.invoice_ids
        self.go_through(opened, "create_invoices", advance_payment_method="delivered")
        self.assertEqual(len(self.order.invoice_ids - invoices), 1)

    def test_handles_are_for_their_model_connection_and_time(self):
        self.press(self.order, "action_confirm")
        opened = self.press(self.order, "sale.action_view_sale_advance_payment_inv")["opened"]
        context = {"handle": opened["handle"]}
        step = create(opened["model"], {})
        foreign = self.proof_of(self.settings_admin)
        for changes in (
            {"proof": foreign},
            {"proof": self.user_proof},
            {"context": {"handle": "h_unknown"}},
            {"context": {"handle": 5}},
        ):
            fault = self.fault(step, mode="write", **{"context": context, **changes})
            self.assert_fault(fault, "invalid_context", key="handle")
        for other in (create("res.partner", {"name": "x"}), call("res.partner", "copy", self.partner.ids)):
            fault = self.fault(other, mode="run", context=context)
            self.assert_fault(fault, "invalid_context", key="handle")
            self.assertIn(opened["model"], fault.message)
        self.env.cr.execute("UPDATE mcp_handle SET created = created - interval '16 minutes'")
        self.assert_fault(self.fault(step, mode="write", context=context), "invalid_context", key="handle")

    def test_a_hidden_action_is_refused_with_the_buttons_that_there_are(self):
        action = self.env["ir.actions.act_window"].create({"name": "mcp", "res_model": "res.partner.category"})
        button = f"""<xpath expr="//header" position="inside">
            <button name="{action.id}" type="action" string="Mcp" invisible="state != 'draft'"/>
        </xpath>"""
        form = self.env.ref("sale.view_order_form").id
        self.env["ir.ui.view"].create({"name": "mcp", "model": "sale.order", "inherit_id": form, "arch": button})
        step = call("sale.order", str(action.id), self.order.ids)
        self.assertNotIn("opened", self.run_one(step, mode="run"))
        self.press(self.order, "action_cancel")
        fault = self.fault(step, mode="run")
        self.assert_fault(fault, "method_denied", model="sale.order")
        self.assertIn("action_draft", fault.message)
        for name in ("base.action_res_users", "999999999", "nothing.there"):
            fault = self.fault(call("sale.order", name, self.order.ids), mode="run")
            self.assert_fault(fault, "method_denied", model="sale.order")


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestPressesOfApplications(Pressing, WritesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        boss = cls.env.ref("base.user_admin")
        boss.group_ids += cls.env.ref("account.group_account_manager")
        boss.group_ids += cls.env.ref("stock.group_stock_manager")
        connection = cls.env["mcp.connection"].create_api_key("Presses", boss.id, "full")
        cls.env["mcp.connection"].search([("name", "=", "Presses")]).method_level = "buttons"
        cls.env.flush_all()
        from ..gateway.auth import credentials

        cls.proof_of_presser = credentials.proof(connection)
        cls.product = cls.env["product.product"].create({"name": "mcp-desk", "is_storable": True, "list_price": 100})
        stock = cls.env["stock.warehouse"].search([], limit=1).lot_stock_id
        cls.env["stock.quant"]._update_available_quantity(cls.product, stock, 50)
        line = {"product_id": cls.product.id, "product_uom_qty": 10}
        cls.order = cls.env["sale.order"].create({"partner_id": cls.partner.id, "order_line": [(0, 0, line)]})
        cls.env.flush_all()

    def delivery(self):
        self.press(self.order, "action_confirm")
        return self.order.picking_ids

    def test_a_delivery_with_a_backorder(self):
        picking = self.delivery()
        picking.move_ids.write({"quantity": 4, "picked": True})
        self.env.flush_all()
        opened = self.press(picking, "button_validate")["opened"]
        self.assertEqual(opened["model"], "stock.backorder.confirmation")
        self.go_through(opened, "process")
        self.env.invalidate_all()
        self.assertEqual(picking.state, "done")
        self.assertEqual(self.order.order_line.qty_delivered, 4)
        self.assertEqual(len(self.order.picking_ids), 2)

    def invoice(self):
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.partner.id,
                "invoice_line_ids": [(0, 0, {"product_id": self.product.id, "price_unit": 100})],
            }
        )
        self.env.flush_all()
        answer = self.press(invoice, "action_post")
        self.assertEqual(answer["changed"][0]["state"], "posted")
        return invoice

    def test_a_payment(self):
        invoice = self.invoice()
        opened = self.press(invoice, "action_register_payment")["opened"]
        self.assertEqual(opened["model"], "account.payment.register")
        self.go_through(opened, "action_create_payments")
        self.env.invalidate_all()
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))

    def test_a_reversal(self):
        invoice = self.invoice()
        opened = self.press(invoice, "action_reverse")["opened"]
        self.assertEqual(opened["model"], "account.move.reversal")
        journal = invoice.journal_id.id
        self.go_through(opened, "refund_moves", journal_id=journal)
        self.env.invalidate_all()
        self.assertEqual(invoice.reversal_move_ids.move_type, "out_refund")

    def test_an_advance_invoice(self):
        self.press(self.order, "action_confirm")
        opened = self.press(self.order, "sale.action_view_sale_advance_payment_inv")["opened"]
        self.go_through(opened, "create_invoices", advance_payment_method="percentage", amount=30.0)
        self.env.invalidate_all()
        self.assertAlmostEqual(self.order.invoice_ids.amount_untaxed, 300)

    def test_a_cancellation(self):
        picking = self.delivery()
        answer = self.press(self.order, "action_cancel")
        if "opened" in answer:
            self.go_through(answer["opened"], "action_cancel")
        self.env.invalidate_all()
        self.assertEqual((self.order.state, picking.state), ("cancel", "cancel"))
