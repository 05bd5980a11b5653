"""Authorization of x2many commands: only lines of the record itself, and no deletion that was not requested.

Odoo's ORM takes the id in a command as it is: it changes lines of other records, moves them, and deletes what a list of
ids leaves out.
"""

from ..quoting import quoted
from ..rpc import faults
from ..values import link_targets, outputs

CREATE, UPDATE, DELETE, UNLINK, LINK, CLEAR, SET = range(7)

# Of records in a sentence.
_MAX_NAMED = 10


def check_commands(records, field, commands, notes):
    """Refuses commands on lines that are not the record's, or that delete by the way; notes what goes."""
    added = _ids(commands, LINK) | {line for kind, _id, ids in commands if kind == SET for line in ids}
    used = _ids(commands, UPDATE, DELETE, UNLINK)
    if not added and not used and not any(kind == CLEAR for kind, _id, _ids in commands):
        return
    current = _current(records, field, used | added)
    _require_own(records, field, used - current - _ids(commands, LINK))
    _require_there(records, field, added - current)
    if records:
        _judge_removals(records, field, commands, current, notes)
        _note_moves(records, field, added - current, notes)


def _ids(commands, *kinds):
    return {line for kind, line, _values in commands if kind in kinds}


def _current(records, field, ids):
    """Ids of the lines that the records have; archived ones too, and those that the field's domain leaves out."""
    if not records:
        return set()
    records = records.with_context(active_test=False)
    current = set(records[field.name]._ids)
    if ids - current and field.type == "one2many" and field.store and field.inverse_name:
        comodel = records.env[field.comodel_name]
        if comodel._fields[field.inverse_name].type == "many2one":
            current.update(comodel.search([("id", "in", list(ids)), (field.inverse_name, "in", records.ids)])._ids)
    return current


def _require_own(records, field, foreign):
    if not foreign:
        return
    current = sorted(_current(records, field, set()))
    there = f"its ids are {_listed(current)}" if current else "it has none"
    message = f"{field.comodel_name} {min(foreign)} is not in {field.name} of this record: {there}."
    raise faults.invalid_command(records._name, field.name, message)


def _require_there(records, field, ids):
    if not ids:
        return
    if missing := ids - link_targets.existing(records.env[field.comodel_name], ids):
        message = f"There is no {field.comodel_name} with the id {min(missing)}, which {field.name} was to get."
        raise faults.invalid_command(records._name, field.name, message)


# === What leaves the field ===


def _judge_removals(records, field, commands, current, notes):
    if field.type != "one2many":
        return
    own = set(records.with_context(active_test=False)[field.name]._ids)
    by_the_way = {line for kind, _id, ids in commands if kind == SET for line in own - set(ids)}
    unlinked = _ids(commands, UNLINK) & current
    if (by_the_way or unlinked) and _deletes(records, field):
        doomed = by_the_way | unlinked
        ask = ", ".join(f"[2, {line}, 0]" for line in sorted(doomed)[:_MAX_NAMED])
        message = (
            f"This would delete {_named(records, field, doomed)} from {field.name}. "
            f"Send {ask} to delete, and [4, id, 0] to add without deleting."
        )
        raise faults.invalid_command(records._name, field.name, message)
    cleared = own if any(kind == CLEAR for kind, _id, _values in commands) else set()
    deleted = _ids(commands, DELETE) | (cleared if _deletes(records, field) else set())
    if deleted:
        notes.add(f"Deleted from {field.name}: {_named(records, field, deleted)}.")
    if taken_out := (by_the_way | unlinked | cleared) - deleted:
        notes.add(f"No longer in {field.name}: {_named(records, field, taken_out)}.")


def _deletes(records, field):
    """Whether Odoo deletes a line that leaves the field, since it can't be without its record."""
    inverse = records.env[field.comodel_name]._fields.get(field.inverse_name)
    return inverse is not None and inverse.type == "many2one" and inverse.ondelete == "cascade"


def _note_moves(records, field, ids, notes):
    """A line has one record: adding it here takes it from where it was."""
    comodel = records.env[field.comodel_name]
    inverse = comodel._fields.get(field.inverse_name) if field.type == "one2many" else None
    if inverse is None or inverse.type != "many2one" or not ids:
        return
    for line in comodel.browse(ids):
        # sudo: the line may be read; where it was is only named as its own field would show it
        if before := line.sudo()[inverse.name]:
            notes.add(f"{field.comodel_name} {line.id} was moved to {field.name} from {inverse.name} {before.id}.")


def _named(records, field, ids):
    found = outputs.names(records.env[field.comodel_name], list(ids))
    names = {line: quoted(found[line]) if found.get(line) else field.comodel_name for line in ids}
    shown = [f"{names[line]} ({line})" for line in sorted(ids)]
    return _listed(shown)


def _listed(items):
    items = list(map(str, items))
    if len(items) > _MAX_NAMED:
        items[_MAX_NAMED:] = [f"{len(items) - _MAX_NAMED} more"]
    return ", ".join(items)
