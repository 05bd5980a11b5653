"""Attributes an unexpected error to a value that the caller sent, by taint tracking over the frames of its traceback.

Odoo's code says that a value is of the wrong kind by the errors that Python has for it, as any fault of its own would
show. What distinguishes them is whether a value that was sent takes part in the expression that failed.
"""

import ast
import dis
import inspect
import json
import linecache
import re
import textwrap
import tokenize
import traceback

import psycopg2

from ..quoting import MAX_QUOTED, quoted, quoted_message

# Beside Odoo's `orm` package: what other addons put into every model, and what of it they do with their own hands.
_ORM_TOO = ("odoo.addons.web.models.models", "odoo.addons.mcp_sidecar.models.base")
# Here the ORM has a value computed, and complains of the code that does it.
_COMPUTING = ("__get__", "compute_value", "recompute")
# What PostgreSQL says of a value of the wrong type, beside its data errors.
_UNFIT_SQLSTATES = ("42804", "42846", "42883")
_CONTAINERS = (dict, list, tuple, set, frozenset)
_MAX_CHARS = 300
# Where a value is looked for in what was handed to a function that isn't written in Python.
_MAX_DEPTH = 4
_MAX_NODES = 500
_SMALL_INTEGERS = range(-5, 257)
# The shortest text that isn't found in another by chance.
_TELLING = 3


def argument_error(exc, sent):
    """What is wrong with which of the values, or None where none of them had a part in it.

    :param sent: what the caller sent, by the names that the caller knows
    """
    place = _Taint(sent).place(exc)
    if place is None:
        return None
    return f"{_reason(exc, sent)} (sent in {place})."


def _reason(exc, sent):
    if isinstance(exc, psycopg2.Error):
        return "the database can't take this value"
    if isinstance(exc, KeyError):
        # the name alone, as Python shows it
        return f"{quoted(exc.args[0])} is not known" if exc.args else "a key is not known"
    return quoted_message(exc, sent, _MAX_CHARS).rstrip(".") or "the value has the wrong type"


def _is_of_values(exc):
    """Whether an error may be about a value at all: most of what PostgreSQL refuses is about the query."""
    if not isinstance(exc, psycopg2.Error):
        return True
    if isinstance(exc, psycopg2.DataError):
        return True
    # without a code it is of psycopg2 itself, which has no form for such a value
    return isinstance(exc, psycopg2.ProgrammingError) and exc.pgcode in (None, *_UNFIT_SQLSTATES)


class _Taint:
    """The values of a call, and what became of them on the way to an error.

    They are known by their identity. Some, such as 5 and None, are the same object everywhere in Python: these are
    followed from argument to parameter.
    """

    def __init__(self, sent):
        self._places, self._shared, self._keys, self._texts = {}, {}, {}, {}
        for name, value in sent.items():
            self._keys[name] = _shown(name)
            self._add(value, _shown(name), name)

    def _add(self, value, place, key):
        if _is_shared(value):
            self._shared.setdefault(id(value), []).append((key, place))
            return
        self._places.setdefault(id(value), place)
        if isinstance(value, str) and len(value) >= _TELLING:
            self._texts[value] = place
        if isinstance(value, dict):
            for name, item in value.items():
                self._keys[name] = f"{place}.{_shown(name)}"
                self._add(item, f"{place}.{_shown(name)}", name)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self._add(item, f"{place}[{index}]", key)

    def place(self, exc):
        """Where the value was sent that the failed expression works on."""
        frames = list(_frames(exc)) if _is_of_values(exc) else []
        followed = self._followed(frames)
        for depth, (frame, operands) in enumerate(reversed(frames)):
            found = self._first(frame, operands, followed[len(frames) - 1 - depth], None if depth else exc)
            if found is not None:
                return found
            if not _is_forwarding_override(frame):
                return None
        return None

    def _first(self, frame, operands, shared, exc):
        """The place of the first operand that was sent, of those where the error was raised; each is looked into there.

        Of a call further out any of its arguments may be meant, so all of them are named.
        """
        found = {}
        for name in [*operands, *(_conditions(frame) if exc is not None else ())]:
            value = frame.f_locals.get(name)
            if not _may_be_about(exc, value):
                continue
            place = shared.get(name) or self._places.get(id(value))
            if place is None and exc is not None:
                place = self._inside(value, exc)
            if place is not None and exc is not None:
                return place
            found[place] = None
        return ", ".join(filter(None, found)) or None

    def _inside(self, value, exc):
        """A value within what a function was given that isn't written in Python, such as the parameters of a query."""
        queue, seen = [(value, None, 0)], 0
        while queue and seen < _MAX_NODES:
            item, key, depth = queue.pop()
            seen += 1
            place = self._places.get(id(item)) or self._named(key, item) or self._accused(item, exc)
            if place is not None:
                return place
            if depth < _MAX_DEPTH and isinstance(item, dict):
                queue += [(inner, name, depth + 1) for name, inner in item.items()]
                queue += [(name, None, depth + 1) for name in item]
            elif depth < _MAX_DEPTH and isinstance(item, _CONTAINERS):
                queue += [(inner, None, depth + 1) for inner in item]
        return None

    def _accused(self, value, exc):
        """A value that the error itself names: a key that was sent, or one of the shared values by its type."""
        if isinstance(value, str) and value in self._keys and re.search(rf"\b{re.escape(value)}\b", str(exc)):
            return self._keys[value]
        if isinstance(value, str) and value in str(exc):
            # made of what was sent, such as an external id of a module and a name
            made_of = [text for text in self._texts if text in value]
            return self._texts[max(made_of, key=len)] if made_of else None
        if _is_shared(value) and _is_complained_of(exc, value):
            return next((place for _key, place in self._shared.get(id(value), ())), None)
        return None

    def _named(self, name, value):
        if name is None or not _is_shared(value):
            return None
        return next((place for key, place in self._shared.get(id(value), ()) if key == name), None)

    def _followed(self, frames):
        """For each frame the names of shared values that were sent, with the place where."""
        passed = {key: places[0][1] for key, places in self._shared.items()}
        followed = []
        for frame, operands in frames:
            names = {name: self._named(name, value) for name, value in frame.f_locals.items()}
            for name in _parameters(frame):
                names[name] = names.get(name) or passed.get(id(frame.f_locals.get(name)))
            followed.append({name: place for name, place in names.items() if place is not None})
            passed = self._passed(frame, operands, followed[-1], passed)
        return followed

    def _passed(self, frame, operands, names, before):
        """What an expression hands on of the shared values, be it as an argument or as one of many."""
        passed = {id(frame.f_locals[name]): names[name] for name in operands if name in names}
        for name in operands:
            value = frame.f_locals.get(name)
            if name in ("args", "kwargs") and isinstance(value, (tuple, dict)):
                items = value.values() if isinstance(value, dict) else value
                passed |= {id(item): before[id(item)] for item in items if id(item) in before}
        return passed


def _shown(name):
    """A key may be any text."""
    return name if name.isidentifier() and len(name) <= MAX_QUOTED else quoted(name)


def _may_be_about(exc, value):
    """A missing key is about the key, or about what has no such key."""
    return not isinstance(exc, KeyError) or isinstance(value, dict) or value in exc.args


def _is_shared(value):
    return value is None or value == "" or isinstance(value, bool) or (type(value) is int and value in _SMALL_INTEGERS)


def _is_complained_of(exc, value):
    """Whether an error is about the type of this value. None is too common to be recognized by its type."""
    return (
        value is not None and isinstance(exc, (AttributeError, TypeError)) and f"'{type(value).__name__}'" in str(exc)
    )


# === Frames ===


def _frames(exc):
    """The frames from the call to the error, each with the names in the expression that it was at."""
    # the first frame is the one that called
    at = exc.__traceback__ and exc.__traceback__.tb_next
    while at is not None:
        yield at.tb_frame, _operands(at)
        at = at.tb_next


def _operands(at):
    """Names of the variables that the expression loads that a frame is at."""
    instructions = list(dis.get_instructions(at.tb_frame.f_code))
    # a frame that has called another may be at what is cached behind its instruction
    failed = [one for one in instructions if one.offset <= at.tb_lasti][-1]
    names = {}
    for one in instructions:
        if one.opname.startswith("LOAD_") and _is_within(one, failed):
            for name in one.argval if isinstance(one.argval, tuple) else (one.argval,):
                names[name] = None
    return [name for name in names if isinstance(name, str)]


def _conditions(frame):
    """Names in the conditions that an error is raised under: what it complains of need not be in its text."""
    code = frame.f_code
    lines = linecache.getlines(code.co_filename, frame.f_globals)
    try:
        source = "".join(inspect.getblock(lines[code.co_firstlineno - 1 :]))
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, tokenize.TokenError):
        return []
    line = frame.f_lineno - code.co_firstlineno + 1
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.lineno <= line <= node.end_lineno]
    tests = [
        node.test
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and raised and any(raised[0] in ast.walk(inner) for inner in node.body)
    ]
    return [node.id for test in tests for node in ast.walk(test) if isinstance(node, ast.Name)]


def _is_within(one, failed):
    # Python 3.10 knows no positions: all variables count
    inner, outer = getattr(one, "positions", None), getattr(failed, "positions", None)
    if not inner or not outer or None in (*inner, *outer):
        return inner is None
    begins = (outer.lineno, outer.col_offset) <= (inner.lineno, inner.col_offset)
    return begins and (inner.end_lineno, inner.end_col_offset) <= (outer.end_lineno, outer.end_col_offset)


def _parameters(frame):
    code = frame.f_code
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _is_forwarding_override(frame):
    """Whether a frame only works on what it was given: the ORM does, and what is no code of Odoo's."""
    module = frame.f_globals.get("__name__", "")
    if not module.startswith("odoo.addons.") or module in _ORM_TOO:
        return frame.f_code.co_name not in _COMPUTING
    return False


# === Records ===


def singleton(exc, records):
    """What to say where Odoo worked on several records, or none, as if they were one; None where it didn't."""
    frame = _raising_frame(exc)
    if not isinstance(exc, ValueError) or frame is None or frame.f_code.co_name != "ensure_one":
        return None
    found = frame.f_locals.get("self")
    if found is None or len(found) == 1:
        return None
    if len(found) > 1 and found == records:
        return "it works on one record at a time: repeat the call for each of the ids."
    if not found:
        return f"Odoo needs a record of {found._name} here and finds none: a field that leads to one is empty."
    return f"Odoo expects one record of {found._name} here and finds {len(found)}: {json.dumps(found.ids[:10])}."


def _raising_frame(exc):
    frames = [frame for frame, _line in traceback.walk_tb(exc.__traceback__)]
    return frames[-1] if frames else None


# === Signatures ===


def takes(model, name, signature):
    """A sentence with the parameters that a method has; an override may hide them behind any arguments."""
    named = _named_parameters(signature)
    for cls in type(model).mro():
        if named:
            break
        method = vars(cls).get(name)
        named = _named_parameters(inspect.signature(method)) if inspect.isfunction(method) else []
    return f"It takes {', '.join(named)}." if named else "It takes no arguments."


def _named_parameters(signature):
    parameters = list(signature.parameters.values())[1:]
    return [
        parameter.name if parameter.default is not parameter.empty else f"{parameter.name} (required)"
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and parameter.name[0] != "_"
    ]
