"""Normalization of the value of a condition: what Odoo would drop, or read as another question, is refused.

Odoo's ORM takes nearly any value. A condition that it can't use it replaces by "all records", a text that doesn't fit
by the nearest value of the type, and an id that came as text it looks for among the names.
"""

import contextlib
import json
import math
from datetime import datetime

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.models import BaseModel
from odoo.orm.domains import Domain
from odoo.tools.date_utils import parse_date

from ..quoting import MAX_QUOTED, line, quoted
from ..rpc import faults
from ..values import date_forms, record_names, selection_labels, text_forms
from . import property_conditions

# How Odoo's ORM and PostgreSQL fail on a value that doesn't fit its field.
VALUE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    psycopg2.DataError,
    psycopg2.ProgrammingError,
)
_NEGATIVE = frozenset({"!=", "not in", "not any", "not like", "not ilike", "not =like", "not =ilike"})
_EQUALITY = ("=", "!=", "in", "not in", "=?")
_HIERARCHY = ("child_of", "parent_of")
_RELATIONS = ("many2one", "one2many", "many2many")
_TEXTS = ("char", "text", "html")
_NUMBERS = ("integer", "float", "monetary")
_TIMES = ("date", "datetime")
# Of the names in one condition these many are looked up.
_MAX_NAMES = 20
# What Odoo's own `str2bool` knows.
_TRUE = frozenset({"y", "yes", "1", "true", "t", "on"})
_FALSE = frozenset({"n", "no", "0", "false", "f", "off"})


def normalized(model, item, operator, value, field, rest):
    """The conditions that ask what the item asks; the field is the last of its path, and `rest` what follows it."""
    path = item[0]
    name = f"{field.name}.{rest}" if rest else field.name
    condition = _Condition(model, item, operator, name)
    if rest and field.type == "properties":
        # sudo: the record that defines a property need not be readable for those that have it; the path was checked
        definition = model.env[field.model_name].sudo().get_property_definition(name)
        found = property_conditions.fitted(condition, definition, value)
    else:
        found = _normalized_value(condition, field, _kind(field, rest), value)
        _check_not_dropped(condition, field, found)
    if len(found) == 1:
        return [(path, *found[0][1:])] if len(found[0]) == 3 and found[0][0] == name else found
    # what belongs to one record is asked of one record
    return found if name == path else [(path.removesuffix(f".{name}"), "any", found)]


def _kind(field, rest):
    """What a field is compared as."""
    if rest:
        return "integer"
    return "id" if field.name == "id" or field.type == "many2one_reference" else field.type


def _normalized_value(condition, field, kind, value):
    operator = condition.operator
    if kind == "binary" and field.attachment:
        _check_content(condition, value)
    elif operator == "=?" and not value:
        raise condition.refusal(
            f"=? with nothing to compare filters nothing: leave it out, or write {condition.unset_form}."
        )
    if operator.endswith("like"):
        return _matching(condition, field, kind, value)
    if kind in _TIMES:
        value = (
            [condition.time(kind, part) for part in value] if isinstance(value, list) else condition.time(kind, value)
        )
    if operator in _EQUALITY:
        value = _equal(condition, field, kind, value)
        return _with_days(condition, value) if kind == "datetime" else [(condition.name, operator, value)]
    if operator in _HIERARCHY:
        condition.check_hierarchy(value)
    elif operator[0] in "<>":
        condition.check_comparison(kind, value)
    return [(condition.name, operator, value)]


class _Condition:
    """One condition as it was sent, and the checks that hold for fields and properties alike."""

    def __init__(self, model, item, operator, name):
        self.model = model
        self.path = item[0]
        self.name = name
        self.operator = operator
        self.negative = operator in _NEGATIVE
        self.value = item[2]
        self._item = item

    def refusal(self, message):
        return faults.invalid_domain(self.model._name, self._item, message, operator=self.operator)

    @property
    def unset_form(self):
        return f'["{self.path}", "=", false]'

    @property
    def set_form(self):
        return f'["{self.path}", "!=", false]'

    @staticmethod
    def shown(value):
        return quoted(value) if isinstance(value, str) else line(str(value).lower(), MAX_QUOTED)

    def check_pattern(self, value):
        if isinstance(value, (bool, list)) or value is None or value == "":
            raise self.refusal(f"{self.operator} takes a text; {self.unset_form} finds the records where it is empty.")

    def check_comparison(self, kind, value):
        if kind == "boolean":
            raise self.refusal(f'True or false is compared with =: ["{self.path}", "=", true].')
        if value is None or value == "" or isinstance(value, (bool, list)):
            message = f"{self.operator} takes one value to compare with; {self.unset_form} finds where it is empty."
            raise self.refusal(message)
        if kind in (*_RELATIONS, "id"):
            self.check_id(value)
        if kind in _NUMBERS:
            self.number(value)

    def check_hierarchy(self, value):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, bool) or part is None or part == "":
                raise self.refusal(f"{self.operator} takes ids or names of records.")
            self.check_id(part)

    def check_id(self, value):
        if not isinstance(value, str) or not value.strip().lstrip("+-").isdecimal():
            return
        message = f"Ids are numbers: write {int(value)} without quotes."
        if self.name != "id":
            message += f' A record that is called so is found by ["{self.path}.display_name", "=", {quoted(value)}].'
        raise self.refusal(message)

    def check_called(self, comodel, value):
        """Refuses a name that is no record's name, where it is clear enough which records are meant."""
        if not isinstance(value, str) or not value.strip() or not comodel.has_access("read"):
            return
        if self._is_name(comodel, value):
            return
        found = record_names.find(comodel, value.strip())
        if not found.ids:
            if self._is_of_id:
                raise self.refusal(f"Ids are numbers, and {self.shown(value)} is none.")
            return
        meaning = record_names.sentence(comodel, value.strip(), found)
        raise self.refusal(f"Records are compared by id: {meaning}. Write {self._with(value, found.ids)}.")

    def _with(self, value, meant):
        """The condition with what was meant instead of this value."""
        operator, wanted = self.operator, meant[0]
        if isinstance(self.value, list):
            wanted = [other for part in self.value for other in (meant if part == value else [part])]
        elif len(meant) > 1:
            operator, wanted = {"=": "in", "!=": "not in"}.get(operator, operator), meant
        return f'["{self.path}", "{operator}", {json.dumps(wanted, ensure_ascii=False)}]'

    @property
    def _is_of_id(self):
        return self.name.rpartition(".")[2] == "id"

    def _is_name(self, comodel, value):
        """Whether Odoo finds records that are called so; it looks for no others."""
        if self._is_of_id or is_nameless(comodel):
            return False
        named = [("display_name", "in", text_forms.forms(value))]
        return bool(comodel.with_context(active_test=False).search(named, limit=1))

    def check_label(self, field, value):
        """Refuses a label where Odoo compares values: it would find nothing, or everything where it is denied."""
        if not isinstance(value, str) or value in field.get_values(self.model.env):
            return
        if meant := selection_labels.values_called(self.model.env[field.model_name], field, value):
            form = self._with(value, meant)
            raise self.refusal(
                f"{selection_labels.sentence(value, meant)}, which is what {self.path} holds: write {form}."
            )

    def time(self, kind, value):
        """A value as Odoo compares a date or an instant with it."""
        if isinstance(value, bool) or value is None or value == "":
            return value
        env = self.model.env
        try:
            return date_forms.for_condition(env, kind, value)
        except (ValueError, OverflowError, TypeError) as exc:
            advice = date_forms.advice_for_condition(env, kind, self.path, self.operator, value)
            raise self.refusal(f"{self.shown(value)} is no {kind} that exists. {advice}") from exc

    def check_option(self, field, value):
        options = field.get_values(self.model.env)
        if value not in options:
            raise self.refusal(f"{self.path} is one of {', '.join(map(str, options))}, not {self.shown(value)}.")

    def number(self, value):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value) if isinstance(value, str) else value
            if math.isfinite(number):
                return number
        raise self.refusal(f"{self.path} is a number, and {self.shown(value)} is none.")

    def boolean(self, value):
        text = value.lower() if isinstance(value, str) else value
        if text is None or text in (0, 1):
            return bool(text)
        if isinstance(text, str) and text in _TRUE | _FALSE:
            return text in _TRUE
        raise self.refusal(f"{self.shown(value)} is neither true nor false.")


def _matching(condition, field, kind, value):
    condition.check_pattern(value)
    if kind == "selection":
        _check_pattern_of_values(condition, field, value)
    if kind == "datetime":
        message = f'A time is compared with >= and <, or with a day: ["{condition.path}", "=", "2026-11-28"].'
        raise condition.refusal(message)
    found = [(condition.name, condition.operator, form) for form in text_forms.forms(str(value))]
    return ["&" if condition.negative else "|", *found] if len(found) > 1 else found


def _check_pattern_of_values(condition, field, value):
    """Refuses a pattern that fits no value but labels: Odoo matches what is stored."""
    text = str(value).strip("%").casefold()
    if not text or any(text in known.casefold() for known in field.get_values(condition.model.env)):
        return
    if meant := selection_labels.values_matching(condition.model.env[field.model_name], field, text):
        wanted = f'["{condition.path}", "{"not in" if condition.negative else "in"}", {json.dumps(meant)}]'
        raise condition.refusal(
            f"{condition.shown(value)} is in labels only, and {condition.path} holds values: write {wanted}."
        )


# === Equality ===


def _equal(condition, field, kind, value):
    if (
        isinstance(value, list)
        and value
        and kind in ("date", "datetime")
        and condition.operator not in ("in", "not in")
    ):
        first, last = condition.shown(value[0]), condition.shown(value[-1])
        span = f'["{condition.path}", ">=", {first}], ["{condition.path}", "<=", {last}]'
        raise condition.refusal(f"{condition.operator} takes one value; a span is two conditions: {span}.")
    if isinstance(value, list):
        if kind in (*_RELATIONS, "id"):
            _check_names(condition, field, value)
        return [form for part in value for form in _forms(kind, _one(condition, field, kind, part))]
    if kind in (*_RELATIONS, "id"):
        _check_names(condition, field, [value])
    forms = _forms(kind, _one(condition, field, kind, value))
    return forms if len(forms) > 1 else forms[0]


def _check_names(condition, field, parts):
    for part in parts[:_MAX_NAMES]:
        condition.check_id(part)
        if field.relational or field.name == "id":
            condition.check_called(
                condition.model.env[field.comodel_name if field.relational else field.model_name], part
            )


def _forms(kind, value):
    return text_forms.forms(value) if isinstance(value, str) and kind in (*_TEXTS, *_RELATIONS) else [value]


def _one(condition, field, kind, value):
    """One value, as a field of this kind is compared with it."""
    if kind == "boolean":
        return condition.boolean(value)
    if value is None or value is False:
        return False
    if value is True:
        raise condition.refusal(f"To find the records where it is set write {condition.set_form}.")
    if kind in _RELATIONS and value == "":
        # Odoo would look for records whose name is empty
        return False
    if kind in (*_RELATIONS, "id"):
        condition.check_id(value)
    if kind == "selection":
        condition.check_label(field, value)
    if kind in _TEXTS:
        return str(value)
    if kind in _NUMBERS:
        return condition.number(value)
    if kind == "selection" and not field.store:
        condition.check_option(field, value)
    return value


# === What Odoo drops ===


def _check_content(condition, value):
    parts = value if isinstance(value, list) else [value]
    if condition.operator not in ("=", "!=", "in", "not in") or any(part not in (None, False) for part in parts):
        raise condition.refusal(
            f"Content is not searched: only {condition.set_form} and {condition.unset_form} can be asked."
        )


def _check_not_dropped(condition, field, found):
    """Refuses what Odoo takes for all records, be it asked or denied: some ways to search drop what they don't know."""
    model = condition.model.env[field.model_name]
    if field.relational and any(isinstance(part, str) for part in _parts(found)):
        comodel = model.env[field.comodel_name]
        if is_nameless(comodel):
            message = f"Records of {comodel._name} are not searched by name: write ids, or conditions on their fields."
            raise condition.refusal(message)
    elif field.name == "display_name":
        if is_nameless(model):
            raise condition.refusal(
                f"Records of {model._name} are not searched by name: write conditions on their fields."
            )
    elif field.search:
        message = (
            f"Odoo does not search {condition.path} with {condition.operator} and {condition.shown(condition.value)}."
        )
        try:
            dropped = _is_dropped(model, found)
        except AccessError:
            raise
        except (UserError, *VALUE_ERRORS) as exc:
            raise condition.refusal(message) from exc
        if dropped:
            raise condition.refusal(message)


def _parts(found):
    values = (condition[2] for condition in found if not isinstance(condition, str))
    return [part for value in values for part in (value if isinstance(value, list) else [value])]


def is_nameless(model):
    """Whether Odoo takes a search by name for one of all records, as it has nothing to compare a name with."""
    if model._rec_name or model._rec_names_search:
        return False
    if type(model)._search_display_name is BaseModel._search_display_name:
        return True
    return _is_dropped(model, [("display_name", "=", "x")])


def _is_dropped(model, conditions):
    """Whether these conditions and their opposite both mean all records."""
    condition = Domain(conditions)
    return condition.optimize_full(model).is_true() and (~condition).optimize_full(model).is_true()


# === Days ===


def _with_days(condition, value):
    """A time is within a day of the user's time zone, in which Odoo reads dates that it compares times with."""
    name, parts = condition.name, value if isinstance(value, list) else [value]
    days = [_day(condition.model.env, part) for part in parts]
    if not any(days):
        return [(name, condition.operator, value)]
    within = property_conditions.any_of(
        ["&", (name, ">=", day), (name, "<=", day)] if day else [(name, "=", part)]
        for part, day in zip(parts, days, strict=True)
    )
    return ["!", *within] if condition.negative else within


def _day(env, value):
    """The date that a text stands for, where it stands for a whole day."""
    try:
        parsed = parse_date(value, env) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if parsed is None or isinstance(parsed, datetime) else parsed.isoformat()
