"""Says that days and hours are those of UTC, where a call leaves them to a time zone that its user doesn't have."""

from odoo.orm.utils import READ_GROUP_NUMBER_GRANULARITY

NOTE = "This user has no time zone in Odoo, so days and hours are those of UTC: context.tz names another."


def notes(model, domain=(), groupby=()):
    """The note, where a condition or a group is about a day or an hour of a time."""
    if model.env.context.get("tz"):
        return []
    asked = [spec.replace(":", ".") for spec in groupby if ":" in spec]
    is_local = any(_is_time(model, path.rpartition(".")[0]) for path in asked) or _has_days(model, domain)
    return [NOTE] if is_local else []


def _has_days(model, domain):
    return any(_is_about_a_day(model, *item) for item in domain if isinstance(item, (list, tuple)) and len(item) == 3)


def _is_about_a_day(model, path, operator, value):
    if not isinstance(path, str):
        return False
    if operator in ("any", "not any") and isinstance(value, (list, tuple)):
        field = _field(model, path)
        return field is not None and field.relational and _has_days(model.env[field.comodel_name], value)
    before, _dot, part = path.rpartition(".")
    if part in READ_GROUP_NUMBER_GRANULARITY:
        return _is_time(model, before)
    given = value if isinstance(value, (list, tuple)) else [value]
    return any(isinstance(item, str) and _is_day(item) for item in given) and _is_time(model, path)


def _is_day(text):
    """A date, or a relative one such as "today -7d"; what has a time of day, or counts from now, is an instant."""
    return bool(text.strip()) and ":" not in text and not text.strip().lower().startswith("now")


def _is_time(model, path):
    field = _field(model, path)
    return field is not None and field.type == "datetime"


def _field(model, path):
    """The field that a path leads to, or None."""
    field = None
    for name in path.split("."):
        if model is None or name not in model._fields:
            return None
        field = model._fields[name]
        model = model.env[field.comodel_name] if field.relational else None
    return field
