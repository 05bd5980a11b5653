"""Validation of domains, orders and groupings: each field path is resolved, so that a mistake is named where it is."""

import re

from odoo.orm.domains import CONDITION_OPERATORS, INTERNAL_CONDITION_OPERATORS
from odoo.orm.utils import READ_GROUP_NUMBER_GRANULARITY

from ..policy import allowed_models, alternatives, field_reach, secret_fields
from ..quoting import quoted
from ..rpc import faults
from . import conditions

_SYNONYMS = {"<>": "!=", "==": "="}
OPERATORS = frozenset(CONDITION_OPERATORS) - INTERNAL_CONDITION_OPERATORS - set(_SYNONYMS)
_SETS = ("in", "not in")
_SUBDOMAINS = ("any", "not any")
_HIERARCHY = ("child_of", "parent_of")
_CONNECTIVES = ("&", "|", "!")
_CONSTANTS = ([1, "=", 1], [0, "=", 1])
_MAX_DEPTH = 10
# The domains inside of it included: each condition is followed, and costs the database something.
_MAX_CONDITIONS = 1000
# No path that leads somewhere is longer; each of its steps nests the search once more.
_MAX_PATH_CHARS = 200

_ORDER = re.compile(
    r"(?P<sign>[-+]?)(?P<path>[\w.]+?(:(?!asc$|asc\s|desc$|desc\s)\w+)*)"
    r"([\s:]+(?P<direction>asc|desc))?(?P<nulls>\s+nulls\s+(first|last))?",
    re.IGNORECASE,
)


# === Domains ===


def checked_domain(model, domain, depth=0):
    """The domain as Odoo takes it, every part of it checked."""
    if depth > _MAX_DEPTH:
        raise faults.invalid_domain(model._name, None, f"A domain may be nested {_MAX_DEPTH} deep.")
    if depth == 0:
        check_size(model, domain)
    checked = [part for item in domain for part in _checked_item(model, item, depth)]
    check_arity(model, domain)
    return checked


def check_size(model, domain):
    """Refuses a domain that is larger than any question needs, before any part of it is looked at."""
    count, open_lists = 0, [domain]
    while open_lists:
        items = open_lists.pop()
        count += len(items)
        if count > _MAX_CONDITIONS:
            raise faults.invalid_domain(
                model._name, None, f"A domain has at most {_MAX_CONDITIONS} conditions and signs."
            )
        open_lists += [item[2] for item in items if _holds_domain(item)]


def _holds_domain(item):
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[1], str):
        return False
    return item[1].lower() in _SUBDOMAINS and isinstance(item[2], list)


def _checked_item(model, item, depth):
    """The item, or several that ask together what it asks."""
    if isinstance(item, str) and item in _CONNECTIVES:
        return [item]
    if not isinstance(item, list) or len(item) != 3:
        message = 'A domain is a list of conditions [field, operator, value] and of "&", "|", "!" before them.'
        raise faults.invalid_domain(model._name, item, message)
    if item in _CONSTANTS and not isinstance(item[0], bool):
        return [tuple(item)]
    return _checked_condition(model, item, depth)


def _checked_condition(model, item, depth):
    path, operator, value = item
    if not isinstance(path, str):
        raise faults.invalid_domain(model._name, item, "A condition begins with the name of a field.")
    operator = _checked_operator(model, item, operator)
    field, rest = resolve_path(model, path)
    if field.relational and not rest and _is_by_name(operator, value):
        # the comodel's records are searched by name
        field_reach.require_reachable(model.env[field.comodel_name], "display_name")
    if not field._description_searchable:
        message = f"The field {field.name} of {field.model_name} can't be searched."
        raise faults.invalid_domain(field.model_name, item, message)
    value = _checked_value(model, item, operator, value, field, rest, depth)
    return conditions.normalized(model, item, operator, value, field, rest)


def _is_by_name(operator, value):
    return "like" in operator or any(isinstance(part, str) for part in (value if isinstance(value, list) else [value]))


def _checked_operator(model, item, operator):
    known = operator.lower() if isinstance(operator, str) else None
    known = _SYNONYMS.get(known, known)
    if known not in OPERATORS:
        raise faults.invalid_domain(
            model._name, item, f"The operator {quoted(operator)} does not exist.", operator=operator
        )
    return known


def _checked_value(model, item, operator, value, field, rest, depth):
    if operator in _SUBDOMAINS:
        return _checked_subdomain(model, item, value, field, rest, depth)
    if operator in _SETS and not isinstance(value, list):
        raise faults.invalid_domain(model._name, item, f"The operator {operator} takes a list.", operator=operator)
    if operator in _HIERARCHY and not (field.relational or field.name == "id"):
        message = f"The operator {operator} takes a field that leads to records."
        raise faults.invalid_domain(model._name, item, message, operator=operator)
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value)):
        raise faults.invalid_domain(model._name, item, "The value of a condition is plain, or a list of plain values.")
    return value


def _checked_subdomain(model, item, value, field, rest, depth):
    comodel = comodel_of(model.env, field) if field.relational and not rest else None
    if field.name == "id":
        comodel = model.env[field.model_name]
    if comodel is None or not isinstance(value, list):
        message = f"The operator {item[1]} takes a field that leads to records, and a domain."
        raise faults.invalid_domain(model._name, item, message, operator=item[1])
    return checked_domain(comodel, value, depth + 1)


def check_arity(model, domain):
    """Each connective needs its operands behind it."""
    open_operands = 0
    for item in reversed(domain):
        needed = {"&": 2, "|": 2, "!": 1}.get(item, 0) if isinstance(item, str) else 0
        if open_operands < needed:
            raise faults.invalid_domain(model._name, item, f'Too few conditions follow "{item}".')
        open_operands += 1 - needed


# === Paths ===


def resolve_path(model, path):
    """The last field of a dotted path, and what follows it: a part of a date or a property, else nothing."""
    env = model.env
    if len(path) > _MAX_PATH_CHARS:
        message = f"A path has at most {_MAX_PATH_CHARS} characters, and more begin with {quoted(path)}."
        raise faults.unknown_field(model._name, path[:_MAX_PATH_CHARS], message)
    names = path.split(".")
    for position, name in enumerate(names):
        field = readable_field(model, name)
        rest = names[position + 1 :]
        if not rest or not field.relational:
            break
        model = comodel_of(env, field)
    _check_rest(env, field, rest)
    return field, ".".join(rest)


def _check_rest(env, field, rest):
    if not rest:
        return
    if field.type == "properties" and len(rest) == 1:
        check_property(env[field.model_name], f"{field.name}.{rest[0]}")
        return
    is_date_part = field.type in ("date", "datetime") and rest[0] in READ_GROUP_NUMBER_GRANULARITY
    if not is_date_part or len(rest) > 1:
        message = f"The field {field.name} of {field.model_name} has no part {quoted('.'.join(rest))}."
        message += _parts_of(field)
        raise faults.unknown_field(field.model_name, ".".join([field.name, *rest]), message)


def _parts_of(field):
    """The parts that a date has in a path, shown where what was asked is none of them."""
    if field.type not in ("date", "datetime"):
        return ""
    parts = ", ".join(_parts(field))
    form = f'["{field.name}.month_number", "=", 11]'
    return f" Its parts are numbers: {parts}, as in {form}. Groups take them behind a colon."


def _parts(field):
    times = () if field.type == "datetime" else ("hour_number", "minute_number", "second_number")
    return [part for part in READ_GROUP_NUMBER_GRANULARITY if part not in times]


def check_property(model, path):
    """Refuses a property that no record defines, or that refers to records of a model that is not allowed."""
    name, _dot, property_name = path.partition(".")
    message = (
        f"{name} of {model._name} has no property {quoted(property_name)}: what they are called is read with {name}."
    )
    unknown = faults.unknown_field(model._name, path, message)
    if not _defines(model, model._fields[name]).store:
        # Odoo looks into that column only
        if allowed_models.is_restricted(model.env.cr):
            raise unknown
        return
    try:
        # sudo: the record that defines a property need not be readable for those that have it
        definition = model.sudo().get_property_definition(path)
    except ValueError as exc:
        raise unknown from exc
    if not definition:
        raise unknown
    check_target(model.env, definition)


def property_definition(model, field, name):
    """The definition of a property whose path has been checked."""
    # sudo: the record that defines a property need not be readable for those that have it
    return model.env[field.model_name].sudo().get_property_definition(f"{field.name}.{name}")


def _defines(model, field):
    """The field of another model that holds the definition of properties."""
    return model.env[model._fields[field.definition_record].comodel_name]._fields[field.definition_record_field]


def check_target(env, definition):
    """Refuses a property that refers to records of a model that is not allowed."""
    comodel = definition.get("comodel")
    if comodel and allowed_models.is_restricted(env.cr):
        allowed_models.require(env.cr, comodel)
        field_reach.require_reachable(env[comodel], "display_name")


def readable_field(model, name):
    """The field, provided that it exists and the user may read it."""
    field = model._fields.get(name)
    if field is None:
        raise unknown(model, name)
    if not model._has_field_access(field, "read"):
        raise faults.field_denied(model._name, name, "read")
    if name in secret_fields.names_of(model):
        raise faults.access_denied(model._name, "read", secret_fields.refusal(model, name), field=name)
    field_reach.require_reachable(model, name)
    return field


def unknown(model, name):
    """The refusal of a name that is no field, with the way where it is known what was meant."""
    known, _colon, part = name.partition(":")
    field = model._fields.get(known) if part else None
    message = f"The model {model._name} has no field {quoted(name)}."
    if field is not None and field.type in ("date", "datetime"):
        return faults.unknown_field(model._name, f"{known}.{part}", message + _parts_of(field))
    stock = alternatives.of_stock(model, name)
    return faults.unknown_field(model._name, name, message + stock)


def comodel_of(env, field):
    """The model that a relation leads to, provided that the user may read it."""
    comodel = env[field.comodel_name]
    if not comodel.has_access("read"):
        other = alternatives.of_model(env, comodel._name)
        raise faults.access_denied(
            comodel._name, "read", f"You may not read records of {comodel._name}.{other}" if other else None
        )
    return comodel


# === Order ===


def checked_order(model, order):
    """An order by fields of the model as Odoo reads it, or None."""
    if not order or not order.strip():
        return None
    return ", ".join(_checked_term(model, part.strip()) for part in order.split(","))


def _checked_term(model, part):
    term = order_term(part)
    if term is None or ":" in term[0]:
        message = f"{quoted(part)} is no order: write a field's name, then asc or desc."
        raise faults.bad_request("order", message)
    _check_sortable(model, term[0])
    return " ".join(filter(None, term))


def order_term(part):
    """What a part of an order names, its direction and where nothing goes, or None: name desc, name:desc, -name."""
    match = _ORDER.fullmatch(part)
    if not match or (match["sign"] and match["direction"]):
        return None
    return (
        match["path"],
        "desc" if match["sign"] == "-" else match["direction"],
        match["nulls"] and match["nulls"].strip(),
    )


def _check_sortable(model, path):
    name, _dot, rest = path.partition(".")
    field = readable_field(model, name)
    if rest and not (field.type == "properties" or (field.type == "many2one" and rest == "id")):
        message = f"Records of {model._name} can't be ordered by {quoted(path)}: only its own fields order them."
        raise faults.unknown_field(model._name, path, message)
    if rest and field.type == "properties":
        check_property(model, path)
    if not field._description_sortable(model.env):
        raise faults.bad_request("order", f"Records of {model._name} can't be ordered by {name}.")
