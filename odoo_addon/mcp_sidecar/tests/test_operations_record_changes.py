"""Changes, deletions and buttons answer with what the records are called, what state they are in, and what changed."""

from odoo.tests import tagged

from .gateway_common import GatewayCase, call, create, write


def unlink(model, ids):
    return {"op": "unlink", "model": model, "ids": ids}


@tagged("post_install", "-at_install")
class TestNamedChanges(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner, cls.other = cls.env["res.partner"].create([{"name": "Named A"}, {"name": "Named B"}])

    def test_a_deletion_names_what_is_gone(self):
        ids = [self.other.id, self.partner.id]
        answer = self.run_one(unlink("res.partner", ids), mode="write")
        names = [{"id": ids[0], "display_name": "Named B"}, {"id": ids[1], "display_name": "Named A"}]
        self.assertEqual(answer, {"deleted": ids, "records": names})

    def test_a_dry_deletion_names_it_too(self):
        fault = self.fault(unlink("res.partner", self.partner.ids), mode="write", dry_run=True)
        self.assertEqual(fault.data["results"][0]["records"][0]["display_name"], "Named A")
        self.assertTrue(self.partner.exists())

    def test_a_deletion_of_what_has_no_name_of_its_own(self):
        attachment = self.env["ir.attachment"].create({"name": "Named file", "res_model": "res.partner"})
        answer = self.run_one(unlink("ir.attachment", attachment.ids), mode="write")
        self.assertEqual(answer["records"], [{"id": attachment.id, "display_name": "Named file"}])

    def test_a_change_says_what_changed_with_it(self):
        step = write("res.partner", [self.partner.id, self.other.id], name="Named B", email="b@example.com")
        first, second = self.run_one(step, mode="write")["records"]
        self.assertEqual(first["display_name"], "Named B")
        self.assertLessEqual({"name": "Named B", "email": "b@example.com"}.items(), first["changed"].items())
        self.assertIn("complete_name", first["changed"])
        self.assertEqual(second["changed"].get("email"), "b@example.com")
        self.assertNotIn("name", second["changed"])

    def test_a_change_of_nothing_says_nothing(self):
        row = self.run_one(write("res.partner", self.partner.ids, name="Named A"), mode="write")["records"][0]
        self.assertEqual(row, {"id": self.partner.id, "display_name": "Named A"})

    def test_a_change_of_many_records_names_them(self):
        partners = self.env["res.partner"].create([{"name": f"Named {n}"} for n in range(12)])
        rows = self.run_one(write("res.partner", partners.ids, comment="x"), mode="write")["records"]
        self.assertEqual([row["display_name"] for row in rows], partners.mapped("display_name"))
        self.assertNotIn("changed", rows[0])

    def test_a_new_record_is_named(self):
        row = self.run_one(create("res.partner", {"name": "Named C"}), mode="write")["records"][0]
        self.assertEqual(row["display_name"], "Named C")

    def test_a_method_answers_with_name_and_what_changed(self):
        answer = self.run_one(call("res.partner", "action_archive", self.partner.ids), mode="run")
        self.assertEqual(answer["changed"], [{"id": self.partner.id, "display_name": "Named A", "active": False}])
        self.assertEqual(answer["records"], [{"id": self.partner.id, "display_name": "Named A"}])

    def test_a_method_that_changes_nothing_still_names_the_records(self):
        answer = self.run_one(call("res.partner", "action_unarchive", self.partner.ids), mode="run")
        self.assertNotIn("changed", answer)
        self.assertEqual(answer["records"][0]["display_name"], "Named A")

    def test_a_method_that_deletes_names_what_is_gone(self):
        answer = self.run_one(call("res.partner", "unlink", self.partner.ids), mode="run")
        gone = {"id": self.partner.id, "display_name": "Named A", "deleted": True}
        self.assertEqual(answer["changed"], [gone])
        self.assertNotIn("records", answer)

    def test_the_state_is_told(self):
        field = self.env.ref("base.field_res_partner__name")
        answer = self.run_one(call("ir.model.fields", "read", field.ids, ["state"]), mode="run")
        self.assertNotIn("records", answer, "a reading method changes nothing")
        module = self.env["base.language.install"].create({"lang_ids": self.env.ref("base.lang_fr").ids})
        answer = self.run_one(call("base.language.install", "write", module.ids, {"overwrite": False}), mode="run")
        self.assertEqual([row["id"] for row in answer["records"]], module.ids)

    def test_what_its_user_may_not_see_afterwards_has_no_name(self):
        # Odoo draws the color by lot where none is given
        tag = self.env["res.partner.category"].create({"name": "Named tag", "color": 1})
        self.env["ir.rule"].create(
            {
                "name": "Named rule",
                "model_id": self.env.ref("base.model_res_partner_category").id,
                "domain_force": "[('color', '!=', 9)]",
                "perm_write": False,
                "perm_create": False,
                "perm_unlink": False,
            }
        )
        row = self.run_one(write("res.partner.category", tag.ids, color=9), mode="write")["records"][0]
        self.assertEqual(row["id"], tag.id)
        self.assertNotIn("changed", row)


@tagged("post_install", "-at_install", "-standard", "mcp_full")
class TestNamedChangesOfModules(GatewayCase):
    def test_a_button_answers_with_name_state_and_what_changed(self):
        admin = self.env.ref("base.user_admin")
        proof = self.proof_of(admin, level="buttons")
        partner = self.env["res.partner"].create({"name": "Named customer"})
        product = self.env["product.product"].create({"name": "Named desk", "list_price": 10})
        order = self.env["sale.order"].create(
            {"partner_id": partner.id, "order_line": [(0, 0, {"product_id": product.id})]}
        )
        answer = self.run_one(call("sale.order", "action_confirm", order.ids), mode="run", proof=proof)
        self.assertEqual(answer["records"], [{"id": order.id, "display_name": order.name, "state": "sale"}])
        [changed] = answer["changed"]
        self.assertEqual((changed["display_name"], changed["state"]), (order.name, "sale"))
        row = self.run_one(
            write("sale.order.line", order.order_line.ids, product_uom_qty=3), mode="write", proof=proof
        )["records"][0]
        self.assertEqual(row["changed"]["price_subtotal"], 30)
        lead = self.env["crm.lead"].create({"name": "Named lead"})
        answer = self.run_one(call("crm.lead", "action_set_won_rainbowman", lead.ids), mode="run", proof=proof)
        self.assertEqual(answer["records"][0]["stage_id"], answer["changed"][0]["stage_id"])
