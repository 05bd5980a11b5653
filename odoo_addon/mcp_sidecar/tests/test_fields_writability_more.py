"""Setting fields of larger applications (`deploy/dev test-addon --modules full`)."""

from odoo.tests import tagged

from .gateway_common import create, write
from .test_operations_write import WritesCase


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestWritabilityOfApplications(WritesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss_proof = cls.proof_of(cls.env.ref("base.user_admin"))
        cls.env.ref("base.user_admin").group_ids += cls.env.ref("account.group_account_manager")
        cls.env.ref("base.user_admin").group_ids += cls.env.ref("analytic.group_analytic_accounting")

    def put(self, step, **changes):
        return super().put(step, proof=self.boss_proof, **changes)

    def refusal(self, step):
        return self.not_put(step, proof=self.boss_proof)

    def first(self, model, domain=()):
        return self.env[model].search(list(domain), limit=1)

    def test_amounts_and_states_of_documents(self):
        invoice = self.first("account.move", [("state", "=", "posted"), ("move_type", "=", "out_invoice")])
        cases = [
            (invoice, {"payment_state": "paid"}),
            (invoice, {"state": "draft"}),
            (invoice, {"amount_residual": 0.0}),
            (invoice, {"amount_total": 5.0}),
            (self.first("purchase.order"), {"amount_total": 5.0}),
            (self.first("purchase.order"), {"state": "done"}),
            (self.first("stock.picking", [("state", "!=", "done")]), {"state": "done"}),
            (self.first("crm.lead"), {"date_closed": "2026-01-01T00:00:00Z"}),
            (self.first("stock.quant"), {"quantity": 5.0}),
        ]
        for record, values in cases:
            with self.subTest(model=record._name, values=values):
                fault = self.refusal(write(record._name, record.ids, **values))
                self.assert_fault(fault, "invalid_value", model=record._name, field=next(iter(values)))
        self.assertIn("inventory_quantity", fault.message)

    def test_a_recurring_event(self):
        values = {
            "name": "mcp-weekly",
            "start": "2026-11-02T09:00:00Z",
            "stop": "2026-11-02T10:00:00Z",
            "recurrency": True,
            "rrule_type": "weekly",
            "mon": True,
            "end_type": "count",
            "count": 3,
        }
        result = self.put(create("calendar.event", values))
        event = self.env["calendar.event"].browse(result["records"][0]["id"])
        self.assertEqual((event.rrule_type, len(event.recurrence_id.calendar_event_ids)), ("weekly", 3))

    def test_a_quantity_that_odoo_does_not_store_is_named(self):
        quant = self.first("stock.quant", [("location_id.usage", "=", "internal"), ("quantity", ">", 0)])
        before = quant.quantity
        result = self.put(write("stock.quant", quant.ids, inventory_quantity_auto_apply=before + 5))
        stored = result["records"][0].get("stored", {})
        self.env.invalidate_all()
        self.assertEqual(stored.get("inventory_quantity_auto_apply", before + 5), quant.inventory_quantity_auto_apply)

    def test_analytic_distributions(self):
        plan = self.first("account.analytic.plan") or self.env["account.analytic.plan"].create({"name": "mcp"})
        account = self.env["account.analytic.account"].create({"name": "mcp", "plan_id": plan.id})
        line = self.first("sale.order.line", [("display_type", "=", False), ("state", "=", "draft")])
        self.put(write("sale.order.line", line.ids, analytic_distribution={str(account.id): 100}))
        self.assertEqual(line.analytic_distribution, {str(account.id): 100})
        for value in ({"999999999": 100}, {"Sales": 100}, {str(account.id): "all"}, '{"1": 100}', [account.id]):
            with self.subTest(value=value):
                fault = self.refusal(write("sale.order.line", line.ids, analytic_distribution=value))
                self.assert_fault(fault, "invalid_value", field="analytic_distribution")
        self.put(write("sale.order.line", line.ids, analytic_distribution=None))
        self.assertFalse(line.analytic_distribution)
