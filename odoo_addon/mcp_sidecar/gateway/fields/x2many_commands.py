"""Parser of x2many commands: their forms. What a command may do is judged in `x2many_lines`."""

import json

from ..errors import locations
from ..rpc import faults
from . import x2many_lines, x2many_proposals
from .x2many_lines import CLEAR, CREATE, DELETE, LINK, SET, UNLINK, UPDATE

# How many members each command has at least; missing trailing ones are meaningless to it.
_SHORTEST = {CREATE: 3, UPDATE: 3, DELETE: 2, UNLINK: 2, LINK: 2, CLEAR: 1, SET: 3}
# What a list of two ids would do if it was meant as one command, and what one id would.
_FLAT = {DELETE: "deletes the record {id}", UNLINK: "takes the record {id} out", LINK: "adds the record {id}"}


def checked_commands(records, field, value, notes, check_values):
    """Commands for Odoo, made of commands or of a list of ids, which means exactly these.

    :param records: whose field it is; none for a new record
    :param check_values: checks the values of lines, as ``(lines, values, notes)``
    """
    if isinstance(value, list) and all(_is_id(item) for item in value):
        found = [_set(records, field, value)]
    else:
        found = [_form(command) for command in value] if isinstance(value, list) else [None]
    if None in found:
        raise x2many_proposals.refusal(records, field, value)
    x2many_lines.check_commands(records, field, found, notes)
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


def _form(command):
    """The command with all of its members, or None if it is none."""
    if not _is_command(command):
        return None
    kind, *rest = command
    if kind in (CREATE, UPDATE):
        fits = isinstance(rest[1], dict) and (kind == CREATE or _is_id(rest[0]))
        return (kind, 0 if kind == CREATE else rest[0], rest[1]) if fits else None
    if kind == SET:
        return (SET, 0, rest[1]) if isinstance(rest[1], list) and all(_is_id(item) for item in rest[1]) else None
    if kind == CLEAR:
        return (CLEAR, 0, 0)
    return (kind, rest[0], 0) if _is_id(rest[0]) else None


def _with_checked_values(records, field, index, command, notes, check_values):
    kind, target, given = command
    if kind not in (CREATE, UPDATE):
        return command
    comodel = records.env[field.comodel_name]
    with locations.within(f"{field.name}[{index}]"):
        return (kind, target, check_values(comodel.browse(target) if kind == UPDATE else comodel, given, notes))


def _is_command(command):
    if not isinstance(command, list) or not command or type(command[0]) is not int:
        return False
    return command[0] in _SHORTEST and _SHORTEST[command[0]] <= len(command) <= 3


def _is_id(value):
    return type(value) is int and value > 0
