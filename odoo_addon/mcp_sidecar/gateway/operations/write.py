"""The operations `create`, `write` and `unlink`."""

from ..errors import locations
from ..fields import inputs, properties
from ..fields.notes import Notes
from ..policy import call_rules
from ..reading import read
from . import bisection, record_changes, stored_values

_NAMES = frozenset({"id", "display_name", "company"})
_DIFFERENT = "`stored` holds the fields whose stored value is not the one that was sent."


def create(env, step):
    model, notes = call_rules.require_model(env, step["model"], "create"), Notes()
    given = [_checked(model, step["values"], index, notes) for index in range(len(step["values"]))]
    return _answer(bisection.created(model, given), given, notes)


def _checked(model, rows, index, notes):
    if len(rows) == 1:
        return inputs.checked_values(model, rows[index], notes)
    with locations.within(f"records[{index}]"):
        return inputs.checked_values(model, rows[index], notes)


def write(env, step):
    model, notes = call_rules.require_model(env, step["model"], "write"), Notes()
    records = read.require_readable(model, step["ids"])
    own = _properties(records, step["values"], notes)
    others = {name: value for name, value in step["values"].items() if name not in own}
    checked, watch = {}, record_changes.Snapshot(records)
    if others or not own:
        checked = inputs.checked_values(records, others, notes)
        bisection.written(records, checked)
    # afterwards, as it may be another record now that defines them
    for name, value in own.items():
        properties.write(records, model._fields[name], value, inputs.checked_property)
    return _answer(records, [checked] * len(records), notes, watch.changes())


def _properties(records, given, notes):
    """Those of the values that are written record by record; the others are looked at when they are checked."""
    fields = {name: records._fields[name] for name in given if name in records._fields}
    own = {name: given[name] for name, field in fields.items() if field.type == "properties"}
    for name, value in own.items():
        inputs.writable_field(records, name, value, notes)
    return own


def unlink(env, step):
    model = call_rules.require_model(env, step["model"], "unlink")
    records = read.require_readable(model, step["ids"])
    gone = record_changes.named(records)
    bisection.deleted(records)
    return {"deleted": step["ids"], "records": gone}


def _answer(records, given, notes, changes=()):
    """The records with their names, what changed in them, and what was stored differently from what was sent."""
    changed = {change["id"]: {key: change[key] for key in change if key not in _NAMES} for change in changes}
    rows = record_changes.named(records)
    rows = [row | ({"changed": changed[row["id"]]} if changed.get(row["id"]) else {}) for row in rows]
    if different := stored_values.differences(records, given):
        rows = [row | ({"stored": different[row["id"]]} if row["id"] in different else {}) for row in rows]
        notes.add(_DIFFERENT)
    return notes.added_to({"records": rows})
