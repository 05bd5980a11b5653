"""The operation `read_group`: groups records and aggregates the groups."""

from datetime import datetime

import babel.dates
import psycopg2
import pytz

from odoo.orm.models import READ_GROUP_AGGREGATE
from odoo.orm.utils import READ_GROUP_ALL_TIME_GRANULARITY, READ_GROUP_TIME_GRANULARITY
from odoo.tools import DEFAULT_SERVER_DATE_FORMAT, DEFAULT_SERVER_DATETIME_FORMAT
from odoo.tools.misc import babel_locale_parse

from ..policy import allowed_models, alternatives, call_rules
from ..quoting import quoted, quoted_message
from ..rpc import faults
from ..search import domains
from ..values import outputs
from . import homonyms, mixed_currencies, time_zone_notes

_COUNT = "__count"
_AGGREGATES = (set(READ_GROUP_AGGREGATE) - {"recordset"}) | {"sum_currency"}
_COMPARISONS = ("in", "not in", "<", ">", "<=", ">=", "=", "!=")


def read_group(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    domain = domains.checked_domain(model, step["domain"])
    grouped = {spec: _checked_group(model, spec) for spec in step["groupby"]}
    aggregates = [_COUNT, *(_checked_aggregate(model, spec) for spec in step["aggregates"] if spec != _COUNT)]
    mixing = mixed_currencies.currency_aggregates(model, step["groupby"], aggregates)
    watched = [spec for spec in mixing.values() if spec not in aggregates]
    groups = _grouped(model, domain, list(grouped), [*aggregates, *dict.fromkeys(watched)], step)
    limit = step["limit"]
    rows = [_row(model, grouped, aggregates, group) for group in groups[:limit]]
    if allowed_models.is_restricted(env.cr):
        _rename(model, grouped, rows)
    for spec, (field, _kind) in grouped.items():
        if field.relational:
            homonyms.mark_named(
                model.env[field.comodel_name], [row[spec] for row in rows if isinstance(row[spec], dict)]
            )
    answer = {"groups": rows, "has_more": len(groups) > limit}
    notes = mixed_currencies.notes(model, mixing, groups[:limit]) + time_zone_notes.notes(
        model, step["domain"], step["groupby"]
    )
    return {**answer, "notes": notes} if notes else answer


def _grouped(model, domain, groupby, aggregates, step):
    order = _checked_order([*groupby, *aggregates], step["order"])
    having = _checked_having(model, step["having"])
    try:
        return model.formatted_read_group(
            domain, groupby, aggregates, having=having, offset=step["offset"], limit=step["limit"] + 1, order=order
        )
    except (ValueError, TypeError, OverflowError, RecursionError, psycopg2.Error) as exc:
        if isinstance(exc, psycopg2.OperationalError):
            raise
        raise faults.bad_request(
            "groupby", f"Odoo can't group {model._name} this way: {quoted_message(_reason(exc), step)}"
        ) from exc


def _reason(exc):
    return "a value or an aggregate doesn't fit its field." if isinstance(exc, psycopg2.Error) else exc


# === Checks ===


def _checked_group(model, spec):
    """What a group is made of: the field, and its type, which for a property is its own."""
    path, _colon, granularity = spec.partition(":")
    _check_dotted(model, path)
    field, rest = domains.resolve_path(model, path)
    if rest and field.type == "properties":
        return field, _checked_property(model, field, rest, spec, granularity)
    dated = field.type in ("date", "datetime")
    if (dated and not granularity) or (granularity and granularity not in READ_GROUP_ALL_TIME_GRANULARITY):
        known = ", ".join(READ_GROUP_ALL_TIME_GRANULARITY)
        raise faults.bad_request("groupby", f"A date is grouped by one of {known}, such as {path}:month.")
    if granularity and not dated:
        raise faults.bad_request("groupby", f"{path} is no date: it is grouped without {granularity}.")
    if not field._description_groupable(model.env):
        raise faults.bad_request("groupby", f"Records of {model._name} can't be grouped by {path}.")
    return field, field.type


def _check_dotted(model, path):
    """Refuses a span of a date behind a dot: groups take it behind a colon."""
    before, _dot, part = path.rpartition(".")
    if not before or part not in READ_GROUP_ALL_TIME_GRANULARITY:
        return
    field, rest = domains.resolve_path(model, before)
    if not rest and field.type in ("date", "datetime"):
        raise faults.bad_request("groupby", f"Write {before}:{part} to group by a part of a date.")


def _checked_property(model, field, name, spec, granularity):
    kind = domains.property_definition(model, field, name)["type"]
    dated = kind in ("date", "datetime")
    spans = [span for span in READ_GROUP_TIME_GRANULARITY if span != "hour"]
    if dated and granularity not in spans:
        message = f"{quoted(spec)} is grouped by one of {', '.join(spans)}, such as {field.name}.{name}:month."
        raise faults.bad_request("groupby", message)
    if granularity and not dated:
        raise faults.bad_request(
            "groupby", f"{field.name}.{name} is no date: it is grouped without {quoted(granularity)}."
        )
    return kind


def _checked_aggregate(model, spec):
    name, _colon, function = spec.partition(":")
    field = domains.readable_field(model, name)
    if function not in _AGGREGATES:
        known = ", ".join(sorted(_AGGREGATES))
        raise faults.bad_request(
            "aggregates", f"{quoted(spec)} needs one of {known} behind the colon, such as {name}:count."
        )
    if not (field.store or field._description_sortable(model.env)):
        message = f"{name} of {model._name} is not stored and can't be summed up.{alternatives.of_stock(model, name)}"
        raise faults.bad_request("aggregates", message)
    return spec


def _checked_order(specs, order):
    if not order or not order.strip():
        return None
    terms = [domains.order_term(part.strip()) for part in order.split(",")]
    if any(term is None or term[0] not in specs for term in terms):
        raise faults.bad_request("order", f"Groups are ordered by what they consist of: {', '.join(specs)}.")
    return ", ".join(" ".join(filter(None, term)) for term in terms)


def _checked_having(model, having):
    for item in having:
        if isinstance(item, str) and item in ("&", "|", "!"):
            continue
        if not isinstance(item, list) or len(item) != 3 or item[1] not in _COMPARISONS or not isinstance(item[0], str):
            raise faults.bad_request("having", "having is a list of conditions [aggregate, operator, value].")
        if item[0] != _COUNT:
            _checked_aggregate(model, item[0])
        if item[1] in ("in", "not in"):
            item[2] = tuple(item[2]) if isinstance(item[2], list) and item[2] else (None,)
    try:
        domains.check_arity(model, having)
    except faults.GatewayError as refusal:
        raise faults.bad_request("having", refusal.message) from refusal
    return having


# === Answer ===


def _row(model, grouped, aggregates, group):
    row = {spec: _group_value(model, spec, field, kind, group[spec]) for spec, (field, kind) in grouped.items()}
    row.update({spec: _aggregate(spec, group[spec]) for spec in aggregates})
    return row


def _rename(model, grouped, rows):
    """Names the records that groups are made of as a confined connection may read them; Odoo names them with sudo."""
    for spec, (field, _kind) in grouped.items():
        if field.relational:
            found = [row[spec] for row in rows if isinstance(row[spec], dict)]
            names = outputs.names(model.env[field.comodel_name], [group["id"] for group in found])
            for group in found:
                group["name"] = names.get(group["id"]) or outputs.EMPTY


def _aggregate(spec, value):
    # Odoo says False where there was nothing to sum up
    if value is False and not spec.endswith((":bool_and", ":bool_or")):
        return outputs.EMPTY
    return outputs.plain(value)


def _group_value(model, spec, field, kind, value):
    granularity = spec.partition(":")[2]
    if granularity in READ_GROUP_TIME_GRANULARITY and isinstance(value, (tuple, list)):
        if kind == "date":
            return _days(granularity, *value)
        # Odoo groups properties by days of UTC
        return _times(model.env, granularity, *value, "UTC" if field.type == "properties" else None)
    if kind == "boolean":
        return bool(value)
    if kind == "tags" and isinstance(value, (tuple, list)):
        return {"id": value[0], "name": outputs.plain(value[1])}
    if isinstance(value, tuple) and len(value) == 2:
        return {"id": value[0], "name": outputs.plain(value[1])}
    if granularity or kind in ("integer", "float", "monetary"):
        # what has no date, or no number
        return outputs.EMPTY if value is False else outputs.plain(value)
    return outputs.plain(value) if value else outputs.EMPTY


def _days(granularity, start, label):
    """A span of days, as `formatted_read_group` begins and names it."""
    first = datetime.strptime(start, DEFAULT_SERVER_DATE_FORMAT).date()
    return {
        "from": first.isoformat(),
        "to": (first + READ_GROUP_TIME_GRANULARITY[granularity]).isoformat(),
        "label": label,
    }


def _times(env, granularity, start, label, zone):
    """A span of time; a day lasts 23 or 25 hours when the clocks change, so the step is made in local time."""
    first = datetime.strptime(start, DEFAULT_SERVER_DATETIME_FORMAT)
    at = pytz.timezone(zone or env.context.get("tz") or "UTC")
    local = pytz.utc.localize(first).astimezone(at).replace(tzinfo=None)
    if granularity == "hour":
        # Odoo's own label has 12 hours and doesn't say which half of the day
        label = babel.dates.format_datetime(local, "HH:00 dd MMM", locale=babel_locale_parse(env.lang))
        last = first + READ_GROUP_TIME_GRANULARITY[granularity]
    else:
        last = at.localize(local + READ_GROUP_TIME_GRANULARITY[granularity]).astimezone(pytz.utc).replace(tzinfo=None)
    return {"from": outputs.instant(first), "to": outputs.instant(last), "label": f"{label} {zone}" if zone else label}
