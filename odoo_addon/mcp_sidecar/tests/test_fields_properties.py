"""Properties: read in the contract's forms, written one by one, and only as they are defined."""

from unittest import SkipTest

from odoo.tests import tagged

from .gateway_common import GatewayCase, create, search, write

FIELD = "product_properties"


@tagged("-at_install", "post_install")
class TestProperties(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if "product.template" not in cls.env:
            raise SkipTest("There are no products here, whose categories define properties.")
        cls.settings_admin.group_ids += cls.env.ref("product.group_product_manager")
        cls.friend = cls.env["res.partner"].create({"name": "mcp-friend"})
        cls.tags = [["t1", "One", 1], ["t2", "Two", 2]]
        definitions = [
            {"name": "abc123", "string": "Colour", "type": "selection", "selection": [["r", "Red"], ["b", "Blue"]]},
            {"name": "def456", "string": "Size", "type": "integer", "default": 7},
            {"name": "rel1", "string": "Friend", "type": "many2one", "comodel": "res.partner"},
            {"name": "rel2", "string": "Friends", "type": "many2many", "comodel": "res.partner"},
            {"name": "tags", "string": "Labels", "type": "tags", "tags": cls.tags},
            {"name": "when", "string": "When", "type": "datetime"},
            {"name": "day", "string": "Day", "type": "date"},
            {"name": "rate", "string": "Rate", "type": "float"},
            {"name": "flag", "string": "Flag", "type": "boolean"},
            {"name": "note", "string": "Note", "type": "char"},
            {"name": "head", "string": "Heading", "type": "separator"},
        ]
        categories = cls.env["product.category"]
        cls.category = categories.create({"name": "mcp-a", "product_properties_definition": definitions})
        cls.other = categories.create({"name": "mcp-b", "product_properties_definition": definitions[1:2]})
        cls.bare = categories.create({"name": "mcp-c"})
        cls.start = {"abc123": "r", "def456": 4, "rel1": cls.friend.id}
        products = cls.env["product.template"]
        cls.product = products.create({"name": "mcp-x", "categ_id": cls.category.id, FIELD: cls.start})
        cls.env.flush_all()

    def stored(self, product=None):
        self.env.invalidate_all()
        return (product or self.product)[FIELD]._values or {}

    def put(self, product=None, others=None, **given):
        values = {FIELD: given, **(others or {})}
        return self.run_one(write("product.template", (product or self.product).ids, **values), mode="write")

    def not_put(self, given, product=None, **others):
        step = write("product.template", (product or self.product).ids, **{FIELD: given}, **others)
        return self.fault(step, mode="write")

    # === Writing ===

    def test_the_others_stay(self):
        self.put(def456=5)
        self.assertEqual(self.stored(), {**self.start, "def456": 5})
        self.put()
        self.assertEqual(self.stored(), {**self.start, "def456": 5})
        self.put(def456=None, note="")
        self.assertEqual(self.stored(), {**self.start, "def456": False, "note": False})

    def test_null_instead_of_the_object_is_refused(self):
        fault = self.not_put(None)
        self.assert_fault(fault, "invalid_value", field=FIELD)
        self.assertIn("Each that is to be cleared is named", fault.message)
        self.assertEqual(self.stored(), self.start)

    def test_values_in_their_form(self):
        self.put(
            abc123="b",
            def456=0,
            rel1={"id": self.friend.id, "name": "whatever"},
            rel2=[self.friend.id, self.friend.id],
            tags=["t2"],
            when="2026-11-22T13:30:00+02:00",
            day="2026-11-22",
            rate=1.5,
            flag=True,
            note="x",
        )
        expected = {"abc123": "b", "def456": 0, "rel1": self.friend.id, "rel2": self.friend.ids, "tags": ["t2"]}
        expected |= {"when": "2026-11-22 11:30:00", "day": "2026-11-22", "rate": 1.5, "flag": True, "note": "x"}
        self.assertEqual(self.stored(), expected)

    def test_values_that_do_not_fit(self):
        cases = {
            "abc123": ["green", "Red", 5, True, ["r"]],
            "def456": ["many", 1.5, True, 2**31],
            "rel1": [999999999, "x", True, 0, [1], {"name": "x"}],
            "rel2": [999999999, [999999999], ["x"], [True]],
            "tags": ["t1", ["One"], [1], ["t1", "t3"]],
            "when": ["2026-11-22", 5],
            "day": ["22/11/2026", 5],
            "rate": ["1.5", True],
            "flag": [1, "true"],
            "note": [5, ["x"]],
        }
        for name, values in cases.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    fault = self.not_put({name: value})
                    self.assert_fault(fault, "invalid_value", model="product.template", field=f"{FIELD}.{name}")
        self.assertEqual(self.stored(), self.start)

    def test_refusals_say_what_is_taken(self):
        cases = {
            'product.template.product_properties.abc123 takes one of "r" ("Red"), "b" ("Blue").': {"abc123": "green"},
            "product.template.product_properties.def456 takes an integer.": {"def456": "many"},
            "There is no res.partner with the id 999999999.": {"rel1": 999999999},
            'product.template.product_properties.tags takes a list of "t1" ("One"), "t2" ("Two").': {"tags": "t1"},
        }
        for message, given in cases.items():
            self.assertEqual(self.not_put(given).message, message)

    def test_only_what_is_defined(self):
        fault = self.not_put({"def456": 5, "Colour": "Blue"})
        self.assert_fault(fault, "invalid_value", model="product.template", field=FIELD, value="Colour")
        message = 'product_properties of product.template has no property "Colour". Did you mean abc123 ("Colour")?'
        self.assertEqual(fault.message, message)
        self.assertIn('Did you mean def456 ("Size")?', self.not_put({"def465": 5}).message)
        for name in ("head", "nothing", ""):
            self.assert_fault(self.not_put({name: "x"}), "invalid_value", field=FIELD, value=name)
        self.assertEqual(self.stored(), self.start)

    def test_only_objects(self):
        for given in ("x", 5, True, [], [{"name": "def456", "type": "integer", "value": 5}]):
            with self.subTest(given):
                fault = self.not_put(given)
                self.assert_fault(fault, "invalid_value", model="product.template", field=FIELD)
                self.assertIn("takes an object", fault.message)

    def test_each_record_by_its_own_definition(self):
        other = self.product.copy({"categ_id": self.other.id, FIELD: {"def456": 1}})
        both = self.product | other
        self.put(both, def456=9)
        self.assertEqual(self.stored(), {**self.start, "def456": 9})
        self.assertEqual(self.stored(other), {"def456": 9})
        # one of them has no such property, so neither is changed
        self.assert_fault(self.not_put({"def456": 1, "abc123": "b"}, both), "invalid_value", value="abc123")
        self.assertEqual(self.stored(other), {"def456": 9})

    def test_records_that_become_alike_and_those_that_do_not(self):
        twin = self.product.copy({FIELD: {"abc123": "b"}})
        self.put(self.product | twin, note="x")
        self.assertEqual(self.stored(), {**self.start, "note": "x"})
        self.assertEqual(self.stored(twin)["abc123"], "b")
        self.assertEqual(self.stored(twin)["note"], "x")

    def test_a_new_definition_in_the_same_write(self):
        self.assert_fault(self.not_put({"abc123": "b"}, categ_id=self.other.id), "invalid_value", value="abc123")
        self.put(others={"categ_id": self.other.id}, def456=3)
        self.assertEqual((self.product.categ_id, self.stored()), (self.other, {"def456": 3}))

    def test_nothing_defines_them(self):
        plain = self.product.copy({"categ_id": self.bare.id})
        self.assert_fault(self.not_put({"def456": 1}, plain), "invalid_value", field=FIELD, value="def456")

    def test_creating(self):
        values = {"name": "mcp-new", FIELD: {"abc123": "b"}, "categ_id": self.category.id}
        result = self.run_one(create("product.template", values), mode="write")
        product = self.env["product.template"].browse(result["records"][0]["id"])
        # with the defaults of what isn't given
        self.assertEqual(self.stored(product), {"abc123": "b", "def456": 7})
        fault = self.fault(create("product.template", {**values, "categ_id": self.other.id}), mode="write")
        self.assert_fault(fault, "invalid_value", field=FIELD, value="abc123")
        fault = self.fault(create("product.template", {**values, "categ_id": None}), mode="write")
        self.assert_fault(fault, "invalid_value", field=FIELD)
        self.assertIn("defined by its categ_id", fault.message)

    def test_a_definition_for_all_records_of_a_model(self):
        definition = [{"name": "aa", "string": "Text", "type": "char", "definition_changed": True}]
        self.friend.properties = definition
        values = {"name": "mcp-new", "properties": {"aa": "x"}}
        result = self.run_one(create("res.partner", values), mode="write")
        partner = self.env["res.partner"].browse(result["records"][0]["id"])
        self.assertEqual(partner.properties._values, {"aa": "x"})
        values["properties"] = {"aa": 5}
        self.assert_fault(self.fault(create("res.partner", values), mode="write"), "invalid_value")

    def test_of_what_a_record_is_built_on(self):
        step = write("product.product", self.product.product_variant_ids.ids, **{FIELD: {"def456": 5}})
        self.run_one(step, mode="write")
        self.assertEqual(self.stored(), {**self.start, "def456": 5})
        step["values"] = {FIELD: {"def456": "many"}}
        self.assert_fault(self.fault(step, mode="write"), "invalid_value", model="product.product")

    def test_through_another_record(self):
        line = [[1, self.product.product_variant_ids.id, {FIELD: {"def456": 5}}]]
        step = write("product.template", self.product.ids, product_variant_ids=line)
        fault = self.fault(step, mode="write")
        self.assert_fault(fault, "invalid_value", model="product.product", field=FIELD)
        self.assertEqual(self.stored(), self.start)

    def test_records_that_may_not_be_read(self):
        rule = {"name": "mcp", "model_id": self.env.ref("base.model_res_partner").id}
        self.env["ir.rule"].create({**rule, "domain_force": f"[('id', '!=', {self.friend.id})]"})
        self.assert_fault(self.not_put({"rel1": self.friend.id}), "invalid_value", value=self.friend.id)

    # === Reading ===

    def test_they_are_read_in_the_contracts_forms(self):
        self.put(rel2=self.friend.ids, tags=["t1"], when="2026-11-22T13:30:00Z")
        step = search("product.template", [["id", "=", self.product.id]], [FIELD])
        found = self.run_one(step)["records"][0][FIELD]
        values = {item["name"]: item["value"] for item in found if item["name"] != "head"}
        expected = {
            "abc123": "r",
            "def456": 4,
            "rel1": {"id": self.friend.id, "name": "mcp-friend"},
            "rel2": self.friend.ids,
            "tags": ["t1"],
            "when": "2026-11-22T13:30:00Z",
            "day": None,
            "rate": None,
            "flag": False,
            "note": None,
        }
        self.assertEqual(values, expected)
        self.assertEqual(found[1], {"name": "def456", "string": "Size", "type": "integer", "default": 7, "value": 4})

    # === Searching ===

    def test_properties_that_nothing_defines_are_not_searched_by(self):
        step = search("product.template", [[f"{FIELD}.def456", "=", 4], ["id", "=", self.product.id]])
        self.assertEqual([row["id"] for row in self.run_one(step)["records"]], self.product.ids)
        for step in (
            search("product.template", [[f"{FIELD}.nope", "=", 4]]),
            search("product.template", order=f"{FIELD}.nope"),
        ):
            fault = self.fault(step)
            self.assert_fault(fault, "unknown_field", model="product.template", field=f"{FIELD}.nope")
