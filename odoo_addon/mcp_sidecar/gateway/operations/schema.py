"""Schema introspection: the models and fields that a user may see."""

from odoo.tools import SQL

from ..policy import allowed_models, field_reach, secret_fields
from ..reading import ranking
from ..rpc import faults

VERBS = ("read", "create", "write", "unlink")

# What `fields_get` calls it, and what the contract calls it; shown only where it applies.
_FLAGS = {"required": "required", "readonly": "readonly"}
_TEXTS = {"relation": "relation", "relation_field": "relation_field", "help": "help"}
_ATTRIBUTES = (
    "type",
    "string",
    "required",
    "readonly",
    "store",
    "searchable",
    "relation",
    "relation_field",
    "selection",
    "help",
    "company_dependent",
)


def models(env):
    """The models that the user may read, by name."""
    access = {verb: env["ir.model.access"]._get_allowed_models(verb) for verb in VERBS}
    reachable = (name for name in access["read"] if allowed_models.is_allowed(env.cr, name) and name in env.registry)
    names = sorted(name for name in reachable if not env.registry[name]._abstract)
    labels = _labels(env, names)
    return [
        {
            "model": name,
            "label": labels.get(name) or env.registry[name]._description,
            "transient": env.registry[name]._transient,
            "access": [verb for verb in VERBS if name in access[verb]],
        }
        for name in names
    ]


def _labels(env, names):
    lang = env.lang or "en_US"
    query = SQL(
        "SELECT model, COALESCE(name->>%s, name->>'en_US') FROM ir_model WHERE model IN %s",
        lang,
        tuple(names) or (None,),
    )
    return dict(env.execute_query(query))


def fields(env, names):
    """The fields of each of these models that the user may read, most relevant first."""
    return {name: _fields(env, name) for name in names}


def _fields(env, name):
    allowed_models.require(env.cr, name)
    if not _reachable(env, name):
        raise faults.unknown_model(name)
    model = env[name]
    closed = field_reach.unreachable_fields(model).keys() | secret_fields.names_of(model)
    names = [field for field in ranking.ranked(model) if field not in closed]
    # an empty list would mean all fields
    described = model.fields_get(names or ["id"], attributes=_ATTRIBUTES)
    return [_field(env, field, described[field]) for field in names if field in described]


def _reachable(env, name):
    if name not in env.registry or env.registry[name]._abstract:
        return False
    return any(name in env["ir.model.access"]._get_allowed_models(verb) for verb in VERBS)


def _field(env, name, description):
    field = {"name": name, "type": description["type"], "label": str(description["string"] or name)}
    field.update({flag: True for flag, key in _FLAGS.items() if description.get(key)})
    if not description["store"]:
        field["stored"] = False
        if description["searchable"]:
            field["searchable"] = True
    field.update({text: str(description[key]) for text, key in _TEXTS.items() if description.get(key)})
    if "selection" in description:
        field["selection"] = [[value, str(label)] for value, label in _selection(env, description)]
    if description.get("company_dependent"):
        field["company_dependent"] = True
    return field


def _selection(env, description):
    if description["type"] != "reference":
        return description["selection"]
    return [option for option in description["selection"] if allowed_models.is_allowed(env.cr, option[0])]
