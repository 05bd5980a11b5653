"""Commands on x2many fields: own lines only, and no deletion by the way."""

from odoo.tests import tagged

from .gateway_common import write
from .test_fields_writability import SalesCase


@tagged("-at_install", "post_install")
class TestLines(SalesCase):
    def lines(self, value, record=None, field="order_line"):
        record = record or self.order
        return self.put(write(record._name, record.ids, **{field: value}))

    def refused_lines(self, value, record=None, field="order_line"):
        record = record or self.order
        fault = self.not_put(write(record._name, record.ids, **{field: value}))
        self.assert_fault(fault, "invalid_command", model=record._name, field=field)
        return fault.message

    def test_lines_of_another_record_are_out_of_reach(self):
        foreign = self.other.order_line[0]
        for command in ([1, foreign.id, {"name": "taken"}], [2, foreign.id, 0], [3, foreign.id, 0]):
            with self.subTest(command=command):
                message = self.refused_lines([command])
                self.assertIn(f"{foreign.id} is not in order_line", message)
                self.assertIn(str(self.order.order_line[0].id), message)
        self.assertTrue(foreign.exists())
        self.refused_lines([[1, self.tags[0].id, {"name": "x"}]], self.partner, "category_id")
        self.assertEqual(self.tags[0].name, "mcp-a")
        child = self.env["res.partner"].create({"name": "c", "parent_id": self.partner.id})
        self.refused_lines([[1, self.tags[0].id, {"name": "x"}]], child, "category_id")
        nested = [[1, child.id, {"category_id": [[1, self.tags[0].id, {"name": "x"}]]}]]
        fault = self.not_put(write("res.partner", self.partner.ids, child_ids=nested))
        self.assert_fault(fault, "invalid_command", field="category_id")

    def test_own_lines_are_changed(self):
        first, second, third = self.order.order_line
        answer = self.lines([[1, first.id, {"product_uom_qty": 5}], [2, second.id, 0]])
        self.assertEqual((first.product_uom_qty, second.exists()), (5, second.browse()))
        self.assertIn("Deleted from order_line", answer["notes"][0])
        self.assertIn(str(second.id), answer["notes"][0])
        self.assertEqual(self.order.order_line, first + third)

    def test_a_list_that_leaves_lines_out_never_deletes_them(self):
        first, second, third = self.order.order_line
        for value in (first.ids, [[6, 0, first.ids]], [[3, second.id, 0]]):
            with self.subTest(value=value):
                message = self.refused_lines(value)
                self.assertIn(f"[2, {second.id}, 0]", message)
                self.assertIn("mcp-chair", message)
        self.assertEqual(len(self.order.order_line), 3)
        self.lines(self.order.order_line.ids)
        answer = self.lines([[5, 0, 0]])
        self.assertFalse(self.order.order_line)
        self.assertIn(str(third.id), answer["notes"][0])

    def test_lines_that_live_on_are_named(self):
        child = self.env["res.partner"].create({"name": "mcp-child", "parent_id": self.partner.id})
        answer = self.lines([[3, child.id, 0]], self.partner, "child_ids")
        self.assertIn("mcp-child", answer["notes"][0])
        self.assertEqual((child.exists(), child.parent_id), (child, child.browse()))

    def test_a_line_that_moves_is_named(self):
        parent = self.env["res.partner"].create({"name": "mcp-other"})
        child = self.env["res.partner"].create({"name": "mcp-child", "parent_id": parent.id})
        answer = self.lines([[4, child.id, 0]], self.partner, "child_ids")
        self.assertIn(f"from parent_id {parent.id}", answer["notes"][0])
        self.assertEqual(child.parent_id, self.partner)

    def test_forms_with_two_readings_are_refused_with_both(self):
        _first, second = self.tags
        for value in ([4, second.id], [3, second.id], [2, second.id], [5]):
            with self.subTest(value=value):
                message = self.refused_lines(value, self.partner, "category_id")
                self.assertIn("[[6, 0, ", message)
                self.assertIn(f"[[{value[0]}, ", message)
        self.lines(self.tags.ids, self.partner, "category_id")
        self.assertEqual(self.partner.category_id, self.tags)

    def test_other_forms_are_answered_with_the_right_one(self):
        tag = self.tags[0]
        cases = [
            ([6, 0, [tag.id]], f"[[6, 0, [{tag.id}]]]"),
            ([4, tag.id, 0], f"[[4, {tag.id}, 0]]"),
            ({"name": "x"}, '[[0, 0, {"name": "x"}]]'),
            ([{"name": "x"}], '[[0, 0, {"name": "x"}]]'),
            (tag.id, f"[[4, {tag.id}, 0]]"),
        ]
        for value, form in cases:
            with self.subTest(value=value):
                self.assertIn(form, self.refused_lines(value, self.partner, "category_id"))
