"""Schema validation of requests: JSON text in, checked Python values out.

A shape is a function ``(value, at)`` that answers the checked value or raises ``bad_request`` with the path of the
faulty member, such as ``steps.0.limit``. Unknown members are refused, so that a misspelt one can't be silently ignored.
"""

import json
import math
import re
from datetime import datetime

from ..quoting import quoted
from . import faults

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SUSPICIOUS = re.compile(r"\\u(0000|d[89a-f])|\x00|[\ud800-\udfff]", re.IGNORECASE)
_PROOF = re.compile(r"[0-9a-f]{64}")
# PostgreSQL's integer: ids beyond it exist nowhere.
_MAX_ID = 2**31 - 1
# Far more than any value needs, and far less than Python can follow.
_MAX_DEPTH = 150

_TYPE_NAMES = {
    str: "a text",
    int: "an integer",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def decode(shape, text):
    """The checked request that a text stands for."""
    if not isinstance(text, str):
        raise faults.bad_request("", "The request has to be one JSON text.")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as exc:
        raise faults.bad_request("", "The request is not valid JSON.") from exc
    if text.count("[") + text.count("{") > _MAX_DEPTH and _is_too_deep(value):
        raise faults.bad_request("", f"The request is nested deeper than {_MAX_DEPTH} levels.")
    if _SUSPICIOUS.search(text):
        if getattr(shape, "lenient", False):
            value = _repaired(value)
        else:
            _refuse_unstorable(value)
    return shape(value, "")


def _is_too_deep(value):
    """Whether what follows a value into its members would run out of stack."""
    level = [value]
    for _depth in range(_MAX_DEPTH + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list))
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True


def _refuse_unstorable(value):
    """PostgreSQL stores neither NUL nor half of a surrogate pair."""
    written = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in written.replace("\\\\", "") or any("\ud800" <= character <= "\udfff" for character in written):
        raise faults.bad_request("", "The request has a character that can't be stored.")


def _repaired(value):
    """The value with what can't be stored replaced."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value


def _finite(text):
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def _typed(value, at, kind):
    # bool is a subclass of int, yet `true` is no number
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise faults.bad_request(at, f"{_subject(at)} has to be {_TYPE_NAMES[kind]}.")
    return value


def _below(at, name):
    return f"{at}.{name}" if at else str(name)


def _subject(at):
    """What a sentence calls the member, whose path stands beside it."""
    path, _dot, last = at.rpartition(".")
    # digits count the entries of a list
    return f"An entry of {_subject(path)}" if last.isdigit() else last or "The request"


# === Simple values ===


def boolean(value, at):
    return _typed(value, at, bool)


def anything(value, at):
    return value


def text(longest=1000, shortest=0):
    def shape(value, at):
        _typed(value, at, str)
        if not shortest <= len(value) <= longest:
            raise faults.bad_request(at, f"{_subject(at)} has to have {shortest} to {longest} characters.")
        return value

    return shape


def integer(least, greatest):
    def shape(value, at):
        _typed(value, at, int)
        if not least <= value <= greatest:
            raise faults.bad_request(at, f"{_subject(at)} has to be between {least} and {greatest}.")
        return value

    return shape


def clamped(least, greatest):
    """An integer; the nearest that can be stored."""

    def shape(value, at):
        return min(max(_typed(value, at, int), least), greatest)

    return shape


def cut(longest):
    """A text, as much of it as can be stored."""

    def shape(value, at):
        return _typed(value, at, str)[:longest]

    return shape


def instant(value, at):
    if not isinstance(value, str) or not _INSTANT.fullmatch(value) or not _is_time(value):
        raise faults.bad_request(at, f"{_subject(at)} has to be an instant in UTC, such as 2026-11-22T13:30:00Z.")
    return value


def _is_time(text):
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False  # such as the 31st of June


def choice(*values):
    def shape(value, at):
        if not isinstance(value, str) or value not in values:
            raise faults.bad_request(at, f"{_subject(at)} has to be one of {', '.join(values)}.")
        return value

    return shape


def _matching(pattern, what):
    def shape(value, at):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise faults.bad_request(at, f"{_subject(at)} has to be {what}.")
        return value

    return shape


uuid = _matching(_UUID, "a UUID")
proof = _matching(_PROOF, "64 hex digits")
name = text(longest=200, shortest=1)


# === Composed values ===


def nullable(inner):
    def shape(value, at):
        return None if value is None else inner(value, at)

    shape.nullable = True
    return shape


def list_of(inner, longest=1000, shortest=0):
    def shape(value, at):
        _typed(value, at, list)
        if not shortest <= len(value) <= longest:
            raise faults.bad_request(at, f"{_subject(at)} has to have {shortest} to {longest} entries.")
        return [inner(item, _below(at, index)) for index, item in enumerate(value)]

    return shape


def cut_list(inner, longest):
    """A list, as much of it as can be stored."""

    def shape(value, at):
        return [inner(item, _below(at, index)) for index, item in enumerate(_typed(value, at, list)[:longest])]

    return shape


def lenient(inner):
    """Marks a request that is mended rather than refused where its texts can't be stored."""

    def shape(value, at):
        return inner(value, at)

    shape.lenient = True
    return shape


def record(**members):
    """An object with exactly these members; only nullable ones may be left out."""

    def shape(value, at):
        _typed(value, at, dict)
        for key in value:
            if key not in members:
                raise faults.bad_request(_below(at, key), f"{quoted(key)} is not known here.")
        return {key: _member(value, key, inner, at) for key, inner in members.items()}

    return shape


def _member(value, key, inner, at):
    if key not in value and not getattr(inner, "nullable", False):
        raise faults.bad_request(_below(at, key), f"{key} is missing.")
    return inner(value.get(key), _below(at, key))


def variant(tag, shapes):
    """An object whose member ``tag`` says which of the shapes it has."""

    def shape(value, at):
        _typed(value, at, dict)
        which = choice(*shapes)(value.get(tag), _below(at, tag))
        rest = {key: item for key, item in value.items() if key != tag}
        return {tag: which, **shapes[which](rest, at)}

    return shape


def mapping(value, at):
    return _typed(value, at, dict)


def _record_id(value, at):
    if not integer(-_MAX_ID, _MAX_ID)(value, at):
        raise faults.bad_request(at, f"{_subject(at)} has to be an id, which 0 is not.")
    return value


def ids(longest=1000, shortest=0):
    """Record ids, each once, in the order given; those of a view that joins tables may be negative."""
    inner = list_of(_record_id, longest, shortest)

    def shape(value, at):
        return list(dict.fromkeys(inner(value, at)))

    return shape
