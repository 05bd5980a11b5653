"""Fields that lead out of a connection's allowed models, and so are treated as if its user might not read them.

A relation leads out where its comodel is not allowed. A related field leads out where its path does, stored or not, and
so does one that a record takes from the one that it is built on (``_inherits``). A computed field leads out where it is
made of such fields, or doesn't say what it is made of. What is computed and stored is the record's own, as a total is.

A computed field that reads more than it declares is refused by Odoo where it reads as the user, see
`unreadable_computed`. Where it does so with sudo, it is not detected.
"""

from odoo.exceptions import AccessError, MissingError

from ..rpc import faults
from . import allowed_models

# Where a computed field doesn't declare what it depends on.
UNKNOWN = ""


def unreachable_fields(model):
    """The fields of the model that lead out, and the model that each leads to."""
    allowed = allowed_models.allowed(model.env.cr)
    if allowed is None:
        return {}
    return model.env["ir.model.access"]._mcp_unreachable_fields(allowed, model._name)


def require_reachable(model, name):
    """Refuses a field that leads out."""
    target = unreachable_fields(model).get(name)
    if target is None:
        return
    if target == UNKNOWN:
        message = f"The field {name} of {model._name} doesn't say which models it is made of."
        raise faults.access_denied(model._name, "read", message, field=name)
    message = f"The field {name} of {model._name} leads to {target}, which this connection may not use."
    raise faults.model_denied(target, message)


def unreadable_computed(records, names):
    """Those of these fields whose computing code comes to a model that is not allowed: they are left out as well."""
    if not allowed_models.is_restricted(records.env.cr):
        return []
    computed = [name for name in names if not records._fields[name].store]
    return [name for name in computed if not _computes(records, name)]


def _computes(records, name):
    for record in records:
        try:
            record[name]
        except MissingError:
            # vanished meanwhile
            continue
        except AccessError:
            return False
    return True


def compute_unreachable(env, allowed, model_name):
    """As `unreachable_fields`, for these allowed models."""
    unreachable = {}
    for field in env[model_name]._fields.values():
        target = _unreachable_target(env, allowed, field, set())
        if target is not None:
            unreachable[field.name] = target
    return unreachable


def _unreachable_target(env, allowed, field, seen):
    """The model that is not allowed, or None."""
    if field in seen:
        return None
    seen.add(field)
    if field.relational and field.comodel_name not in allowed:
        return field.comodel_name
    if field.type == "properties":
        # what they are called is kept in the record that defines them
        home = env[field.model_name]._fields[field.definition_record].comodel_name
        return None if home in allowed else home
    if field.related:
        return _target_along(env, allowed, field.model_name, field.related, seen)
    if field.name == "display_name":
        return _name_target(env, allowed, field, seen)
    return None if field.store else _computed_target(env, allowed, field, seen)


def _name_target(env, allowed, field, seen):
    """A record's name is also searched by, and what that compares has to be allowed as well."""
    model = env[field.model_name]
    for path in {model._rec_name, *(model._rec_names_search or ())} - {None}:
        target = _target_along(env, allowed, field.model_name, path, seen, named=True)
        if target is not None:
            return target
    return _computed_target(env, allowed, field, seen) if model._rec_name or _depends(env, field) else None


def _computed_target(env, allowed, field, seen):
    paths = _depends(env, field)
    if not paths:
        return UNKNOWN
    for path in paths:
        target = _target_along(env, allowed, field.model_name, path, seen, computed_by=field)
        if target is not None:
            return target
    return None


def _depends(env, field):
    return env.registry.field_depends[field]


def _target_along(env, allowed, model_name, path, seen, computed_by=None, named=False):
    """Where a path leads out; `named`: together with the name of the record that it leads to."""
    names = path.split(".")
    for position, name in enumerate(names):
        field = env[model_name]._fields.get(name)
        if field is None:
            return None
        if computed_by and position + 1 == len(names) and _is_checked_later(field, computed_by):
            return None
        target = _unreachable_target(env, allowed, field, seen)
        if target is not None or not field.relational:
            return target
        model_name = field.comodel_name
    return _unreachable_target(env, allowed, env[model_name]._fields["display_name"], seen) if named else None


def _is_checked_later(field, computed_by):
    """A many2one alone is an id. What is behind it the computing code reads as the user, so Odoo refuses it then."""
    if field.type != "many2one" or field.related or computed_by.compute_sudo:
        return False
    # what searches by a field may do so with sudo; the name's own paths were followed
    return computed_by.name == "display_name" or not computed_by.search
