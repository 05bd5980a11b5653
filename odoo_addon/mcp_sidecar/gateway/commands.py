"""Commands that change the lines of an x2many field: their forms. What they may do is judged in `lines`."""

import json

from . import faults, lines, places
from .lines import CLEAR, CREATE, DELETE, LINK, SET, UNLINK, UPDATE

# How many members each command has at least; missing trailing ones are meaningless to it.
_SHORTEST = {CREATE: 3, UPDATE: 3, DELETE: 2, UNLINK: 2, LINK: 2, CLEAR: 1, SET: 3}
_MAX_SHOWN = 200

_FORMS = {
    CREATE: "[0, 0, {values}] to create a line",
    UPDATE: "[1, id, {values}] to change a line",
    DELETE: "[2, id, 0] to delete a line",
    UNLINK: "[3, id, 0] to unlink a record",
    LINK: "[4, id, 0] to link a record",
    SET: "[6, 0, [ids]] to set the records",
}
# What a list of two ids would do if it was meant as one command, and what one id would.
_FLAT = {DELETE: "deletes the record {id}", UNLINK: "takes the record {id} out", LINK: "adds the record {id}"}


def checked_commands(records, field, value, notes, check_values):
    """Commands for Odoo, made of commands or of a list of ids, which means exactly these.

    :param records: whose field it is; none for a new record
    :param check_values: checks the values of lines, as ``(lines, values, notes)``
    """
    if not isinstance(value, list):
        raise faults.invalid_command(records._name, field.name, _other_form(field, value))
    if all(_is_id(item) for item in value):
        found = [_set(records, field, value)]
    else:
        found = [_checked_form(records, field, command, value) for command in value]
    lines.require(records, field, found, notes)
    return [
        _with_checked_values(records, field, index, command, notes, check_values) for index, command in enumerate(found)
    ]


def cleared(records, field):
    """What null stands for: no links. Lines are never deleted by it."""
    if not records:
        return []
    if field.type == "one2many":
        message = f"null would not say what becomes of {field.name}: leave the field out to keep it, or send commands."
        raise faults.invalid_command(records._name, field.name, message)
    return [(CLEAR, 0, 0)]


# === Forms ===


def _set(records, field, ids):
    if not ids and field.type == "one2many" and records:
        message = f"An empty list would delete all of {field.name}: leave the field out to keep them, or send "
        raise faults.invalid_command(records._name, field.name, message + "[[5, 0, 0]].")
    if readings := _readings(ids, bool(records)):
        message = f"{json.dumps(ids)} for {field.name} can be read in two ways: {readings}. Send the one that is meant."
        raise faults.invalid_command(records._name, field.name, message)
    return (SET, 0, ids)


def _readings(ids, changing):
    """Both readings of a list of ids that could be a command, where it could."""
    both = f"[[6, 0, {json.dumps(ids)}]] sets exactly these records"
    if len(ids) == 2 and (ids[0] == LINK or (changing and ids[0] in _FLAT)):
        return f"{both}, [[{ids[0]}, {ids[1]}, 0]] {_FLAT[ids[0]].format(id=ids[1])}"
    if changing and ids == [CLEAR]:
        return f"{both}, [[5, 0, 0]] takes all out"
    return None


def _checked_form(records, field, command, value):
    if not _is_command(command):
        raise faults.invalid_command(records._name, field.name, _other_form(field, value))
    kind, *rest = command
    if kind in (CREATE, UPDATE):
        if not isinstance(rest[1], dict) or (kind == UPDATE and not _is_id(rest[0])):
            raise faults.invalid_command(records._name, field.name, _form(field, kind))
        return (kind, 0 if kind == CREATE else rest[0], rest[1])
    if kind == SET:
        if not isinstance(rest[1], list) or not all(_is_id(item) for item in rest[1]):
            raise faults.invalid_command(records._name, field.name, _form(field, kind))
        return (SET, 0, rest[1])
    if kind != CLEAR and not _is_id(rest[0]):
        raise faults.invalid_command(records._name, field.name, _form(field, kind))
    return (kind, 0 if kind == CLEAR else rest[0], 0)


def _with_checked_values(records, field, index, command, notes, check_values):
    kind, target, given = command
    if kind not in (CREATE, UPDATE):
        return command
    comodel = records.env[field.comodel_name]
    with places.within(f"{field.name}[{index}]"):
        return (kind, target, check_values(comodel.browse(target) if kind == UPDATE else comodel, given, notes))


def _other_form(field, value):
    """The right form of what was meant, where that can be seen; None for the general sentence."""
    if _is_command(value):
        meant = [value]
    elif isinstance(value, dict) and value and "id" not in value:
        meant = [[CREATE, 0, value]]
    elif isinstance(value, list) and value and all(isinstance(item, dict) and "id" not in item for item in value):
        meant = [[CREATE, 0, item] for item in value]
    elif _is_id(value):
        meant = [[LINK, value, 0]]
    else:
        return None
    text = json.dumps(meant, ensure_ascii=False)
    if len(text) > _MAX_SHOWN:
        return None
    return f"{field.name} takes a list of commands: what was sent may stand for {text}."


def _is_command(command):
    if not isinstance(command, list) or not command or type(command[0]) is not int:
        return False
    return command[0] in _SHORTEST and _SHORTEST[command[0]] <= len(command) <= 3


def _is_id(value):
    return type(value) is int and value > 0


def _form(field, kind):
    return f"A command {kind} on {field.name} has the form {_FORMS[kind]}."
