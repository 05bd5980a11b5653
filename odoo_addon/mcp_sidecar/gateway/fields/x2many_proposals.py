"""Commands for an x2many field, made of what was sent instead: ready to be sent as they are.

They are only shown. What a list of names or of objects means is certain enough to be proposed, not to be done.
"""

import ast
import json
import re

from ..rpc import faults
from ..values import record_names
from .x2many_lines import CLEAR, CREATE, DELETE, LINK, SET, UNLINK, UPDATE

# A sidecar shows the first thousand characters of a refusal.
_MAX_SHOWN = 600
_MAX_ITEMS = 100
_MAX_LINKS = 10
_MAX_NAMED = 5
_VERBS = {
    CREATE: ("create", "add_new", "new", "insert"),
    UPDATE: ("update", "write", "edit", "change", "modify"),
    DELETE: ("delete", "destroy"),
    UNLINK: ("unlink", "remove", "forget"),
    LINK: ("link", "add", "append"),
    CLEAR: ("clear", "unlink_all", "remove_all"),
    SET: ("set", "replace", "ids"),
}
_KINDS = {verb: kind for kind, verbs in _VERBS.items() for verb in verbs}
_CALL = re.compile(r"(?:Command\.)?(\w+)\((.*)\)", re.DOTALL)
_NAMING = frozenset({"id", "name", "display_name", "code"})
# The name of a line is a value of its own.
_NAMING_LINES = frozenset({"id", "display_name"})


class _Unclear(Exception):
    """What was sent names no record, or several; the sentence says which there are."""


def refusal(records, field, value):
    """The refusal of a value that is no list of commands, with the commands that say the same."""
    reader = _Reader(records, field)
    try:
        meant = reader.commands(value)
    except _Unclear as exc:
        return faults.invalid_command(records._name, field.name, f"{field.name} takes ids: {exc}", meant=True)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        meant = None
    if not meant:
        return faults.invalid_command(records._name, field.name)
    message = f"{field.name} takes a list of commands: for what was sent send {_shown(meant)}"
    if len(meant) == 1 and meant[0][0] == SET and records and len(meant[0][2]) <= _MAX_LINKS:
        more = [[LINK, record_id, 0] for record_id in meant[0][2]]
        message += f" to have exactly these, or {_shown(more)} to keep the others"
    named = "".join(f" {sentence}." for sentence in dict.fromkeys(reader.named[:_MAX_NAMED]))
    return faults.invalid_command(records._name, field.name, f"{message}.{named}", meant=meant)


def _shown(commands):
    text = json.dumps(commands, ensure_ascii=False)
    if len(text) <= _MAX_SHOWN:
        return text
    first = json.dumps(commands[:1], ensure_ascii=False)
    if len(first) > _MAX_SHOWN:
        first = json.dumps([[part if not isinstance(part, dict) else dict.fromkeys(part, "…") for part in commands[0]]])
    return f"{first[:_MAX_SHOWN]} and the others alike"


class _Reader:
    """Reads what was sent for one field, and remembers which records names stood for."""

    def __init__(self, records, field):
        self._comodel = records.env[field.comodel_name]
        self._links = field.type == "many2many"
        self.named = []

    def commands(self, value):
        """Commands, or None where nothing can be made of the value."""
        if isinstance(value, str):
            return self._of_text(value)
        if isinstance(value, dict):
            return self._of_object(value)
        if not isinstance(value, list):
            return [[LINK, value, 0]] if _is_id(value) else None
        if len(value) > _MAX_ITEMS:
            return None
        kind = _kind(value[0]) if value else None
        if kind is not None and not all(map(_is_id, value)) and (found := self._command(kind, value[1:])):
            return found
        return self._of_items(value)

    def _of_items(self, items):
        if items and all(self._names_a_record(item) for item in items):
            ids = [record_id for item in items for record_id in self._ids(item)]
            return [[SET, 0, list(dict.fromkeys(ids))]]
        return _joined(self._listed(item) if isinstance(item, list) else self.commands(item) for item in items)

    def _listed(self, command):
        """One item that is a list: a command, even if its numbers could be ids."""
        kind = _kind(command[0]) if command else None
        return None if kind is None else self._command(kind, command[1:])

    def _names_a_record(self, item):
        if isinstance(item, dict):
            naming = _NAMING if self._links else _NAMING_LINES
            return naming.issuperset(item) and ("id" in item or self._is_there(item))
        if isinstance(item, str):
            return item.strip().isdecimal() or (self._links and _read(item) is item)
        return _is_id(item)

    def _is_there(self, item):
        return bool(record_names.find(self._comodel, record_names.text_of(item)).ids)

    def _of_text(self, text):
        read = _read(text)
        if read is not text:
            return self.commands(read)
        if not self._links:
            return None
        names = [text]
        if "," in text and not record_names.find(self._comodel, text.strip()).ids:
            names = [part.strip() for part in text.split(",") if part.strip()]
        return [[SET, 0, [record_id for name in names for record_id in self._ids(name)]]]

    def _of_object(self, given):
        if given and all(_kind(key) is not None for key in given):
            return _joined(self._command(_kind(key), [value]) for key, value in given.items())
        verb = next(
            (key for key in ("op", "operation", "command", "action") if _kind(given.get(key)) is not None), None
        )
        if verb:
            rest = {key: value for key, value in given.items() if key != verb}
            values = rest.pop("values", None) or rest.pop("vals", None)
            return self._command(_kind(given[verb]), [part for part in (*rest.values(), values) if part is not None])
        if self._names_a_record(given):
            return [[LINK, record_id, 0] for record_id in self._ids(given)]
        if "id" in given:
            return self._command(UPDATE, [given])
        return [[CREATE, 0, given]] if given else None

    def _command(self, kind, rest):
        """One kind of command with its parts in any order, as several where it was for several records."""
        parts = [_read(part) if isinstance(part, str) else part for part in rest]
        if kind == CLEAR:
            return None if any(parts) else [[CLEAR, 0, 0]]
        if kind == CREATE:
            found = [item for part in parts for item in (part if isinstance(part, list) else [part])]
            return [[CREATE, 0, item] for item in found if isinstance(item, dict)] or None
        if kind == UPDATE:
            return self._update(parts)
        # what has no meaning here is a zero
        ids = [
            record_id
            for part in parts
            for item in (part if isinstance(part, list) else [part])
            if item not in (0, None, False)
            for record_id in self._ids(item)
        ]
        if kind == SET:
            return [[SET, 0, list(dict.fromkeys(ids))]] if ids or [] in parts else None
        return [[kind, record_id, 0] for record_id in dict.fromkeys(ids)] or None

    def _update(self, parts):
        if len(parts) == 1 and isinstance(parts[0], list):
            return _joined(self._update([item]) for item in parts[0])
        values = next((dict(part) for part in parts if isinstance(part, dict)), None)
        line = next((part for part in parts if _is_id(part) or isinstance(part, str)), None)
        if values and line is None:
            line = values.pop("id", None)
        return [[UPDATE, self._ids(line)[0], values]] if values and line else None

    def _ids(self, item):
        """The ids that one item stands for."""
        if _is_id(item):
            return [item]
        text = record_names.text_of(item)
        if text and text.isdecimal():
            return [int(text)]
        found = record_names.find(self._comodel, text) if text else record_names.Called([])
        if not text:
            raise ValueError
        sentence = record_names.sentence(self._comodel, text, found)
        if found.only:
            self.named.append(sentence)
            return [found.only]
        if found.ids:
            raise _Unclear(f"{sentence}. Send the id of the one that is meant.")
        raise _Unclear(record_names.not_found(self._comodel, text))


def _joined(lists):
    """All commands in one list, or None where a part could not be read."""
    lists = list(lists)
    return [command for commands in lists for command in commands] if all(lists) else None


def _read(text):
    """A text that is JSON or a literal of Python as what it stands for; any other text as it is."""
    bare = text.strip()
    if match := _CALL.fullmatch(bare):
        kind = _kind(match[1])
        if kind is not None:
            return [kind, *ast.literal_eval(f"[{match[2]}]")]
    if not bare.startswith(("[", "{", "(")) and not bare.isdecimal():
        return text
    try:
        return json.loads(bare)
    except ValueError:
        return _plain(ast.literal_eval(bare))


def _plain(value):
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return value


def _kind(word):
    """The kind of command that a number or a word names, or None."""
    if type(word) is int:
        return word if CREATE <= word <= SET else None
    return _KINDS.get(word.removeprefix("Command.")) if isinstance(word, str) else None


def _is_id(value):
    return type(value) is int and value > 0
