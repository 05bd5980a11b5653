"""Whether what documents name is there: files, identifiers in them, links, stages of tests/run.

Documents are all Markdown files. A word in backticks is checked as a path where it begins with a folder of the top
level; capitals in a path stand for any name (`tests/wire/tools/NAME.json`). Identifiers in parentheses behind a path
have to occur in that file: `src/lib.rs` (`vocab`). Source files are checked for the Markdown files that they cite.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CI = ".github/workflows/ci.yml"
# What calls stages of tests/run, besides the documents.
CALLERS = (".pre-commit-config.yaml", CI)
SOURCES = {"", ".mjs", ".py", ".rs", ".sh", ".toml", ".xml", ".yml", ".yaml"}

CODE = re.compile(r"`([^`\n]+)`")
IDENTIFIERS = re.compile(r"`([^`\n]+)`\s+\(((?:`[^`\n]+`(?:,\s+|(?=\))))+)\)")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CITED = re.compile(r"(?<![\w*./-])[\w./-]+\.md\b")
STAGES = re.compile(r"tests/run((?: +[a-z0-9][a-z0-9-]*)+)")
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")


# One fault of each kind: a check that finds none of them would pass on everything.
PLANTED = "`src/no_such_file.rs`, `src/lib.rs` (`no_such_word`), [a page](no-such-page.md), `tests/run no-such-stage`"


def main() -> int:
    """Check everything; one line for each name that leads nowhere."""
    complaints = sorted({*_of_documents(), *_of_sources(), *_of_callers()})
    found = len(list(_of_document(CHECKOUT / "PLANTED.md", PLANTED)))
    if found != 4:
        complaints.append(f"tests/style/documents.py finds {found} of 4 planted faults")
    for complaint in complaints:
        print(complaint)
    return int(bool(complaints))


def _of_documents() -> Iterator[str]:
    for path in _files():
        if path.suffix == ".md":
            yield from _of_document(path, path.read_text(encoding="utf-8"))


def _of_document(path: Path, text: str) -> Iterator[str]:
    name = path.relative_to(CHECKOUT)
    for target in LINK.findall(text):
        if "://" not in target and not (path.parent / target).exists():
            yield f"{name}: the link {target} leads nowhere"
    for code in CODE.findall(text):
        if _is_path(code) and not _is_there(code):
            yield f"{name}: {_first(code)} is not there"
    for code, identifiers in IDENTIFIERS.findall(text):
        yield from _missing(name, _first(code), CODE.findall(identifiers))
    yield from _unknown_stages(name, "\n".join([*CODE.findall(text), *_blocks(text)]))


def _of_sources() -> Iterator[str]:
    files = list(_files())
    known = {str(path.relative_to(CHECKOUT)) for path in files}
    for path in files:
        if path.suffix not in SOURCES or path == Path(__file__):
            continue
        for cited in CITED.findall(path.read_text(encoding="utf-8", errors="replace")):
            if not any(name == cited or name.endswith(f"/{cited.lstrip('./')}") for name in known):
                yield f"{path.relative_to(CHECKOUT)}: it cites {cited}, which is not there"


def _of_callers() -> Iterator[str]:
    for name in CALLERS:
        lines = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
        yield from _unknown_stages(Path(name), "\n".join(line for line in lines if not line.lstrip().startswith("#")))
    # The jobs together run every stage.
    [jobs] = re.findall(r"^ +stages: \[(.*)\]$", (CHECKOUT / CI).read_text(encoding="utf-8"), re.MULTILINE)
    groups = {line.split()[0] for line in _list()}
    if set(jobs.split(", ")) != groups:
        yield f"{CI}: its jobs run {jobs}; the groups of tests/run are {', '.join(sorted(groups))}"


def _missing(name: Path, target: str, identifiers: list[str]) -> Iterator[str]:
    if not (CHECKOUT / target).is_file():
        return
    text = (CHECKOUT / target).read_text(encoding="utf-8")
    for identifier in identifiers:
        if not re.search(rf"(?<!\w){re.escape(identifier)}(?!\w)", text):
            yield f"{name}: {identifier} does not occur in {target}"


def _unknown_stages(name: Path, text: str) -> Iterator[str]:
    known = {word for line in _list() for word in line.split()[:2]}
    for words in STAGES.findall(text):
        for word in words.split():
            if word not in known:
                yield f"{name}: tests/run has no stage {word}"


@cache
def _list() -> list[str]:
    """Lines of the form GROUP STAGE WHAT."""
    command = [str(CHECKOUT / "tests/run"), "--list"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1:]


def _blocks(text: str) -> list[str]:
    return re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)


def _first(code: str) -> str:
    return code.split()[0].rstrip("/,")


def _is_path(code: str) -> bool:
    folder, slash, _rest = _first(code).partition("/")
    return bool(slash) and folder in _folders()


def _is_there(code: str) -> bool:
    path = _first(code)
    return (CHECKOUT / path).exists() or any(CHECKOUT.glob(PLACEHOLDER.sub("*", path)))


@cache
def _folders() -> set[str]:
    """The folders of the top level."""
    return {path.relative_to(CHECKOUT).parts[0] for path in _files() if path.parent != CHECKOUT}


def _files() -> Iterator[Path]:
    """Tracked and new files that are there."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout
    return (CHECKOUT / name for name in listed.split("\0") if name and (CHECKOUT / name).is_file())


if __name__ == "__main__":
    sys.exit(main())
