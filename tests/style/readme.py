"""README.rst of the addon, generated from the fragments in its `readme` folder as OCA's tools do."""

from __future__ import annotations

import ast
import difflib
import sys
from pathlib import Path

import pypandoc

ADDON = Path(__file__).resolve().parents[2] / "odoo_addon/mcp_sidecar"
README = ADDON / "README.rst"
# In this order; the first one has no heading.
SECTIONS = {
    "DESCRIPTION": None,
    "INSTALL": "Installation",
    "CONFIGURE": "Configuration",
    "USAGE": "Usage",
    "ROADMAP": "Known issues / Roadmap",
    "HISTORY": "Changelog",
}
HEADER = """\
.. Generated from the fragments in readme/: change those, then run tests/style/readme --write
"""
CONTENTS = """\
**Table of contents**

.. contents::
   :local:
"""


def main() -> int:
    """Compare, or write where asked to; the exit code is 1 where they differ."""
    wanted = generate()
    if sys.argv[1:] == ["--write"]:
        README.write_text(wanted, encoding="utf-8")
        return 0
    found = README.read_text(encoding="utf-8") if README.exists() else ""
    difference = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), "README.rst", "from the fragments", lineterm=""
    )
    for line in difference:
        print(line)
    if found != wanted:
        print("README.rst is not what readme/ gives: run tests/style/readme --write", file=sys.stderr)
    return int(found != wanted)


def generate() -> str:
    """The whole text."""
    manifest = ast.literal_eval((ADDON / "__manifest__.py").read_text(encoding="utf-8"))
    unknown = {path.stem for path in (ADDON / "readme").glob("*.md")} - {*SECTIONS, "CONTRIBUTORS"}
    if unknown:
        raise SystemExit(f"tests/style/readme.py knows no section for these fragments: {', '.join(sorted(unknown))}")
    name = manifest["name"]
    parts = [HEADER, f"{'=' * len(name)}\n{name}\n{'=' * len(name)}\n"]
    for fragment, title in SECTIONS.items():
        text = _rst(fragment)
        if not text:
            continue
        parts += [_heading(title, "="), text] if title else [text, CONTENTS]
    parts += [_heading("Credits", "="), _heading("Authors", "-")]
    parts += ["".join(f"- {author.strip()}\n" for author in manifest["author"].split(","))]
    parts += [_heading("Contributors", "-"), _rst("CONTRIBUTORS")]
    return "\n".join(parts)


def _rst(fragment: str) -> str:
    path = ADDON / "readme" / f"{fragment}.md"
    if not path.exists():
        return ""
    # A fragment's headings are of the second level; the plain ones of CommonMark get no link targets.
    return pypandoc.convert_file(str(path), "rst", format="commonmark", extra_args=["--columns=118"])


def _heading(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}\n"


if __name__ == "__main__":
    sys.exit(main())
