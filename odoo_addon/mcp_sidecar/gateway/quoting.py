"""Escaping of untrusted text in sentences: it is set off by quotes, and can't act on a screen or a model.

A quote is bounded, stands on one line, and has escapes for characters that show nothing. The sidecar does the same in
``src/vocab/quote.rs``; ``tests/wire/quoting.json`` of the project holds what both are tested with.
"""

import re

# The characters of a quoted value; of a longer one the last is an ellipsis.
MAX_QUOTED = 80
# A sentence of Odoo is longer than a value, and all of it may matter.
MAX_LINE = 1000

# Characters without a shape of their own: controls, formats (joiners, bidirectional marks, tags), fillers, variation
# selectors, halves of surrogate pairs, and those whose shape is private.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U000e0000-\U0010ffff]"
)
_LONG_WORD = re.compile(rf"\S{{{MAX_QUOTED + 1},}}")
# In a message of PostgreSQL: it doesn't escape what it quotes.
_OUTERMOST = re.compile(r'"(.*)"', re.DOTALL)
_PLACE = re.compile("\0(\\d+)\0")
_NAME = re.compile(rf"[\w.]{{1,{MAX_QUOTED}}}", re.ASCII)
_MOST_VALUES = 50
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_MARKS = str.maketrans({'"': r"\"", "\\": r"\\"})


def quoted(value):
    """A value in double quotes: the one form in which a sentence names what a caller or a record holds."""
    # the rest of a long value is never looked at
    characters = (_escaped_quoted(character) for character in _text(value)[: MAX_QUOTED + 1])
    return f'"{_bounded(characters, MAX_QUOTED)}"'


def line(text, longest=MAX_LINE):
    """Text of others that stands as a sentence of its own: its white space is joined, it isn't quoted."""
    # twice as much as is shown, as the white space in it is not
    words = " ".join(_text(text)[: 2 * longest + 1].split())
    return _bounded((_escaped(character) for character in words), longest)


def quoted_message(text, sent=None, longest=300):
    """What Odoo, Python or PostgreSQL says about values, as a line in which these are quoted as everywhere.

    :param sent: what the caller sent, for the values in it
    """
    text = _text(text).replace("\0", "")
    quotes = []
    for value in _values_to_quote(sent):
        for form in (f'"{value}"', repr(value), value):
            text = _with_placeholder(text, form, quotes, value)
    text = _LONG_WORD.sub(_cut, _OUTERMOST.sub(_requoted, text[: 4 * MAX_LINE], count=1))
    return line(_PLACE.sub(lambda match: quotes[int(match[1])], text), longest)


def _with_placeholder(text, form, quotes, value):
    """The text with a place in it instead of a value: what stands in quotes already must not be quoted again."""
    beginning = form[:MAX_LINE]
    at = text.find(beginning)
    if at < 0:
        return text
    place = f"\0{len(quotes)}\0"
    quotes.append(quoted(value))
    if form == beginning:
        return text.replace(form, place)
    return text[:at] + place + text[at + len(form) :]


def _values_to_quote(sent):
    """The texts in what was sent that are more than a name, the longest first; as many as an error may name."""
    found, values = set(), [sent]
    while values and len(found) < _MOST_VALUES:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, (list, tuple)):
            values += value
        elif isinstance(value, str) and value.strip() and not _NAME.fullmatch(value):
            found.add(value)
    return sorted(found, key=len, reverse=True)


def _requoted(match):
    return quoted(match[1]) if "\0" not in match[1] else match[0]


def _cut(match):
    return match[0][: MAX_QUOTED - 1] + "…"


def _text(value):
    return value if isinstance(value, str) else str(value)


def _bounded(pieces, longest):
    kept, length = [], 0
    for piece in pieces:
        kept.append(piece)
        length += len(piece)
        if length > longest:
            while length >= longest:
                length -= len(kept.pop())
            return "".join([*kept, "…"])
    return "".join(kept)


def _escaped_quoted(character):
    if character.isspace() and character != " ":
        return _escape(character)
    return _escaped(character).translate(_MARKS) if character in '"\\' else _escaped(character)


def _escaped(character):
    return _escape(character) if _INVISIBLE.match(character) else character


def _escape(character):
    return _SHORT.get(character) or f"\\u{{{ord(character):x}}}"
