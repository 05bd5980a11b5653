"""Conditions on a property, by the property's own type.

Odoo keeps properties as JSON and compares that: 0 and 1 as if they were false and true, what is not set as the text
"false", a record's id where a name is given. Here each condition is put so that the comparison means what was asked.
"""

from datetime import UTC, datetime, time, timedelta

import pytz

from odoo.tools.date_utils import parse_date

from . import moments, texts
from .quoting import line, quoted

_NUMBERS = ("integer", "float", "monetary")
_RECORDS = ("many2one", "many2many")
_OPTIONS = ("selection", "tags")
_TIMES = ("date", "datetime")
_MOST_RECORDS = 1000
_NOTHING = [(0, "=", 1)]


def fitted(asked, definition, value):
    """The conditions that ask what was asked of the property with this definition."""
    parts = value if isinstance(value, list) else [value]
    if asked.operator.endswith("like"):
        found = _matching(asked, definition, value)
    elif asked.operator[0] in "<>":
        found = _compared(asked, definition, value)
    elif asked.operator in ("=", "!=", "in", "not in"):
        found = any_of(_equal(asked, definition, part) for part in parts)
    else:
        raise asked.refusal(f"A property can't be searched with {asked.operator}.")
    if not asked.negative:
        return found
    unset_too = asked.operator.endswith("like") or not any(part is None or part is False for part in parts)
    # a negation in SQL leaves out what is not set
    return ["|", _unset(asked), "!", *found] if unset_too else ["!", *found]


def any_of(alternatives):
    """One of these, each a list of conditions in prefix notation."""
    alternatives = list(alternatives) or [_NOTHING]
    return ["|"] * (len(alternatives) - 1) + [part for alternative in alternatives for part in alternative]


def _unset(asked):
    return (asked.name, "=", False)


def _where_set(asked, *conditions):
    """Odoo compares what is not set as if it were the text or the value false."""
    return ["&"] * len(conditions) + [(asked.name, "!=", False), *conditions]


# === Equality ===


def _equal(asked, definition, value):
    kind = definition["type"]
    if kind == "boolean":
        return [(asked.name, "=", asked.boolean(value))]
    if value is None or value is False or value == "":
        return [_unset(asked)]
    if value is True:
        raise asked.refusal(f"To find the records where it is set write {asked.set_form}.")
    if kind in _NUMBERS:
        number = asked.number(value)
        return ["&", (asked.name, ">=", number), (asked.name, "<=", number)]
    if kind in _TIMES:
        return _at(asked, kind, value)
    if kind in _OPTIONS:
        return [(asked.name, "=", _option(asked, definition, value))]
    if kind in _RECORDS:
        return _records(asked, definition, value, "=")
    return any_of([(asked.name, "=", form)] for form in texts.forms(str(value)))


def _option(asked, definition, value):
    options = {option[0]: option[1] for option in definition.get(definition["type"]) or ()}
    if value in options:
        return value
    found = [key for key, label in options.items() if str(label).lower() == str(value).lower()]
    if len(found) != 1:
        known = ", ".join(f"{quoted(key)} ({line(label)})" for key, label in options.items())
        raise asked.refusal(f"{asked.path} has no option {asked.shown(value)}; its options are: {known or 'none'}.")
    return found[0]


def _records(asked, definition, value, operator):
    """Records by id, or by the name that they have."""
    asked.check_id(value)
    comodel = asked.model.env[definition["comodel"]].with_context(active_test=False)
    if not isinstance(value, str):
        return [(asked.name, "=", value)]
    named = [("display_name", operator, form) for form in texts.forms(value)]
    ids = comodel.search(["|"] * (len(named) - 1) + named, limit=_MOST_RECORDS + 1).ids
    if len(ids) > _MOST_RECORDS:
        raise asked.refusal(f"More than {_MOST_RECORDS} records of {comodel._name} are called so: write their ids.")
    if not ids and operator == "=":
        asked.check_called(comodel, value)
    # one by one, as several at once are compared as a whole
    return any_of([(asked.name, "=", record_id)] for record_id in ids)


# === Patterns ===


def _matching(asked, definition, value):
    asked.check_pattern(value)
    kind, positive = definition["type"], asked.operator.removeprefix("not ")
    if kind in _RECORDS:
        return _records(asked, definition, value, positive)
    if kind in _OPTIONS:
        wanted = str(value).lower()
        options = definition.get(kind) or ()
        return any_of([(asked.name, "=", key)] for key, label, *_color in options if wanted in str(label).lower())
    if kind not in ("char", "text", "html"):
        raise asked.refusal(f"{asked.path} is no text: compare it with =, or with < and >.")
    return any_of(_where_set(asked, (asked.name, positive, form)) for form in texts.forms(str(value)))


# === Greater and less ===


def _compared(asked, definition, value):
    asked.check_comparison(definition["type"], value)
    kind = definition["type"]
    if kind in _NUMBERS:
        value = asked.number(value)
    elif kind in _TIMES:
        first, last = _span(asked, kind, value)
        # what ends with a day includes it, and what is after a day begins when it is over
        value = last if asked.operator in (">", "<=") else first
    elif kind not in ("char", "text"):
        raise asked.refusal(f"{asked.path} is a {kind}, which is neither greater nor less.")
    return _where_set(asked, (asked.name, asked.operator, value))


def _at(asked, kind, value):
    first, last = _span(asked, kind, value)
    if first == last:
        return [(asked.name, "=", first)]
    return _where_set(asked, (asked.name, ">=", first), (asked.name, "<=", last))


def _span(asked, kind, value):
    """The first and the last moment that a date or a time stands for, as Odoo stores them."""
    env = asked.model.env
    try:
        parsed = moments.instant(value) or parse_date(value, env)
    except (TypeError, ValueError, AttributeError, OverflowError) as exc:
        advice = moments.advice_for_condition(env, kind, asked.path, asked.operator, value)
        message = f"{asked.path} is compared with a date, such as 2026-11-28, not {asked.shown(value)}. {advice}"
        raise asked.refusal(message) from exc
    if kind == "date":
        day = parsed.date() if isinstance(parsed, datetime) else parsed
        return day.isoformat(), day.isoformat()
    if isinstance(parsed, datetime):
        at = _stored(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        return at, at
    zone = pytz.timezone(asked.model.env.context.get("tz") or "UTC")
    start, end = (zone.localize(datetime.combine(day, time.min)) for day in (parsed, parsed + timedelta(days=1)))
    return _stored(start), _stored(end - timedelta(seconds=1))


def _stored(at):
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
