"""Deserialization of values: JSON types are validated against fields and converted to what Odoo writes."""

import re
from datetime import date

from odoo.orm.models import LOG_ACCESS_COLUMNS, MAGIC_COLUMNS

from ..policy import allowed_models, alternatives, field_reach, linked_records, secret_fields
from ..quoting import quoted
from ..rpc import faults
from ..values import date_forms, link_targets, record_names, selection_labels
from . import analytic, file_content, html, properties, writability
from .x2many_commands import checked_commands, cleared

_MAX_INTEGER = 2**31 - 1
# Odoo multiplies what it rounds by up to 10^16, which must not pass the greatest float.
_MAX_NUMBER = 1e290
# Odoo's texts of dates have no leading zeros; and each zone's time of an instant has to be one as well.
_FIRST = date(1000, 1, 1)
_LAST_OF_INSTANTS = date(9999, 12, 30)
_REFERENCE = re.compile(r"([a-z0-9_.]{1,200}),(\d{1,10})", re.ASCII)


def checked_values(records, given, notes):
    """The values as Odoo takes them; what doesn't fit is refused with the field and the value.

    :param records: the records to change, or none of the model where one is to be created
    :param notes: what the answer is going to say beside its records
    """
    checked, later = {}, {}
    for name, value in given.items():
        field = writable_field(records, name, value, notes)
        _check_bearer(records, name, value)
        secret_fields.refuse_setting(records, name, value)
        if field.type == "properties" and value is not None:
            later[field] = value
        else:
            checked[name] = _checked_value(records, field, value, notes)
    for field, value in later.items():
        checked[field.name] = _checked_properties(records, field, value, checked)
    for name in checked:
        if records._fields[name].type == "many2one_reference":
            _require_referred(records, records._fields[name], checked)
    return checked


def _require_referred(records, field, checked):
    """Refuses the id of a record that isn't there: which model it is of, another field says."""
    record_id = checked[field.name]
    name = checked.get(field.model_field) if field.model_field in checked else _model_of(records, field, checked)
    if not record_id or not isinstance(name, str) or name not in records.env.registry:
        return
    allowed_models.require(records.env.cr, name)
    if not records.env[name].browse(record_id).exists():
        message = f"There is no {name} with the id {record_id}."
        raise faults.invalid_value(records._name, field.name, record_id, message)


def _model_of(records, field, checked):
    """The name in a field that follows from other values, as that of an activity does from its document model."""
    single = {name: value for name, value in checked.items() if records._fields[name].type in ("many2one", "char")}
    draft = records.new(single, origin=records[:1] or None)
    return draft[field.model_field]


def writable_field(records, name, value, notes):
    field = records._fields.get(name)
    if field is None:
        raise faults.unknown_field(records._name, name, alternatives.to_write(records, name, value))
    if name in MAGIC_COLUMNS or name in LOG_ACCESS_COLUMNS:
        raise faults.invalid_value(records._name, name, value, f"Odoo itself sets {name}.")
    if not records._has_field_access(field, "write"):
        raise faults.field_denied(records._name, name, "write")
    field_reach.require_reachable(records, name)
    writability.require_writable(records, field, value, notes)
    return field


def _checked_properties(records, field, value, checked):
    """Properties, once it is known which record defines them."""
    if records:
        message = f"{field.name} of {records._name} are set on the record itself, by update_record or batch_update."
        raise faults.invalid_value(records._name, field.name, value, message)
    return properties.of_new_record(records, field, value, checked, checked_property)


def checked_property(model, field, value):
    return _CHECKS[field.type](model, field, value)


def _check_bearer(model, name, value):
    """Refuses to hang a row, such as an attachment, on a record of a model that is not allowed."""
    if (
        allowed_models.is_restricted(model.env.cr)
        and isinstance(value, str)
        and name in linked_records.model_name_paths(model)
    ):
        allowed_models.require(model.env.cr, value)


def _checked_value(records, field, value, notes):
    if value is None:
        return _emptied(records, field)
    if field.type in ("one2many", "many2many"):
        return checked_commands(records, field, value, notes, checked_values)
    check = _CHECKS.get(field.type)
    return check(records, field, value) if check else value


def _emptied(records, field):
    """What null stands for."""
    if field.type in ("one2many", "many2many"):
        return cleared(records, field)
    if field.type == "boolean":
        raise _refuse(records, field, None, "true or false, not null")
    if field.required:
        message = f"{field.name} of {records._name} is required, so it can't be null."
        raise faults.invalid_value(records._name, field.name, None, message)
    return False


def _refuse(model, field, value, what, meant=None):
    if value is False and field.type != "boolean":
        what, meant = f"{what}; null clears it", value
    message = f"{model._name}.{field.name} takes {what}."
    return faults.invalid_value(model._name, field.name, value, message, meant)


# === One kind of field each ===


def _boolean(model, field, value):
    if not isinstance(value, bool):
        raise _refuse(model, field, value, "true or false")
    return value


def _text(model, field, value):
    if not isinstance(value, str):
        raise alternatives.of_translations(model, field, value) or _refuse(
            model, field, value, f"a text{_as_text(value)}"
        )
    return value


def _as_text(value):
    """The end of a sentence: a number as the text that it would be."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f", in quotes: {quoted(value)}" if is_number else ""


def _html(model, field, value):
    return html.from_text(_text(model, field, value))


def _integer(model, field, value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _refuse(model, field, value, f"an integer{_as_number(value, int)}")
    if not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        raise _refuse(model, field, value, "an integer of 32 bits")
    return value


def _float(model, field, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refuse(model, field, value, f"a number{_as_number(value, float)}")
    if not abs(value) <= _MAX_NUMBER:
        raise _refuse(model, field, value, f"a number between {-_MAX_NUMBER:g} and {_MAX_NUMBER:g}")
    return value


def _as_number(value, number):
    """The end of a sentence: the number that a text holds, to be sent without quotes."""
    try:
        found = number(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    return f", without quotes: {found:g}" if found is not None and abs(found) < _MAX_INTEGER else ""


def _date(model, field, value):
    try:
        day = date.fromisoformat(value) if len(value) == 10 else _not_a_date()
    except (TypeError, ValueError) as exc:
        raise _refuse_time(model, field, value, "a date such as 2026-11-22") from exc
    if day < _FIRST:
        raise _refuse(model, field, value, f"a date from {_FIRST} on")
    return day.isoformat()


def _not_a_date():
    raise ValueError


def _datetime(model, field, value):
    try:
        instant = date_forms.instant(value) if isinstance(value, str) else None
        instant = instant and date_forms.in_utc(instant)
    except (ValueError, OverflowError) as exc:
        raise _refuse(model, field, value, "an instant that exists") from exc
    if instant is None:
        raise _refuse_time(model, field, value, "an instant such as 2026-11-22T13:30:00Z")
    if not _FIRST <= instant.date() <= _LAST_OF_INSTANTS:
        raise _refuse(model, field, value, f"an instant from {_FIRST} to {_LAST_OF_INSTANTS}")
    return instant.strftime("%Y-%m-%d %H:%M:%S")


def _refuse_time(model, field, value, what):
    advice = date_forms.advice(model.env, field.type, value)
    return _refuse(model, field, value, f"{what}{advice}", advice)


def _selection(model, field, value):
    if value not in field.get_values(model.env) or isinstance(value, bool):
        message = f"{quoted(value)} is not a value of {model._name}.{field.name}."
        if meant := selection_labels.values_called(model, field, value):
            message += (
                f" {selection_labels.sentence(value, meant)}: send {'that' if len(meant) == 1 else 'one of these'}."
            )
        raise faults.invalid_value(model._name, field.name, value, message, meant)
    return value


def _many2one(model, field, value):
    record_id = value.get("id") if isinstance(value, dict) else value
    if type(record_id) is not int or record_id <= 0:
        raise record_names.refusal(model, field, value)
    # else PostgreSQL would refuse it with a sentence about deleting records
    if not link_targets.existing(model.env[field.comodel_name], [record_id]):
        message = f"There is no {field.comodel_name} with the id {record_id}."
        raise faults.invalid_value(model._name, field.name, value, message)
    return record_id


def _reference(model, field, value):
    if isinstance(value, dict):
        value = f"{value.get('model')},{value.get('id')}"
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match:
        allowed_models.require(model.env.cr, match[1])
    if not match or match[1] not in model.env.registry:
        raise _refuse(model, field, value, '{"model": model, "id": id}')
    if not model.env[match[1]].browse(int(match[2])).exists():
        message = f"There is no {match[1]} with the id {match[2]}."
        raise faults.invalid_value(model._name, field.name, value, message)
    return value


def _json(model, field, value):
    if isinstance(value, str):
        raise _refuse(model, field, value, "JSON, such as an object, and not a text")
    return analytic.checked(model, field, value) if field.name == analytic.FIELD else value


_CHECKS = {
    "boolean": _boolean,
    "char": _text,
    "text": _text,
    "html": _html,
    "integer": _integer,
    "many2one_reference": _integer,
    "float": _float,
    "monetary": _float,
    "date": _date,
    "datetime": _datetime,
    "selection": _selection,
    "many2one": _many2one,
    "reference": _reference,
    "binary": file_content.checked,
    "json": _json,
}
