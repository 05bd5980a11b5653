"""Write policy of single fields: which of them a call may set.

Odoo's ORM stores what code writes, also into a total that it computes or a state that only its own methods should
set, and answers as if all were well. So the attributes of a field decide, as they do in Odoo's forms, and not whether
there is a column:

* computed and related fields are set where they are declared ``readonly=False``, or inherited from a field that is;
* plain read-only numbers, amounts and dates, and states that a form shows as a status bar, are what Odoo's own code
  keeps: the refusal names the fields that are for writing;
* other plain read-only fields, such as the text that says where an invoice came from, are kept as written. The answer
  names them, since a person could not have set them.
"""

import json

from lxml import etree

from ..buttons import permitted_methods
from ..policy import allowed_models, alternatives
from ..rpc import faults
from ..values import record_names

_KEPT_BY_CODE = frozenset({"integer", "float", "monetary", "date", "datetime"})
# Of names in a sentence.
_MAX_NAMED = 3


def is_writable(field):
    """Whether a person could set the field in some form; what the schema calls read-only is the opposite."""
    return not _declared(field).readonly


def require_writable(records, field, value, notes):
    """Refuses to set what Odoo's code keeps; a plain read-only field that is set goes into the notes.

    :param records: the records to change, or none of the model for a new one, which may be given what it would have
        anyway
    """
    source = _declared(field)
    if not source.readonly:
        return
    if source.compute or source.related:
        raise _computed(records, field, value)
    if not records and _is_default(records, field, value):
        return
    if field.type in _KEPT_BY_CODE:
        message = f"Odoo itself keeps {field.name} of {records._name}, so it can't be set."
        message += _writable_alternatives(records, field)
        raise faults.invalid_value(records._name, field.name, value, message)
    if field.type == "selection" and is_status_bar(records, field.name):
        message = f"{field.name} of {records._name} is changed by buttons of Odoo's form, so it can't be set."
        message += "".join(f" {permitted_methods.describe_buttons(record)}" for record in records[:1])
        raise faults.invalid_value(records._name, field.name, value, message)
    notes.read_only(records, field)


def _declared(field):
    """The field as it is declared: what a model takes from the one it is built on is a related field by technique."""
    while field.inherited:
        field = field.related_field
    return field


def _is_default(model, field, value):
    default = model.default_get([field.name]).get(field.name, False)
    return (False if value is None else value) == default


# === Refusals that name the way ===


def _computed(model, field, value):
    source = _declared(field)
    if source.related:
        message = f"{field.name} of {model._name} shows {source.related}, so it can't be set: change that."
        message += _of_related(model, field, source, value)
    else:
        message = f"{field.name} of {model._name} is computed, so it can't be set.{_sources(model, field)}"
        message += alternatives.of_stock(model, field.name)
    return faults.invalid_value(model._name, field.name, value, message)


def _sources(model, field):
    paths = list(dict.fromkeys(model.env.registry.field_depends[field]))
    if not paths:
        return _writable_alternatives(model, field)
    more = ", …" if len(paths) > _MAX_NAMED else ""
    return (
        f" It follows from {', '.join(paths[:_MAX_NAMED])}{more}: change these.{_writable_alternatives(model, field)}"
    )


def _writable_alternatives(model, field):
    """Fields for writing that lead to this one: their name contains its name, such as a counted quantity."""
    names = [
        name
        for name, other in model._fields.items()
        if field.name in name
        and is_writable(other)
        and other.type == field.type
        and model._has_field_access(other, "write")
    ]
    return f" For writing there is {' or '.join(names[:_MAX_NAMED])}." if names else ""


def is_status_bar(model, name):
    """Whether the model's form shows the field as a status bar."""
    # the form is the same whichever models the connection may use
    with allowed_models.lifted(model.env.cr):
        arch = model.get_view(view_type="form")["arch"]
    found = etree.fromstring(arch).xpath("/form/header//field[@widget='statusbar']/@name")
    return name in found


def _of_related(model, field, source, value):
    """The end of a refusal to set what shows a field of another record: that record, where the value names just one."""
    head, _dot, rest = source.related.partition(".")
    link = model._fields.get(head)
    if link is None or link.type != "many2one" or not rest or "." in rest or not isinstance(value, str):
        return ""
    comodel = model.env[link.comodel_name]
    if comodel._name != "ir.model" and rest not in ("name", "display_name", "code"):
        return ""
    found = record_names.find(comodel, value)
    if not found.only:
        return ""
    return f" {record_names.sentence(comodel, value, found)}: send {json.dumps({head: found.only})}."
