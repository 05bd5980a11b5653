"""The import rule of the gateway's packages, over the syntax trees of their files."""

import ast
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..gateway import LAYERS

GATEWAY = Path(__file__).parents[1] / "gateway"
# The one module of the addon that the gateway takes from: its exception.
BESIDE = "exceptions"
MAX_FILES = 15


def read_sources(folder):
    """The source text of each module below a folder, by its path of names."""
    sources = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        sources[parts[:-1] if parts[-1] == "__init__" else parts] = path.read_text()
    return sources


def imports_of(module, source, modules):
    """The modules that one imports: of the gateway as paths of names, of the rest of the addon as ("..", name)."""
    package = module if any(other[: len(module)] == module and other != module for other in modules) else module[:-1]
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom):
            continue
        if (node.module or "").startswith("odoo.addons.mcp_sidecar"):
            yield ("..", node.module)
        if not node.level:
            continue
        above = node.level - 1
        names = tuple((node.module or "").split(".")) if node.module else ()
        if above > len(package):
            yield ("..", *names) if names else ("..", *(alias.name for alias in node.names))
            continue
        base = package[: len(package) - above] + names
        for alias in node.names:
            found = (*base, alias.name)
            yield found if found in modules else base


def violations(sources, layers):
    """Sentences about imports that break the rule."""
    edges = {module: set(imports_of(module, source, sources)) for module, source in sources.items()}
    found = [f"{module[0]} is in no layer" for module in edges if module and module[0] not in layers]
    for module, targets in edges.items():
        for target in targets:
            if target[:1] == ("..",):
                if target != ("..", BESIDE):
                    found.append(f"{'.'.join(module)} imports {target[-1]} of the addon")
            elif module and target and _is_above(layers, target[0], module[0]):
                found.append(f"{'.'.join(module)} imports {'.'.join(target)}, a layer above it")
    return found + [f"{'.'.join(module)} is in a circle" for module in edges if _reaches(edges, module)]


def _is_above(layers, target, module):
    return {target, module} <= set(layers) and layers.index(target) > layers.index(module)


def _reaches(edges, start):
    """Whether a module imports itself by way of others."""
    seen, pending = set(), list(edges[start])
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending.extend(edges.get(module, ()))
    return start in seen


@tagged("-at_install", "post_install")
class TestArchitecture(BaseCase):
    def test_imports_go_down_and_never_round(self):
        self.assertEqual(violations(read_sources(GATEWAY), LAYERS), [])

    def test_packages_are_small(self):
        for folder in GATEWAY.iterdir():
            if (folder / "__init__.py").exists():
                self.assertLessEqual(len(list(folder.glob("*.py"))) - 1, MAX_FILES, folder.name)

    def test_a_test_is_named_after_its_module(self):
        """A test whose name begins with a package goes on with a module of it, or with the package as a whole."""
        modules = {"_".join(module) for module in read_sources(GATEWAY) if module}
        packages = {module[0] for module in read_sources(GATEWAY) if len(module) > 1}
        for path in Path(__file__).parent.glob("test_*.py"):
            name = path.stem.removeprefix("test_")
            if name.partition("_")[0] in packages:
                self.assertTrue(any(name == module or name.startswith(f"{module}_") for module in modules), name)

    def test_planted_faults_are_found(self):
        layers = ("low", "mid", "top")
        sound = {(): "", ("low",): "", ("mid",): "", ("mid", "a"): "from .. import low", ("top",): "from .mid import a"}
        self.assertEqual(violations(sound, layers), [])
        faults = {
            "from ..top import x": "mid.a imports top, a layer above it",
            "from .. import top": "mid.a imports top, a layer above it",
            "def f():\n    from ..top import x": "mid.a imports top, a layer above it",
            "from ...models import base": "mid.a imports models of the addon",
            "from ... import models": "mid.a imports models of the addon",
            "from odoo.addons.mcp_sidecar import models": "mid.a imports odoo.addons.mcp_sidecar of the addon",
        }
        for source, sentence in faults.items():
            with self.subTest(source):
                self.assertIn(sentence, violations({**sound, ("mid", "a"): source}, layers))
        circle = {**sound, ("mid", "a"): "from . import b", ("mid", "b"): "from .a import x"}
        self.assertEqual(violations(circle, layers), ["mid.a is in a circle", "mid.b is in a circle"])
        self.assertIn("new is in no layer", violations({**sound, ("new",): ""}, layers))
        self.assertEqual(violations({**sound, ("mid", "a"): "from ...exceptions import E"}, layers), [])
