"""Conditions on a property, by the property's own type.

Odoo keeps properties as JSON and compares that: 0 and 1 as if they were false and true, what is not set as the text
"false", a record's id where a name is given. Here each condition is put so that the comparison means what was asked.
"""

from datetime import UTC, datetime, time, timedelta

import pytz

from odoo.tools.date_utils import parse_date

from ..quoting import line, quoted
from ..values import date_forms, text_forms

_NUMBERS = ("integer", "float", "monetary")
_RECORDS = ("many2one", "many2many")
_OPTIONS = ("selection", "tags")
_TIMES = ("date", "datetime")
_MOST_RECORDS = 1000
_NOTHING = [(0, "=", 1)]


def fitted(condition, definition, value):
    """The conditions that ask what was asked of the property with this definition."""
    parts = value if isinstance(value, list) else [value]
    if condition.operator.endswith("like"):
        found = _matching(condition, definition, value)
    elif condition.operator[0] in "<>":
        found = _compared(condition, definition, value)
    elif condition.operator in ("=", "!=", "in", "not in"):
        found = any_of(_equal(condition, definition, part) for part in parts)
    else:
        raise condition.refusal(f"A property can't be searched with {condition.operator}.")
    if not condition.negative:
        return found
    unset_too = condition.operator.endswith("like") or not any(part is None or part is False for part in parts)
    # a negation in SQL leaves out what is not set
    return ["|", _unset(condition), "!", *found] if unset_too else ["!", *found]


def any_of(alternatives):
    """One of these, each a list of conditions in prefix notation."""
    alternatives = list(alternatives) or [_NOTHING]
    return ["|"] * (len(alternatives) - 1) + [part for alternative in alternatives for part in alternative]


def _unset(condition):
    return (condition.name, "=", False)


def _where_set(condition, *conditions):
    """Odoo compares what is not set as if it were the text or the value false."""
    return ["&"] * len(conditions) + [(condition.name, "!=", False), *conditions]


# === Equality ===


def _equal(condition, definition, value):
    kind = definition["type"]
    if kind == "boolean":
        return [(condition.name, "=", condition.boolean(value))]
    if value is None or value is False or value == "":
        return [_unset(condition)]
    if value is True:
        raise condition.refusal(f"To find the records where it is set write {condition.set_form}.")
    if kind in _NUMBERS:
        number = condition.number(value)
        return ["&", (condition.name, ">=", number), (condition.name, "<=", number)]
    if kind in _TIMES:
        return _at(condition, kind, value)
    if kind in _OPTIONS:
        return [(condition.name, "=", _option(condition, definition, value))]
    if kind in _RECORDS:
        return _records(condition, definition, value, "=")
    return any_of([(condition.name, "=", form)] for form in text_forms.forms(str(value)))


def _option(condition, definition, value):
    options = {option[0]: option[1] for option in definition.get(definition["type"]) or ()}
    if value in options:
        return value
    found = [key for key, label in options.items() if str(label).lower() == str(value).lower()]
    if len(found) != 1:
        known = ", ".join(f"{quoted(key)} ({line(label)})" for key, label in options.items())
        raise condition.refusal(
            f"{condition.path} has no option {condition.shown(value)}; its options are: {known or 'none'}."
        )
    return found[0]


def _records(condition, definition, value, operator):
    """Records by id, or by the name that they have."""
    condition.check_id(value)
    comodel = condition.model.env[definition["comodel"]].with_context(active_test=False)
    if not isinstance(value, str):
        return [(condition.name, "=", value)]
    named = [("display_name", operator, form) for form in text_forms.forms(value)]
    ids = comodel.search(["|"] * (len(named) - 1) + named, limit=_MOST_RECORDS + 1).ids
    if len(ids) > _MOST_RECORDS:
        raise condition.refusal(f"More than {_MOST_RECORDS} records of {comodel._name} are called so: write their ids.")
    if not ids and operator == "=":
        condition.check_called(comodel, value)
    # one by one, as several at once are compared as a whole
    return any_of([(condition.name, "=", record_id)] for record_id in ids)


# === Patterns ===


def _matching(condition, definition, value):
    condition.check_pattern(value)
    kind, positive = definition["type"], condition.operator.removeprefix("not ")
    if kind in _RECORDS:
        return _records(condition, definition, value, positive)
    if kind in _OPTIONS:
        wanted = str(value).lower()
        options = definition.get(kind) or ()
        return any_of([(condition.name, "=", key)] for key, label, *_color in options if wanted in str(label).lower())
    if kind not in ("char", "text", "html"):
        raise condition.refusal(f"{condition.path} is no text: compare it with =, or with < and >.")
    return any_of(_where_set(condition, (condition.name, positive, form)) for form in text_forms.forms(str(value)))


# === Greater and less ===


def _compared(condition, definition, value):
    condition.check_comparison(definition["type"], value)
    kind = definition["type"]
    if kind in _NUMBERS:
        value = condition.number(value)
    elif kind in _TIMES:
        first, last = _span(condition, kind, value)
        # what ends with a day includes it, and what is after a day begins when it is over
        value = last if condition.operator in (">", "<=") else first
    elif kind not in ("char", "text"):
        raise condition.refusal(f"{condition.path} is a {kind}, which is neither greater nor less.")
    return _where_set(condition, (condition.name, condition.operator, value))


def _at(condition, kind, value):
    first, last = _span(condition, kind, value)
    if first == last:
        return [(condition.name, "=", first)]
    return _where_set(condition, (condition.name, ">=", first), (condition.name, "<=", last))


def _span(condition, kind, value):
    """The first and the last moment that a date or a time stands for, as Odoo stores them."""
    env = condition.model.env
    try:
        parsed = date_forms.instant(value) or parse_date(value, env)
    except (TypeError, ValueError, AttributeError, OverflowError) as exc:
        advice = date_forms.advice_for_condition(env, kind, condition.path, condition.operator, value)
        message = (
            f"{condition.path} is compared with a date, such as 2026-11-28, not {condition.shown(value)}. {advice}"
        )
        raise condition.refusal(message) from exc
    if kind == "date":
        day = parsed.date() if isinstance(parsed, datetime) else parsed
        return day.isoformat(), day.isoformat()
    if isinstance(parsed, datetime):
        at = _stored(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        return at, at
    zone = pytz.timezone(condition.model.env.context.get("tz") or "UTC")
    start, end = (zone.localize(datetime.combine(day, time.min)) for day in (parsed, parsed + timedelta(days=1)))
    return _stored(start), _stored(end - timedelta(seconds=1))


def _stored(at):
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
