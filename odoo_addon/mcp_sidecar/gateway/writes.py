"""Creating, changing and deleting records."""

from odoo.exceptions import AccessError

from . import exits, inputs, policy, properties, reads


def create(env, step):
    model = policy.model_of(env, step["model"], "create")
    values = [inputs.checked_values(model, given, creating=True) for given in step["values"]]
    return {"records": _named(model.create(values))}


def write(env, step):
    model = policy.model_of(env, step["model"], "write")
    records = reads.require_visible(model, step["ids"])
    given = _properties(model, step["values"])
    others = {name: value for name, value in step["values"].items() if name not in given}
    if others or not given:
        records.write(inputs.checked_values(model, others, creating=False))
    # afterwards, as it may be another record now that defines them
    for name, value in given.items():
        properties.write(records, model._fields[name], value, inputs.checked_property)
    return {"records": _named(records)}


def _properties(model, given):
    """Those of the values that are written record by record; the others are looked at when they are checked."""
    fields = {name: model._fields[name] for name, value in given.items() if value is not None and name in model._fields}
    own = {name: given[name] for name, field in fields.items() if field.type == "properties"}
    for name, value in own.items():
        inputs.writable_field(model, name, value)
    return own


def unlink(env, step):
    model = policy.model_of(env, step["model"], "unlink")
    records = reads.require_visible(model, step["ids"])
    records.unlink()
    return {"deleted": step["ids"]}


def _named(records):
    return [{"id": record.id, "display_name": _name(record)} for record in records]


def _name(record):
    if "display_name" in exits.of(record):
        return None
    try:
        return record.display_name or None
    except AccessError:
        # who may create or change a record need not be able to see it afterwards
        return None
