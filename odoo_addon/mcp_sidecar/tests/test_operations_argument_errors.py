"""A mistake of the caller is named; a fault of Odoo is not blamed on the caller."""

from unittest.mock import patch

from odoo.exceptions import RedirectWarning, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .gateway_common import GatewayCase, call, create, write

LOGS = ("odoo.sql_db", "odoo.addons.mcp_sidecar.gateway.rpc.faults")


@tagged("-at_install", "post_install")
class TestMistakes(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner = cls.env["res.partner"].create({"name": "Deco Addict"})
        cls.currency = cls.env.company.currency_id
        cls.env.flush_all()

    def run_fault(self, step):
        with mute_logger(*LOGS):
            return self.fault(step, mode="run")

    def assert_named(self, step, *parts):
        fault = self.run_fault(step)
        self.assertEqual(fault.code, "bad_request", fault.message)
        self.assertEqual(fault.data["at"], "steps.0.args")
        for part in (step["method"], *parts):
            self.assertIn(part, fault.message)

    # === Arguments that a method doesn't have ===

    def test_a_mismatch_names_the_parameters_that_there_are(self):
        activity = self.partner.activity_schedule("mail.mail_activity_data_todo", summary="x")
        self.env.flush_all()
        for step, wrong, takes in (
            (call("mail.activity", "action_feedback", activity.ids, text="x"), "'text'", "feedback, attachment_ids"),
            (call("res.partner", "name_create"), "'name'", "name (required)"),
            (call("res.currency", "round", self.currency.ids, 1.5, 2), "too many positional", "amount (required)"),
            (call("res.partner", "copy", self.partner.ids, values={}), "'values'", "default"),
            (call("res.partner", "action_archive", self.partner.ids, 1), "too many", "It takes no arguments."),
        ):
            with self.subTest(step["method"]):
                self.assert_named(step, wrong, takes)

    def test_a_keyword_that_overrides_hand_on_is_named(self):
        for step in (
            call("res.partner", "message_post", self.partner.ids, body="x", colour="red"),
            call("res.partner", "activity_schedule", self.partner.ids, colour="red"),
            call("res.partner", "search_read", [], [], ["name"], colour="red"),
        ):
            with self.subTest(step["method"]):
                self.assert_named(step, "colour")

    # === Values of the wrong type ===

    def test_a_value_of_the_wrong_type_is_named_with_its_argument(self):
        partner, currency = self.partner.ids, self.currency.ids
        for step, place in (
            (call("res.currency", "round", currency, "much"), "amount"),
            (call("res.currency", "round", currency, None), "amount"),
            (call("res.currency", "is_zero", currency, {"a": 1}), "amount"),
            (call("res.currency", "compare_amounts", currency, 1.5, "x"), "amount2"),
            (call("res.partner", "address_get", partner, 5), "adr_pref"),
            (call("res.partner", "name_create", [], 5), "name"),
            (call("res.partner", "activity_schedule", partner, date_deadline="soon"), "date_deadline"),
            (call("res.partner", "activity_schedule", partner, date_deadline=5), "date_deadline"),
            (call("res.partner", "activity_schedule", partner, act_type_xmlid=7), "act_type_xmlid"),
            (call("res.partner", "message_post", partner, body="b", partner_ids=["six"]), "partner_ids"),
            (call("res.partner", "message_post", partner, body="b", attachments=["six"]), "attachments"),
            (call("res.partner", "message_post", partner, body="b", message_type="blah"), "message_type"),
            (call("res.partner", "search", [], [], limit="many"), "limit"),
            (call("res.partner", "search_read", [], [], 5), "fields"),
            (call("res.partner", "export_data", partner, [5]), "fields_to_export[0]"),
            (call("res.partner", "has_access", [], "fly"), "operation"),
            (call("res.partner", "get_views", [], 5), "views"),
            (call("ir.model.data", "check_object_reference", [], "base", "nothing"), "xml_id"),
        ):
            with self.subTest(step["method"], place=place):
                self.assert_named(step, f"(sent in {place}")

    def test_what_should_be_values_by_field_name_is_no_such_thing(self):
        for step in (
            call("res.partner", "write", self.partner.ids, 5),
            call("res.partner", "write", self.partner.ids, ["name"]),
            call("res.partner", "create", [], "Ana"),
            call("res.partner", "create", [], ["Ana"]),
            call("res.partner", "create", [], None),
            call("res.partner", "copy", self.partner.ids, "Ana"),
        ):
            with self.subTest(step["method"]):
                self.assert_named(step, "takes values by field name")
        self.assertTrue(self.run_one(call("res.partner", "copy", self.partner.ids), mode="run")["result"])

    def test_values_that_other_methods_take_are_checked(self):
        partner = type(self.env["res.partner"])
        taken = []

        def plan_meeting(records, vals):
            taken.append(vals)
            return True

        with patch.object(partner, "plan_meeting", plan_meeting, create=True):
            fault = self.run_fault(call("res.partner", "plan_meeting", self.partner.ids, {"color": "red"}))
            self.assert_fault(fault, "invalid_value", model="res.partner", field="color")
            self.run_one(call("res.partner", "plan_meeting", self.partner.ids, {"color": 3.0}), mode="run")
            self.run_one(call("res.partner", "plan_meeting", self.partner.ids, {"room": "red"}), mode="run")
        self.assertEqual(taken, [{"color": 3}, {"room": "red"}])

    # === Records ===

    def test_a_method_of_one_record_is_called_on_several(self):
        both = (self.partner + self.env.user.partner_id).ids
        with patch.object(type(self.partner), "one_only", lambda self: self.ensure_one().name, create=True):
            fault = self.run_fault(call("res.partner", "one_only", both))
            self.assertIn("one record at a time", fault.message)
            self.assertEqual(fault.code, "bad_request")
            result = self.run_one(call("res.partner", "one_only", self.partner.ids), mode="run")
            self.assertEqual(result["result"], "Deco Addict")
        with patch.object(type(self.partner), "needs_parent", lambda self: self.parent_id.ensure_one(), create=True):
            fault = self.run_fault(call("res.partner", "needs_parent", self.partner.ids))
            self.assertIn("finds none", fault.message)

    def test_answers_that_are_no_plain_values(self):
        for answer, expected in (
            (None, None),
            (self.partner.browse(), {"model": "res.partner", "ids": []}),
            ({1: {2}}, {"1": [2]}),
            (b"abc", {"size": 3}),
        ):
            with (
                self.subTest(type(answer)),
                patch.object(type(self.partner), "answer", lambda self, answer=answer: answer, create=True),
            ):
                result = self.run_one(call("res.partner", "answer", self.partner.ids), mode="run")
                self.assertEqual(result["result"], expected)

    # === Refusals of Odoo ===

    def test_a_refusal_without_a_text_says_what_was_refused(self):
        for refusal in (UserError(""), UserError(None), ValidationError(False), ValidationError("  ")):
            with (
                self.subTest(repr(refusal)),
                patch.object(type(self.partner), "refuse", _raising(refusal), create=True),
            ):
                fault = self.run_fault(call("res.partner", "refuse", self.partner.ids))
                self.assertEqual(fault.code, "invalid")
                self.assertIn("refuse of res.partner was refused without a reason", fault.message)
        with patch.object(type(self.partner), "refuse", _raising(UserError("It is paid.")), create=True):
            self.assertEqual(self.run_fault(call("res.partner", "refuse", self.partner.ids)).message, "It is paid.")

    def test_a_refusal_that_leads_elsewhere_names_where_to(self):
        refusal = RedirectWarning("No bank account.", 5, "Configure a bank")
        with patch.object(type(self.partner), "refuse", _raising(refusal), create=True):
            fault = self.run_fault(call("res.partner", "refuse", self.partner.ids))
        self.assertEqual(fault.code, "invalid")
        self.assertIn("No bank account.", fault.message)
        self.assertIn('"Configure a bank"', fault.message)

    # === Missing values ===

    def test_an_error_that_comes_from_a_missing_field_names_it(self):
        with patch.object(type(self.env["res.partner.bank"]), "create", _raising(TypeError("None and None"))):
            fault = self.run_fault(create("res.partner.bank", {"sequence": 3}))
            self.assertEqual(fault.code, "invalid")
            self.assertIn('acc_number ("Account Number")', fault.message)
            self.assertIn("partner_id", fault.message)
            whole = {"acc_number": "BE1", "partner_id": self.partner.id}
            self.assertEqual(self.run_fault(create("res.partner.bank", whole)).code, "internal")

    # === Faults of Odoo stay faults of Odoo ===

    def test_faults_of_odoo_are_not_blamed_on_arguments(self):
        def by_itself(records, amount=None, **kwargs):
            raise ValueError("inner")

        def of_its_own_value(records, amount=None, **kwargs):
            own = "inner"
            return own + 1

        def of_another_key(records, amount=None, **kwargs):
            return {"other": amount}["inner"]

        def of_an_addon_that_misuses_the_orm(records, amount=None, **kwargs):
            values = {"name": amount, "inner": 1}
            return records.write(values)

        def divided(records, amount=None, **kwargs):
            none = 0
            return 1 / none

        for method in (by_itself, of_its_own_value, of_another_key, of_an_addon_that_misuses_the_orm, divided):
            with self.subTest(method.__name__), patch.object(type(self.partner), "buggy", method, create=True):
                fault = self.run_fault(call("res.partner", "buggy", self.partner.ids, "seven", note=["x"]))
                self.assertEqual(fault.code, "internal")
                self.assertNotIn("inner", fault.message)
                self.assertNotIn("Traceback", fault.message)

    def test_faults_of_odoo_are_not_blamed_on_values(self):
        def buggy(records, *args):
            raise AttributeError("inner")

        for method, step in (
            ("write", write("res.partner", self.partner.ids, name="x")),
            ("create", create("res.partner", {"name": "x"})),
            ("unlink", {"op": "unlink", "model": "res.partner", "ids": self.partner.ids}),
        ):
            with self.subTest(method), patch.object(type(self.partner), method, buggy):
                self.assertEqual(self.run_fault(step).code, "internal")


def _raising(error):
    def method(records, *args, **kwargs):
        raise error

    return method
