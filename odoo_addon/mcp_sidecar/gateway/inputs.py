"""Values on their way in: JSON types are checked against fields and turned into what Odoo writes."""

import base64
import binascii
import re
from datetime import UTC, date, datetime

from odoo.orm.models import LOG_ACCESS_COLUMNS, MAGIC_COLUMNS

from . import bearers, confinement, exits, faults, properties, secret_fields
from .commands import checked_commands
from .quoting import quoted

_MAX_INTEGER = 2**31 - 1
# Odoo multiplies what it rounds by up to 10^16, which must not pass the greatest float.
_MAX_NUMBER = 1e290
# Odoo's texts of dates have no leading zeros; and each zone's time of an instant has to be one as well.
_FIRST = date(1000, 1, 1)
_LAST_OF_INSTANTS = date(9999, 12, 30)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"([a-z0-9_.]{1,200}),(\d{1,10})", re.ASCII)


def checked_values(model, given, creating):
    """The values as Odoo takes them; what doesn't fit is refused with the field and the value."""
    checked, later = {}, {}
    for name, value in given.items():
        field = writable_field(model, name, value)
        _check_bearer(model, name, value)
        secret_fields.refuse_setting(model, name, value)
        if field.type == "properties" and value is not None:
            later[field] = value
        else:
            checked[name] = _checked_value(model, field, value, creating)
    for field, value in later.items():
        checked[field.name] = _checked_properties(model, field, value, checked, creating)
    return checked


def writable_field(model, name, value):
    field = model._fields.get(name)
    if field is None:
        raise faults.unknown_field(model._name, name)
    if name in MAGIC_COLUMNS or name in LOG_ACCESS_COLUMNS:
        raise faults.invalid_value(model._name, name, value, f"Odoo itself sets {name}.")
    if not model._has_field_access(field, "write"):
        raise faults.field_denied(model._name, name, "write")
    exits.require(model, name)
    if field.compute and not field.store and not field.inverse:
        message = f"{name} of {model._name} is computed and can't be written."
        raise faults.invalid_value(model._name, name, value, message)
    return field


def _checked_properties(model, field, value, checked, creating):
    """Properties, once it is known which record defines them."""
    if not creating:
        message = f"{field.name} of {model._name} are not set through another record: change the record itself."
        raise faults.invalid_value(model._name, field.name, value, message)
    return properties.of_new(model, field, value, checked, checked_property)


def checked_property(model, field, value):
    return _CHECKS[field.type](model, field, value)


def _check_bearer(model, name, value):
    """Refuses to hang a row, such as an attachment, on a record of a model that is not allowed."""
    if confinement.active(model.env.cr) and isinstance(value, str) and name in bearers.naming_fields(model):
        confinement.require(model.env.cr, value)


def _checked_value(model, field, value, creating):
    if field.type in ("one2many", "many2many"):
        return [] if value is None else checked_commands(model, field, value, creating, checked_values)
    if value is None:
        return False
    check = _CHECKS.get(field.type)
    return check(model, field, value) if check else value


def _refuse(model, field, value, what):
    message = f"{model._name}.{field.name} takes {what}."
    return faults.invalid_value(model._name, field.name, value, message)


# === One kind of field each ===


def _boolean(model, field, value):
    if not isinstance(value, bool):
        raise _refuse(model, field, value, "true or false")
    return value


def _text(model, field, value):
    if not isinstance(value, str):
        raise _refuse(model, field, value, "a text")
    return value


def _integer(model, field, value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _refuse(model, field, value, "an integer")
    if not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        raise _refuse(model, field, value, "an integer of 32 bits")
    return value


def _float(model, field, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refuse(model, field, value, "a number")
    if not abs(value) <= _MAX_NUMBER:
        raise _refuse(model, field, value, f"a number between {-_MAX_NUMBER:g} and {_MAX_NUMBER:g}")
    return value


def _date(model, field, value):
    try:
        day = date.fromisoformat(value) if len(value) == 10 else _not_a_date()
    except (TypeError, ValueError) as exc:
        raise _refuse(model, field, value, "a date such as 2026-11-22") from exc
    if day < _FIRST:
        raise _refuse(model, field, value, f"a date from {_FIRST} on")
    return day.isoformat()


def _not_a_date():
    raise ValueError


def _datetime(model, field, value):
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise _refuse(model, field, value, "an instant such as 2026-11-22T13:30:00Z")
    try:
        instant = datetime.fromisoformat(value)
        # without a zone it is UTC, as everywhere in Odoo
        instant = instant.astimezone(UTC) if instant.tzinfo else instant
    except (ValueError, OverflowError) as exc:
        raise _refuse(model, field, value, "an instant that exists") from exc
    if not _FIRST <= instant.date() <= _LAST_OF_INSTANTS:
        raise _refuse(model, field, value, f"an instant from {_FIRST} to {_LAST_OF_INSTANTS}")
    return instant.strftime("%Y-%m-%d %H:%M:%S")


def _selection(model, field, value):
    if value not in field.get_values(model.env) or isinstance(value, bool):
        message = f"{quoted(value)} is not a value of {model._name}.{field.name}."
        raise faults.invalid_value(model._name, field.name, value, message)
    return value


def _many2one(model, field, value):
    record_id = value.get("id") if isinstance(value, dict) else value
    if type(record_id) is not int or record_id <= 0:
        raise _refuse(model, field, value, 'an id, or {"id": id}')
    comodel = model.env[field.comodel_name].with_context(active_test=False)
    # else PostgreSQL would refuse it with a sentence about deleting records
    if comodel.has_access("read"):
        exists = comodel.search_count([("id", "=", record_id)], limit=1)
    else:
        exists = comodel.browse(record_id).exists()
    if not exists:
        message = f"There is no {field.comodel_name} with the id {record_id}."
        raise faults.invalid_value(model._name, field.name, value, message)
    return record_id


def _reference(model, field, value):
    if isinstance(value, dict):
        value = f"{value.get('model')},{value.get('id')}"
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match:
        confinement.require(model.env.cr, match[1])
    if not match or match[1] not in model.env.registry:
        raise _refuse(model, field, value, '{"model": model, "id": id}')
    return value


def _binary(model, field, value):
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as exc:
        raise _refuse(model, field, value, "content in base64") from exc
    return value


_CHECKS = {
    "boolean": _boolean,
    "char": _text,
    "text": _text,
    "html": _text,
    "integer": _integer,
    "many2one_reference": _integer,
    "float": _float,
    "monetary": _float,
    "date": _date,
    "datetime": _datetime,
    "selection": _selection,
    "many2one": _many2one,
    "reference": _reference,
    "binary": _binary,
}
