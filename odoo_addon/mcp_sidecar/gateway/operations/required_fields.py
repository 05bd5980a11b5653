"""The required fields that new records lack. Odoo sets many of them by itself, so this only explains a failure."""

from ..fields.x2many_lines import CREATE
from ..quoting import quoted

_X2MANY = ("one2many", "many2many")
_MOST_NAMED = 10


def lacking(model, rows):
    """A sentence with the required fields that neither the rows nor their lines give, or None."""
    found = [item for row in rows for item in _lacking(model, row, "", None)]
    if not found:
        return None
    return f"These fields are required and were not given: {', '.join(dict.fromkeys(found[:_MOST_NAMED]))}."


def _lacking(model, row, path, inverse):
    """Paths with labels; without the field that refers to the record whose line it is."""
    for name, field in model._fields.items():
        if _is_needed(model, field) and not row.get(name) and name != inverse:
            yield f"{path}{name} ({quoted(field._description_string(model.env) or name)})"
    for name, commands in row.items():
        field = model._fields[name]
        for index, command in enumerate(commands or () if field.type in _X2MANY else ()):
            if command[0] == CREATE:
                lines = model.env[field.comodel_name]
                inverse = field.inverse_name if field.type == "one2many" else None
                yield from _lacking(lines, command[2], f"{path}{name}[{index}].", inverse)


def _is_needed(model, field):
    """Whether nothing but the caller can give the value."""
    if not field.required or not field.store or field.compute or field.related or field.inherited:
        return False
    return field.default is None and field.type != "boolean" and field.name not in model._inherits.values()
