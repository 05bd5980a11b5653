"""Properties: fields that are defined in a record, such as those of a product in its category.

Odoo takes any value and drops the properties that are not given. Here each is checked against its
definition, and those that aren't given stay as they are.
"""

import json
from typing import NamedTuple

from .. import suggestions
from ..policy import allowed_models
from ..quoting import quoted
from ..rpc import faults
from ..search import domains
from ..values import record_names

# They hold nothing: they are headings of Odoo's forms.
_HEADINGS = ("separator",)
# Of a list in a sentence.
_MOST_OPTIONS = 20
_NUMBERS = ("integer", "float", "monetary")


class Property(NamedTuple):
    """One property, as far as a check of a value asks a field."""

    name: str
    type: str
    comodel_name: str | None
    options: dict


# === Taking them ===


def of_new_record(model, field, given, values, check_value):
    """The properties of a record that is going to be created with these values."""
    _require_object(model, field, given)
    if not given:
        return {}
    parent = _parent_of_new(model, field, values)
    if not parent:
        message = f"{field.name} of {model._name} are defined by its {field.definition_record}: give that as well."
        raise faults.invalid_value(model._name, field.name, given, message)
    # some of Odoo's models forget the defaults where a value is given, so they are given as well
    defaults = {name: item.get("default") for name, item in _definitions(model, field, parent).items()}
    checked = _checked(model, field, given, parent, check_value)
    return {**{name: value for name, value in defaults.items() if value}, **checked}


def write(records, field, given, check_value):
    """Sets these properties of the records, each as its own definition has it, and keeps the others."""
    _require_object(records, field, given)
    if not given:
        return
    for parent, members in records.grouped(lambda record: _parent(field, record)).items():
        _write_checked(members, field, _checked(records, field, given, parent, check_value))


def _write_checked(records, field, checked):
    # records that become alike are written at once; as text, since what they are grouped by has to be hashable
    outcomes = records.grouped(lambda record: json.dumps({**_held(field, record), **checked}, sort_keys=True))
    for outcome, alike in outcomes.items():
        alike.write({field.name: json.loads(outcome)})


def _require_object(model, field, given):
    if not isinstance(given, dict):
        message = f"{model._name}.{field.name} takes an object of the properties to set, such as {{name: value}}."
        if given is None:
            message += " Each that is to be cleared is named in it, with null as its value."
        raise faults.invalid_value(model._name, field.name, given, message)


def _held(field, record):
    # as they are stored: reading them one by one yields labels and records
    return record[field.name]._values or {}


# === Their definition ===


def _parent(field, record):
    # sudo: the record that defines the properties need not be readable for those who have them, as in Odoo's own read
    return record.sudo()[field.definition_record]


def _parent_of_new(model, field, values):
    name = field.definition_record
    # sudo: as above
    comodel = model.env[model._fields[name].comodel_name].sudo()
    found = values[name] if name in values else model.default_get([name]).get(name)
    if found:
        return comodel.browse(found)
    # one definition for all records of a model is found by computing where it is; what is stored Odoo computes too late
    return comodel if model._fields[name].store else model.new()[name].sudo()


def _definitions(model, field, parent):
    """What may be set, by name."""
    found = parent[field.definition_record_field] or ()
    return {definition["name"]: definition for definition in found if definition["type"] not in _HEADINGS}


# === Checks ===


def _checked(model, field, given, parent, check_value):
    definitions = _definitions(model, field, parent)
    return {
        name: _checked_property(model, field, _definition(model, field, definitions, name), value, check_value)
        for name, value in given.items()
    }


def _definition(model, field, definitions, name):
    if name in definitions:
        return definitions[name]
    allowed = [
        known
        for known, definition in definitions.items()
        if allowed_models.is_allowed(model.env.cr, definition.get("comodel") or model._name)
    ]
    labels = {known: definitions[known].get("string") for known in allowed}
    message = f"{field.name} of {model._name} has no property {quoted(name)}." + suggestions.did_you_mean(
        name, allowed, labels
    )
    raise faults.invalid_value(model._name, field.name, name, message)


def _checked_property(model, field, definition, value, check_value):
    domains.check_target(model.env, definition)
    if value is None:
        # as Odoo's own form empties one: what isn't there at all would get its default again
        return False
    kind = definition["type"]
    options = {option[0]: option[1] for option in definition.get(kind) or ()}
    checked = Property(f"{field.name}.{definition['name']}", kind, definition.get("comodel"), options)
    taken = _CHECKS.get(kind, check_value)(model, checked, value)
    # what is empty Odoo stores as false, but for numbers
    return taken if taken or kind in _NUMBERS else False


def _refuse(model, checked, value, what):
    message = f"{model._name}.{checked.name} takes {what}."
    return faults.invalid_value(model._name, checked.name, value, message)


def _one_option(model, checked, value):
    if not isinstance(value, str) or value not in checked.options:
        raise _refuse(model, checked, value, f"one of {_options(checked)}{_labelled(checked, [value])}")
    return value


def _tags(model, checked, value):
    if not isinstance(value, list) or not all(isinstance(tag, str) and tag in checked.options for tag in value):
        asked = value if isinstance(value, list) else [value]
        raise _refuse(model, checked, value, f"a list of {_options(checked)}{_labelled(checked, asked)}")
    return list(dict.fromkeys(value))


def _labelled(checked, asked):
    """The end of a sentence: the values whose labels were given."""
    labels = [text.casefold() for text in asked if isinstance(text, str)]
    meant = [value for value, label in checked.options.items() if str(label).casefold() in labels]
    return f": send {' and '.join(map(quoted, meant))}" if meant else ""


def _options(checked):
    shown = [f"{quoted(value)} ({quoted(label)})" for value, label in checked.options.items()]
    if len(shown) > _MOST_OPTIONS:
        shown[_MOST_OPTIONS:] = ["…"]
    return ", ".join(shown) or "nothing yet"


def _one_record(model, checked, value):
    record_id = value.get("id") if isinstance(value, dict) else value
    if not _is_id(record_id):
        raise _not_an_id(model, checked, value)
    _require_readable(model, checked, [record_id])
    return record_id


def _several_records(model, checked, value):
    if not isinstance(value, list):
        raise _refuse(model, checked, value, "a list of ids")
    if wrong := [item for item in value if not _is_id(item)]:
        raise _not_an_id(model, checked, wrong[0])
    found = list(dict.fromkeys(value))
    _require_readable(model, checked, found)
    return found


def _not_an_id(model, checked, value):
    if not checked.comodel_name or checked.comodel_name not in model.env.registry:
        return _refuse(model, checked, value, 'an id, or {"id": id}')
    return record_names.refusal(model, checked, value)


def _is_id(value):
    return type(value) is int and 0 < value < 2**31


def _require_readable(model, checked, ids):
    if not checked.comodel_name:
        raise _refuse(model, checked, ids, "nothing, as the model that it refers to is not there")
    comodel = domains.comodel_of(model.env, checked).with_context(active_test=False)
    missing = sorted(set(ids) - set(comodel.search([("id", "in", ids)])._ids))
    if missing:
        message = f"There is no {comodel._name} with the id {missing[0]}."
        raise faults.invalid_value(model._name, checked.name, missing[0], message)


_CHECKS = {
    "selection": _one_option,
    "tags": _tags,
    "many2one": _one_record,
    "many2many": _several_records,
}
