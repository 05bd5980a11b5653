"""Parsing of dates and instants: read where ISO 8601 leaves no doubt, else answered with the form to send."""

import re
from datetime import UTC, date, datetime, time

import pytz
from dateutil import parser as free_form

from odoo.tools.date_utils import parse_date

from ..quoting import quoted

_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:T|\s+)(?P<time>\d\d:\d\d(?::\d\d)?)(?P<fraction>[.,]\d+)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"day": "d", "week": "w", "month": "m", "year": "y", "hour": "H", "minute": "M", "second": "S"}
_UNIT = "|".join(_UNITS)
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_WORDS = {
    "now": "now",
    "now()": "now",
    "today": "today",
    "today()": "today",
    "current_date": "today",
    "tomorrow": "today +1d",
    "yesterday": "today -1d",
    "this week": "today =week_start",
    "start of week": "today =week_start",
    "this month": "today =1d",
    "start of month": "today =1d",
    "this year": "today =1d =1m",
    "start of year": "today =1d =1m",
}
_COUNTED = re.compile(rf"(?:(in|last|past|next)\s+)?(\d{{1,5}}|an?)?\s*({_UNIT})s?(?:\s+(ago|from now|later))?")
_OFFSET = re.compile(rf"(today|now)?(?:\(\))?\s*([+-])\s*(\d{{1,5}})\s*(?:({_UNIT})s?|([dwmyHMS]))")
_DAY_OF_WEEK = re.compile(rf"(?:(next|last|this|on)\s+)?({_WEEKDAYS})")
_NUMERIC = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})(?:[./-](\d{1,2})[./-](\d{1,2})|(\d\d)(\d\d))", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})", re.ASCII)
# Seconds since 1970 in this century; a thousand times as many where they are milliseconds.
_EPOCH = (946_684_800, 4_102_444_800)
_LONGEST = 60


# === Reading ===


def instant(text):
    """The instant that a text in ISO 8601 stands for, with its zone if it names one; None for any other text.

    :raises ValueError: if it has the form, but there is no such instant
    """
    match = _ISO.fullmatch(text.strip())
    if not match:
        return None
    fraction = f".{match['fraction'][1:7]:0<6}" if match["fraction"] else ""
    zone = (match["zone"] or "").upper()
    zone = "+00:00" if zone in ("Z", "UTC", "GMT") else zone
    if 1 < len(zone) < 6:
        zone = f"{zone[:3]}:{zone[3:] or '00'}"
    return datetime.fromisoformat(f"{match['day']}T{match['time']}{fraction}{zone}")


def in_utc(moment):
    """The instant as Odoo keeps it: without a zone, which is UTC as everywhere in Odoo."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def for_condition(env, kind, value):
    """A value of a condition as Odoo's ORM reads it: instants without a zone, whole days as dates; else as it is.

    :raises ValueError: if it is neither a date nor an instant, nor relative to now as Odoo writes it
    """
    if not isinstance(value, str):
        raise ValueError
    text = value.strip()
    moment = instant(text)
    if moment is None:
        parse_date(text, env)
        return text
    if kind == "datetime":
        return in_utc(moment).strftime("%Y-%m-%d %H:%M:%S")
    if moment.time() == time():
        return moment.date().isoformat()
    return _local(env, moment).date().isoformat()


# === Showing the right form ===


def advice(env, kind, value):
    """The end of a sentence that refuses a value to be stored: what to send instead, where that can be computed."""
    forms = _to_send(env, kind, value)
    return f": for {_shown(value)} send {' or '.join(quoted(form) for form in forms)}" if forms else ""


def _to_send(env, kind, value, days_alone=False):
    """:param days_alone: leaves a day as it is, which is compared with instants as a whole"""
    try:
        kinds = [
            (moment, "date" if days_alone and not isinstance(moment, datetime) else kind)
            for moment in _meant(env, value)
        ]
        return list(dict.fromkeys(_form(env, kind, moment) for moment, kind in kinds))
    except (ValueError, OverflowError):
        # at the end of all time
        return []


def advice_for_condition(env, kind, path, operator, value):
    """Sentences with the forms that a condition takes, and the one that was meant where that can be computed."""
    general = 'Dates are written as "2026-11-01" or relative to now as "today -7d"'
    if kind == "datetime":
        general += ', instants as "2026-11-01T13:30:00Z"'
    text = _normal(value)
    if month := _MONTH.fullmatch(text or ""):
        span = _span_of_month(*map(int, month.groups()))
        if span:
            return f'{general}. A month is two conditions: ["{path}", ">=", "{span[0]}"], ["{path}", "<", "{span[1]}"].'
    relative = _relative(text) if text else None
    forms = [relative] if relative else _to_send(env, kind, value, days_alone=True)
    wanted = " or ".join(f'["{path}", "{operator}", {quoted(form)}]' for form in forms if form)
    return f"{general}. For {_shown(value)} write {wanted}." if wanted else f"{general}."


def _shown(value):
    return quoted(value) if isinstance(value, str) else str(value)


def _normal(value):
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= _LONGEST else ""


def _meant(env, value):
    """The dates and instants that a value may stand for."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [datetime.fromtimestamp(seconds, UTC) for seconds in (value, value / 1000) if _is_recent(seconds)]
    text = _normal(value)
    if not text:
        return []
    relative = _relative(text) or text
    for read in (instant, _calendar_days, lambda _text: _as_odoo_reads(env, relative), _in_words):
        try:
            found = read(text)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if found:
            return found if isinstance(found, list) else [found]
    return []


def _is_recent(seconds):
    return _EPOCH[0] <= seconds <= _EPOCH[1]


def _calendar_days(text):
    """Days in figures; where day and month may be either way round, both."""
    if match := _YEAR_FIRST.fullmatch(text):
        return date(*map(int, filter(None, match.groups())))
    match = _NUMERIC.fullmatch(text)
    first, second, year = map(int, match.groups()) if match else (0, 0, 0)
    orders = [(second, first), (first, second)]
    return [date(year, month, day) for month, day in dict.fromkeys(orders) if 1 <= month <= 12 and 1 <= day <= 31]


def _as_odoo_reads(env, text):
    moment = parse_date(text, env)
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else moment


def _in_words(text):
    """A date such as "1 November 2026": with letters and a year, so that nothing is left to guess."""
    if not re.search(r"[A-Za-z]{3}", text) or not re.search(r"\b\d{4}\b", text):
        return None
    first, second = (free_form.parse(text, default=datetime(2001, day, day)) for day in (1, 2))
    if first != second:
        return None
    return first if first.time() != time() else first.date()


def _relative(text):
    """The text in Odoo's own words for what is relative to now, or None."""
    words = text.lower()
    if words in _WORDS:
        return _WORDS[words]
    if match := _OFFSET.fullmatch(text) or _OFFSET.fullmatch(words):
        start, sign, count, word, letter = match.groups()
        unit = letter or _UNITS[word]
        return f"{start or _start(unit)} {sign}{count}{unit}"
    if match := _DAY_OF_WEEK.fullmatch(words):
        return f"today {'-' if match[1] == 'last' else '+'}{match[2]}"
    match = _COUNTED.fullmatch(words)
    if not match or not (match[1] or match[4]):
        return None
    before, count, word, after = match.groups()
    sign = "-" if before in ("last", "past") or after == "ago" else "+"
    unit = _UNITS[word]
    return f"{_start(unit)} {sign}{int(count) if count and count.isdecimal() else 1}{unit}"


def _start(unit):
    return "now" if unit in "HMS" else "today"


def _form(env, kind, moment):
    is_day = not isinstance(moment, datetime)
    if kind == "date":
        return (moment if is_day else _local(env, moment).date()).isoformat()
    if is_day:
        # a day begins at another instant in each zone
        zone = pytz.timezone(env.context.get("tz") or "UTC")
        return zone.localize(datetime.combine(moment, time())).isoformat().replace("+00:00", "Z")
    return in_utc(moment).isoformat(timespec="seconds") + "Z"


def _local(env, moment):
    return moment.astimezone(pytz.timezone(env.context.get("tz") or "UTC")) if moment.tzinfo else moment


def _span_of_month(year, month):
    if not 1 <= month <= 12 or not 1 <= year < 9999:
        return None
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1).isoformat(), following.isoformat()
