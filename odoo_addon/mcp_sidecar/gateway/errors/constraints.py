"""Messages for constraint violations: by the labels of fields, without names of tables and constraints."""

import contextlib
import re

from psycopg2 import errors

from odoo.orm.models import get_columns_from_sql_diagnostics

from .. import transaction
from ..quoting import quoted

_WORDING = "_mcp_wording"
# The beginning of what PostgreSQL says about a key, in each of its languages.
_KEY = re.compile(r"[^(]*\((?P<columns>.+?)\)=\((?P<values>.*?)\)", re.DOTALL)


def active(cr):
    """Whether errors of constraints are worded for a call."""
    return transaction.in_call(cr) or bool(vars(cr).get(_WORDING))


def sentence(env, exc):
    """The message that the constraint declares, or else one by the labels of its fields."""
    model = _model(env, exc.diag.table_name)
    with _worded(env.cr):
        said = model._sql_error_to_message(exc) if model is not None else _of_relation(env, exc)
    return f"The operation cannot be completed: {said}"


@contextlib.contextmanager
def _worded(cr):
    with transaction.scoped_value(cr, _WORDING, True):
        yield


def _model(env, table):
    for model_class in env.registry.values():
        if table and model_class._table == table and not model_class._abstract:
            return env[model_class._name]
    return None


def generic(model, exc):
    """A sentence for a constraint that declares none."""
    table_model = _model(model.env, exc.diag.table_name)
    if table_model is None:
        return _of_relation(model.env, exc)
    for kind, word in _WORDS.items():
        if isinstance(exc, kind):
            return word(table_model, exc.diag)
    return _of_values(table_model, exc.diag)


# === One kind of constraint each ===


def _of_not_null(model, diag):
    return f"{_fields(model, diag)} of {model._name} is required, and would be empty: give it a value."


def _of_foreign_key(model, diag):
    columns, value = _key(diag)
    if columns == ["id"]:
        return (
            f"Records of {model._name} refer to it by {_fields(model, diag)}: change or delete these first, or archive "
            "it instead."
        )
    record = f"the record {value}, which does not exist" if value.isdecimal() else "a record that does not exist"
    return f"{_fields(model, diag)} of {model._name} refers to {record}: search for the right id."


def _of_unique(model, diag):
    return f"Another record of {model._name} has the same {_fields(model, diag)}: use another value, or that record."


def _of_check(model, diag):
    return f"A rule of {model._name} for {_fields(model, diag)} does not allow these values: change them."


def _of_exclusion(model, diag):
    return f"Another record of {model._name} overlaps with it in {_fields(model, diag)}: change the values."


def _of_values(model, _diag):
    return f"A value of {model._name} does not fit its field: check the types and lengths of what was sent."


_WORDS = {
    errors.NotNullViolation: _of_not_null,
    errors.ForeignKeyViolation: _of_foreign_key,
    errors.RestrictViolation: _of_foreign_key,
    errors.UniqueViolation: _of_unique,
    errors.CheckViolation: _of_check,
    errors.ExclusionViolation: _of_exclusion,
}


def _of_relation(env, exc):
    """A table that only links records is of a many2many field."""
    table, columns = exc.diag.table_name, _key(exc.diag)[0]
    for model_class in env.registry.values():
        for field in model_class._fields.values():
            if field.type == "many2many" and field.store and field.relation == table and table:
                if columns == ["id"]:
                    return f"Records of {model_class._name} link to it by {_label(env, field)}: unlink it there first."
                return f"{_label(env, field)} of {model_class._name} would link a record that does not exist."
    return "The database does not allow this change: a value is missing, doubled, or still in use."


# === Fields ===


def _key(diag):
    """The columns of the key that a message is about, and its value."""
    match = _KEY.match(diag.message_detail or "")
    if match is None:
        return [], ""
    return [name.strip().strip('"') for name in match["columns"].split(",")], match["values"]


def _fields(model, diag):
    names = get_columns_from_sql_diagnostics(model.env.cr, diag, check_registry=True) or _key(diag)[0]
    known = [model._fields[name] for name in names if name in model._fields]
    return ", ".join(_label(model.env, field) for field in known) or "values"


def _label(env, field):
    return f"{field.name} ({quoted(field._description_string(env) or field.name)})"
