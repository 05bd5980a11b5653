"""A refusal names the record of a batch, and the line of a record."""

from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.operations import bisection
from .gateway_common import GatewayCase, call, create, write


@tagged("-at_install", "post_install")
class TestPlaces(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partners = cls.env["res.partner"].create([{"name": name} for name in ("Ana", "Ben", "Cleo")])
        cls.env.flush_all()

    def located(self, *steps, path):
        with mute_logger("odoo.sql_db"):
            fault = self.fault(*steps, mode="run")
        self.assertEqual(fault.data.get("path"), path, fault.message)
        if path:
            self.assertTrue(fault.message.endswith(f" This is about {path}."), fault.message)
        return fault

    # === Lines ===

    def test_a_value_of_a_line(self):
        good, bad = {"name": "One"}, {"name": "Two", "color": "red"}
        self.located(
            create("res.partner", {"name": "x", "child_ids": [[0, 0, good], [0, 0, bad]]}), path="child_ids[1].color"
        )
        self.located(write("res.partner", self.partners.ids[:1], child_ids=[[0, 0, bad]]), path="child_ids[0].color")
        banks = [[0, 0, {"acc_number": "1"}], [0, 0, {"acc_number": "2", "nmae": 1}]]
        fault = self.located(create("res.partner", {"name": "x", "bank_ids": banks}), path="bank_ids[1].nmae")
        self.assertEqual(fault.code, "unknown_field")
        # a line within a line
        child = {"name": "Two", "child_ids": [[0, 0, good], [0, 0, {**good, "country_id": 999999}]]}
        step = create("res.partner", {"name": "x", "child_ids": [[0, 0, good], [0, 0, child]]})
        self.located(step, path="child_ids[1].child_ids[1].country_id")

    def test_the_record_itself_needs_no_place(self):
        self.located(create("res.partner", {"name": "x", "color": "red"}), path=None)
        self.located(write("res.partner", self.partners.ids[:1], color="red"), path=None)

    def test_a_line_that_odoo_or_its_database_refuses(self):
        one, same = [0, 0, {"acc_number": "1"}], [0, 0, {"acc_number": "1"}]
        step = create("res.partner", {"name": "x", "bank_ids": [one, same]})
        self.assertIn("must be unique", self.located(step, path="bank_ids[1]").message)
        # PostgreSQL refuses the third of five, and the last one
        lines = [[0, 0, {"name": "a"}] for _line in range(5)]
        for at in (2, 4):
            lines[at] = [0, 0, {"type": "contact"}]
        self.located(create("res.partner", {"name": "x", "child_ids": lines}), path="child_ids[2]")
        # Odoo's code refuses one
        lines[2], lines[4] = [0, 0, {"name": "a"}], [0, 0, {"name": "refused"}]
        self._refuse("refused")
        self.located(create("res.partner", {"name": "x", "child_ids": lines}), path="child_ids[4]")
        step = write(
            "res.partner", self.partners.ids[:1], child_ids=[[0, 0, {"name": "a"}], [0, 0, {"name": "refused"}]]
        )
        self.located(step, path="child_ids[1]")

    def test_what_is_wrong_with_the_record_is_blamed_on_no_line(self):
        self._refuse("refused")
        lines = [[0, 0, {"name": "a"}], [0, 0, {"name": "b"}]]
        self.located(create("res.partner", {"name": "refused", "child_ids": lines}), path=None)

    def _refuse(self, name):
        partner = type(self.env["res.partner"])
        inner = partner.create

        def create_all(records, vals_list):
            if any(values.get("name") == name for values in vals_list):
                raise UserError("Not that name.")  # pylint: disable=translation-required
            return inner(records, vals_list)

        self.patch(partner, "create", create_all)

    # === Records of a batch ===

    def test_a_record_of_a_batch(self):
        good = {"name": "Good"}
        self.located(create("res.partner", good, good, {"name": 5}), path="records[2].name")
        self.assertEqual(
            self.located(create("res.partner", good, {"nmae": 5}), path="records[1].nmae").code, "unknown_field"
        )
        for length, at in ((2, 1), (5, 0), (40, 23)):
            rows = [dict(good) for _row in range(length)]
            rows[at] = {"street": "x"}
            with self.subTest(length=length, at=at):
                self.located(create("res.partner", *rows), path=f"records[{at}]")
        same = {"name": "x", "bank_ids": [[0, 0, {"acc_number": "1"}], [0, 0, {"acc_number": "1"}]]}
        self.located(create("res.partner", good, same), path="records[1].bank_ids[1]")
        step = call("res.partner", "create", [], [good, {"name": 5}])
        self.located(step, path="vals_list[1].name")

    def test_records_that_only_fail_together(self):
        country = {"name": "x", "code": "ZZ"}
        fault = self.located(create("res.country", country, {"name": "y", "code": "ZZ"}), path="records[1]")
        self.assertIn("must be unique", fault.message)

    def test_a_record_among_those_that_are_changed(self):
        ana, ben, cleo = self.partners.ids
        about = f"the record with the id {ben}"
        self.located(write("res.partner", [ana, ben, cleo], parent_id=ben), path=about)
        used = self.partners[1]
        self.env["res.partner.bank"].create({"acc_number": "1", "partner_id": used.id})
        self.env["res.users"].create({"name": "Ben", "login": "mcp-ben", "partner_id": used.id})
        self.env.flush_all()
        self.located({"op": "unlink", "model": "res.partner", "ids": [ana, ben, cleo]}, path=about)
        # different values for different records
        steps = [write("res.partner", [record], name=f"x{record}") for record in (ana, cleo)]
        self.located(*steps, write("res.partner", [ben], color="red"), path=f"{about}: color")
        self.located(*steps, write("res.partner", [ben], parent_id=ben), path=about)

    def test_what_takes_long_is_refused_without_its_place(self):
        rows = ({"name": "x"}, {"street": "x"})
        with patch.object(bisection, "_PATIENCE_S", 0):
            self.assertEqual(self.located(create("res.partner", *rows), path=None).code, "invalid")
        self.located(create("res.partner", *rows), path="records[1]")

    def test_nothing_of_a_refused_batch_is_stored(self):
        names = ("mcp-place-1", "mcp-place-2")
        self.located(create("res.partner", *({"name": name} for name in names), {"street": "x"}), path="records[2]")
        self.assertFalse(self.env["res.partner"].search_count([("name", "in", names)]))
        made = self.run_one(create("res.partner", *({"name": name} for name in names)), mode="write")
        self.assertEqual(len(made["records"]), 2)
