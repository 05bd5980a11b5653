"""The page of refusals: each function, hook and test on it exists, and each override of Odoo's stands on it."""

import ast
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..gateway.policy.refusals import OTHER_HOOKS, REFUSALS

ADDON = Path(__file__).parents[1]
# Mixins of this addon whose methods are hooks of the models that inherit from them.
MIXINS = {"mcp.append.only.mixin", "mcp.call.mark.mixin", "mcp.protected.mixin", "mcp.schema.change.mixin"}


def names_in(path):
    """Functions and classes at the top of a file."""
    if not path.exists():
        return set()
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, kinds)}


def hooks_in(source):
    """The methods of models that are not this addon's, which hand on to what they override."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            model = _model_of(node)
            if model and (not model.startswith("mcp.") or model in MIXINS):
                yield from (f"{model}.{item.name}" for item in node.body if _is_override(item))


def _model_of(node):
    names = {}
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant):
            names[item.targets[0].id] = item.value.value
    return names.get("_name") or names.get("_inherit")


def _is_override(item):
    """Whether a method calls the method of the same name that it overrides."""
    if not isinstance(item, ast.FunctionDef):
        return False
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == item.name
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "super"
        for node in ast.walk(item)
    )


def overrides():
    return {hook for path in (ADDON / "models").glob("*.py") for hook in hooks_in(path.read_text())}


@tagged("-at_install", "post_install")
class TestRefusals(BaseCase):
    def test_each_function_exists(self):
        for refusal in REFUSALS:
            for function in refusal.functions:
                *modules, name = function.split(".")
                with self.subTest(function):
                    self.assertIn(name, names_in((ADDON / "gateway").joinpath(*modules).with_suffix(".py")))

    def test_each_test_exists(self):
        for refusal in REFUSALS:
            self.assertTrue(refusal.tests, refusal.promise)
            for test in refusal.tests:
                module, name = test.split(".")
                with self.subTest(test):
                    self.assertIn(name, names_in(ADDON / "tests" / f"{module}.py"))

    def test_each_override_stands_on_the_page(self):
        listed = {hook for refusal in REFUSALS for hook in refusal.hooks} | OTHER_HOOKS.keys()
        self.assertEqual(sorted(overrides() - listed), [], "add them to a row of gateway/policy/refusals.py")
        self.assertEqual(sorted(listed - overrides()), [], "no override of these is left")

    def test_a_refusal_names_where_it_is_enforced(self):
        for refusal in REFUSALS:
            self.assertTrue(refusal.functions or refusal.hooks, refusal.promise)

    def test_overrides_are_found(self):
        source = (
            "class A(models.Model):\n    _inherit = 'res.users'\n"
            "    def write(self, vals):\n        return super().write(vals)\n"
            "    def _own(self):\n        return 1\n"
        )
        self.assertEqual(list(hooks_in(source)), ["res.users.write"])
        self.assertEqual(list(hooks_in(source.replace("res.users", "mcp.session"))), [])
