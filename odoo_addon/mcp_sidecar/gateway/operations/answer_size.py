"""Bounds the size of an answer before it is sent: what is too long is cut, with a note that says how to get the rest.

Rows lose the ends of their long texts and lists first, all at the same length, so that one sentence says how to go on;
then they are left for the next page. What has no pages is cut member by member.
"""

import json

from ..fields.notes import Notes
from ..reading import value_slices

# Where the request names no other bound: a sidecar answers 150,000, with what it adds to the results itself.
MAX_CHARS = 140_000
# What a note and the members around rows may take beside them.
_AROUND = 4_000
# Where the values of a page are cut: the longest at which all of its rows fit, else the last.
_LENGTHS = (100_000, 50_000, 20_000, 10_000, 5_000)
# Where one row has to fit, or none may be left out.
_SHORTER = (2_000, 1_000, 500, 200, 100, 50, 20)
# An entry of a list counts as so many characters of a text.
_ENTRY = 10
_MOST_NAMED = 10
_CUT = "…"

_ROWS = {"search_read": "records", "name_search": "records", "read": "records", "traverse": "records"}
_ROWS |= {"read_group": "groups", "create": "records", "write": "records", "unlink": "records"}
_CHANGES = frozenset({"create", "write", "unlink"})


def results(steps, found, max_chars=None):
    """The results of a call's steps, cut so that all of them together are no longer than an answer may be."""
    max_chars = max_chars or MAX_CHARS
    sizes = [size(result) for result in found]
    if sum(sizes) <= max_chars:
        return found
    share = _share(sizes, max_chars)
    return [
        result if length <= share else _fitted(step, result, share)
        for step, result, length in zip(steps, found, sizes, strict=True)
    ]


def size(value):
    """How many characters the value takes in an answer."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _share(sizes, room):
    """The size to which the largest have to be cut so that all fit: the smaller ones leave them their room."""
    ordered = sorted(sizes)
    for index, length in enumerate(ordered):
        share = room // (len(ordered) - index)
        if length > share:
            return share
        room -= length
    return ordered[-1] if ordered else room


def _fitted(step, result, room):
    key = _ROWS.get(step["op"])
    if key is None:
        return _result(step, result, room)
    around = {name: value for name, value in result.items() if name != key}
    around = _shortened_around(around, room // 3)
    room -= size(around) + _AROUND
    if step["op"] in _CHANGES:
        return around | {key: _all_rows(result[key], room)}
    return _page(step, around, key, result[key], room)


def _shortened_around(around, room):
    shown = shortened(around, room)
    return shown if shown == around else _noted(shown, Notes(["Parts of the answer beside its rows are left out."]))


def _noted(answer, notes):
    found = [*answer.get("notes", ()), *notes.added_to({}).get("notes", ())]
    return answer | {"notes": found} if found else answer


# === Rows ===


def _page(step, around, key, rows, room):
    length, shown = _LENGTHS[-1], None
    # many short rows have nothing to cut
    if any(size(row) > length for row in rows):
        length, shown = _with_short_values(rows, room)
    if shown is None:
        shown = _leading(_cut_rows(rows, length), room)
    if not shown and rows:
        length, shown = _first(rows, room)
    answer, notes = around | {key: shown}, Notes()
    _note_cuts(step, notes, rows, shown, length)
    if len(shown) < len(rows):
        _leave_for_later(step, answer, notes, rows, len(shown))
    return _noted(answer, notes)


def _with_short_values(rows, room):
    """All of the rows, and the longest length of their values at which they fit; else none of them, and the least."""
    for length in _LENGTHS:
        shown = _cut_rows(rows, length)
        if size(shown) <= room:
            return length, shown
    return _LENGTHS[-1], None


def _cut_rows(rows, length):
    return [{name: cut(value, length) for name, value in row.items()} for row in rows]


def _leading(rows, room):
    """As many of the first rows as fit."""
    shown = []
    for row in rows:
        room -= size(row) + 1
        if room < 0:
            break
        shown.append(row)
    return shown


def _first(rows, room):
    """The first row, however short its values have to be for that."""
    for length in _SHORTER:
        shown = _cut_rows(rows[:1], length)
        if size(shown) <= room:
            return length, shown
    return _SHORTER[-1], [shortened(rows[0], room)]


def _all_rows(rows, room):
    """All rows, as each stands for a change that was made: with shorter values, or with their ids alone."""
    for length in (*_LENGTHS, *_SHORTER):
        shown = _cut_rows(rows, length)
        if size(shown) <= room:
            return shown
    return [{"id": row["id"]} for row in rows]


def _leave_for_later(step, answer, notes, rows, shown):
    first = f"Only the first {shown} rows fit into an answer"
    if step["op"] == "read":
        answer["rest"] = [row["id"] for row in rows[shown:]]
        notes.add(f"{first}: read next_ids next, or name fewer fields.")
    else:
        answer["has_more"] = True
        notes.add(f"{first}: go on at next_offset, or name fewer fields.")


def _note_cuts(step, notes, rows, shown, length):
    """Says which values were cut and how to read on."""
    begun = value_slices.beginnings(step.get("fields"))
    cuts = {}
    for row, left in zip(rows, shown, strict=False):
        for name, value in row.items():
            if left.get(name) != value:
                cuts.setdefault((name, isinstance(value, (list, dict))), []).append(row.get("id"))
    for (name, is_list), ids in cuts.items():
        at = _entries(length) if is_list else length
        unit = "entries" if is_list else "characters"
        where = f" of {', '.join(map(str, ids[:_MOST_NAMED]))}" if ids[0] else ""
        more = " and others" if len(ids) > _MOST_NAMED else ""
        way = f'get_record with one id and fields ["{name}[{begun.get(name, 0) + at}:]"] reads on.'
        if step["op"] == "read_group":
            way = "search_read lists the records themselves."
        notes.add(f"{name}{where}{more} is cut after {at} {unit}, as an answer is bounded: {way}")


# === Any value ===


def cut(value, length):
    """The value with none of its texts longer than that, and lists in proportion."""
    if isinstance(value, str):
        return value[:length] + _CUT if len(value) > length else value
    if isinstance(value, list):
        return [cut(item, length) for item in value[: _entries(length)]]
    if isinstance(value, dict):
        return {name: cut(value[name], length) for name in list(value)[: _entries(length)]}
    return value


def _entries(length):
    return max(length // _ENTRY, 5)


def shortened(value, room):
    """The value with as much of it left out as has to be: ends of texts, of lists, and of the largest members."""
    if size(value) <= room:
        return value
    if isinstance(value, str):
        return _short_text(value, room)
    if isinstance(value, list):
        return _short_list(value, room)
    return _short_members(value, room) if isinstance(value, dict) else None


def _short_text(text, room):
    kept = max(room - 3, 0)
    # quotes and control characters take more than one
    while kept and size(text[:kept]) > room - 1:
        kept = kept * 9 // 10
    return text[:kept] + _CUT


def _short_list(items, room):
    shown = _leading(items, room - 2)
    if not shown and items and room > _AROUND // 100:
        shown = [shortened(items[0], room - 2)]
    return shown


def _short_members(members, room):
    names = _leading(list(members), room // 2)
    room -= size(dict.fromkeys(names, 0))
    share = _share([size(members[name]) for name in names], max(room, 0))
    return {name: shortened(members[name], share) for name in names}


def _result(step, result, room):
    """What has no pages, such as what a method answered."""
    if step["op"] != "call":
        return _noted(shortened(result, room - _AROUND), Notes(["Parts of the answer are left out, as it is bounded."]))
    others = {name: value for name, value in result.items() if name != "result"}
    others = _shortened_around(others, room // 2)
    shown = shortened(result["result"], room - size(others) - _AROUND)
    notes = Notes() if shown == result["result"] else Notes([_way_on(step, result["result"], shown)])
    return _noted(others | {"result": shown}, notes)


def _way_on(step, answered, shown):
    how_much = ""
    if isinstance(answered, list):
        how_much = f": {len(shown)} of its {len(answered)} entries are shown"
    elif isinstance(answered, str):
        how_much = f": {len(shown) - len(_CUT)} of its {len(answered)} characters are shown"
    return (
        f"The result of {step['method']} is cut, as an answer is bounded{how_much}. "
        "Ask for fewer records (ids, limit) or fields; search_read and get_record give the rest in pages."
    )
