"""Creating, changing and deleting records."""

from odoo.exceptions import AccessError

from . import exits, inputs, policy, reads


def create(env, step):
    model = policy.model_of(env, step["model"], "create")
    values = [inputs.checked_values(model, given, creating=True) for given in step["values"]]
    return {"records": _named(model.create(values))}


def write(env, step):
    model = policy.model_of(env, step["model"], "write")
    records = reads.require_visible(model, step["ids"])
    records.write(inputs.checked_values(model, step["values"], creating=False))
    return {"records": _named(records)}


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
