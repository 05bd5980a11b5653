"""Commands that change the lines of an x2many field, checked before Odoo sees them."""

from . import faults

CREATE, UPDATE, DELETE, UNLINK, LINK, CLEAR, SET = range(7)
# How many members each command has at least; missing trailing ones are meaningless to it.
_SHORTEST = {CREATE: 3, UPDATE: 3, DELETE: 2, UNLINK: 2, LINK: 2, CLEAR: 1, SET: 3}

_AMBIGUOUS = "An empty list would delete all of {field}: leave the field out to keep them, or send [[5, 0, 0]]."


def checked_commands(model, field, value, creating, check_values):
    """Commands for Odoo, made of commands or of a list of ids, which means exactly these.

    :param creating: whether the record of the field is a new one
    :param check_values: checks the values of a line, as ``(comodel, values, creating)``
    """
    if not isinstance(value, list):
        raise faults.invalid_command(model._name, field.name)
    if all(_is_id(item) for item in value):
        if not value and field.type == "one2many" and not creating:
            raise faults.invalid_command(model._name, field.name, _AMBIGUOUS.format(field=field.name))
        return [(SET, 0, value)]
    comodel = model.env[field.comodel_name]
    return [_checked_command(model, field, comodel, command, check_values) for command in value]


def _checked_command(model, field, comodel, command, check_values):
    if not _is_command(command):
        raise faults.invalid_command(model._name, field.name)
    kind, *rest = command
    if kind in (CREATE, UPDATE):
        target = 0 if kind == CREATE else rest[0]
        if not isinstance(rest[1], dict) or (kind == UPDATE and not _is_id(target)):
            raise faults.invalid_command(model._name, field.name, _form(field, kind))
        return (kind, target, check_values(comodel, rest[1], kind == CREATE))
    if kind == SET:
        if not isinstance(rest[1], list) or not all(_is_id(item) for item in rest[1]):
            raise faults.invalid_command(model._name, field.name, _form(field, kind))
        return (SET, 0, rest[1])
    if kind != CLEAR and not _is_id(rest[0]):
        raise faults.invalid_command(model._name, field.name, _form(field, kind))
    return (kind, 0 if kind == CLEAR else rest[0], 0)


def _is_command(command):
    if not isinstance(command, list) or not command or type(command[0]) is not int:
        return False
    return command[0] in _SHORTEST and _SHORTEST[command[0]] <= len(command) <= 3


def _is_id(value):
    return type(value) is int and value > 0


_FORMS = {
    CREATE: "[0, 0, {values}] to create a line",
    UPDATE: "[1, id, {values}] to change a line",
    DELETE: "[2, id, 0] to delete a line",
    UNLINK: "[3, id, 0] to unlink a record",
    LINK: "[4, id, 0] to link a record",
    SET: "[6, 0, [ids]] to set the records",
}


def _form(field, kind):
    return f"A command {kind} on {field.name} has the form {_FORMS[kind]}."
