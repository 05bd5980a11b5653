"""Button visibility: evaluates whether Odoo's web client would show a button on a record now.

Its views say what hides a part of them in expressions over the record's values. The client evaluates these; here they
are evaluated in the same way, and what can't be is as good as hidden.
"""

import ast

from odoo import fields
from odoo.exceptions import UserError
from odoo.tools.safe_eval import datetime, dateutil, safe_eval, time

from . import view_buttons

# As many records that show this one in a list are looked at.
_MOST_OUTER = 20
_UNFIT = ("properties", "properties_definition")


class CannotTell(Exception):
    """An expression can't be evaluated outside of a browser."""


def shown(record, button):
    """Where the button is shown on the record, as a scope to evaluate its context in; None where it is nowhere."""
    unsure = None
    for scope in _scopes(record, button):
        try:
            if not _hides(button.hidden, scope):
                return scope
        except CannotTell as exc:
            unsure = exc
    if unsure:
        raise unsure
    return None


def context_of(button, scope):
    """What the client would add to the context when it calls the method of this button."""
    context = _evaluated(button.context, scope) if button.context.strip() else {}
    if not isinstance(context, dict):
        raise CannotTell(button.context)
    return context


# === Scopes: whose values the names in an expression stand for ===


class Scope:
    def __init__(self, record, outer=None):
        self.record = record
        self.outer = outer

    def value(self, name):
        if name == "parent" and self.outer is not None:
            return _Parent(self.outer)
        if name == "id" and self.record:
            return self.record.id
        if self.record and name in self.record._fields:
            return _plain(self.record, name)
        return _basics(self.record.env)[name]


class _Parent:
    """`parent` in an expression: its attributes are the values of the record around."""

    def __init__(self, scope):
        self.__scope = scope

    def __getattr__(self, name):
        try:
            return self.__scope.value(name)
        except KeyError as exc:
            raise AttributeError(name) from exc


def _scopes(record, button):
    if button.for_selection:
        # above a list nothing is known of the records in it
        return [Scope(record.browse())]
    return _around(record, button.within)


def _around(record, within):
    if within is None:
        yield Scope(record)
        return
    for outer in _outer_records(record, within):
        for scope in _around(outer, within.within):
            if not _hides(within.hidden, scope):
                yield Scope(record, scope)


def _outer_records(record, within):
    """The records in whose form this one is listed."""
    outer = record.env[within.model]
    if not outer.has_access("read"):
        return outer
    field = outer._fields[within.field]
    if field.type == "one2many" and field.inverse_name and record._fields[field.inverse_name].type == "many2one":
        found = record[field.inverse_name]
    elif field.store or field.search:
        found = outer.search([(within.field, "in", record.ids)], limit=_MOST_OUTER)
    else:
        found = outer
    return found._filtered_access("read")


def _plain(record, name):
    """A value in the form in which the client knows it."""
    field, value = record._fields[name], record[name]
    if field.type in _UNFIT:
        raise CannotTell(name)
    if field.type in ("one2many", "many2many"):
        return value.ids
    if not value and field.type not in ("integer", "float", "monetary"):
        return False
    if field.type in _FORMS:
        return _FORMS[field.type](value)
    return value


_FORMS = {
    "binary": bool,
    "date": fields.Date.to_string,
    "datetime": fields.Datetime.to_string,
    "html": str,
    "many2one": lambda value: value.id,
    "reference": lambda value: f"{value._name},{value.id}",
}


class _Context(dict):
    """The context, whose keys an expression of the client may also name as attributes."""

    __getattr__ = dict.get


def _basics(env):
    """What each expression may name beside the record's values."""
    today = fields.Date.context_today(env.user)
    companies = env.companies.ids
    context = _Context(lang=env.lang, tz=env.user.tz or False, uid=env.uid, allowed_company_ids=companies)
    return {
        "context": context,
        "uid": env.uid,
        "allowed_company_ids": companies,
        "current_company_id": env.company.id,
        "context_today": lambda: today,
        "current_date": fields.Date.to_string(today),
        "today": fields.Date.to_string(today),
        "now": fields.Datetime.to_string(fields.Datetime.now()),
        "datetime": datetime,
        "relativedelta": dateutil.relativedelta.relativedelta,
        "time": time,
    }


# === Expressions ===


def _hides(expressions, scope):
    return any(_evaluated(expression, scope) for expression in expressions)


def _evaluated(expression, scope):
    if expression is view_buttons.UNKNOWN:
        raise CannotTell()
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - _BUILT_IN
        return safe_eval(expression.strip(), {name: scope.value(name) for name in names})
    except (KeyError, SyntaxError, TypeError, UserError, ValueError) as exc:
        # UserError: a value that the user, or the connection, may not read
        raise CannotTell(expression) from exc


_BUILT_IN = frozenset({"abs", "bool", "float", "int", "len", "max", "min", "set", "str", "sum"})
