"""The operations `search_read`, `read`, `search_count` and `name_search`."""

import psycopg2
from psycopg2 import errors

from ..policy import allowed_models, call_rules, field_reach, secret_fields
from ..quoting import quoted_message
from ..rpc import faults
from ..search import conditions, domains
from ..values import outputs, text_forms
from . import filtered_pages, homonyms, partial_read, ranking, time_zone_notes, value_slices

# Record rules read a field or two of companies and users; each time Odoo would load all columns of these.
_NO_PREFETCH = {"prefetch_fields": False}
# A search by name ranks anew for each page, so that it can't go on for ever.
_MOST_NAMED = 10_000


def search_read(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    domain = domains.checked_domain(model, step["domain"])
    order = domains.checked_order(model, step["order"])
    names, skipped = select_fields(model, step["fields"])
    records, has_more = fetch(model, domain, names, step["limit"], step["offset"], order)
    answer = {**serialized(records, names, skipped), "has_more": has_more}
    if step["total"]:
        answer["total"] = _total(model, domain, step, len(records), has_more)
    return _noted(model, step, answer)


def _noted(model, step, answer):
    notes = time_zone_notes.notes(model, step["domain"])
    return {**answer, "notes": notes} if notes else answer


def _total(model, domain, step, found, has_more):
    if not has_more and (found or not step["offset"]):
        # the last page says how many there are
        return step["offset"] + found
    return _searched(model, domain, lambda: model.search_count(domain))


def name_search(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    field_reach.require_reachable(model, "display_name")
    domain = domains.checked_domain(model, step["domain"])
    if step["name"] and conditions.is_nameless(model):
        message = f"Records of {model._name} are not searched by name: use a domain on their fields."
        raise faults.bad_request("name", message)
    first, last = step["offset"] or 0, (step["offset"] or 0) + step["limit"]
    if last > _MOST_NAMED:
        raise faults.bad_request("offset", f"A search by name shows the first {_MOST_NAMED} records: narrow it.")
    found = _searched(model, domain, lambda: _named(model, step["name"], domain, last + 1))
    names = dict(found[first:last])
    if allowed_models.is_restricted(env.cr):
        names = outputs.names(model, list(names))
    records = [{"id": record_id, "display_name": name or None} for record_id, name in names.items()]
    homonyms.mark_named(model, records)
    return {"records": records, "has_more": len(found) > last}


def _named(model, name, domain, limit):
    """Ids and names of the records that a person calls so, as their model ranks them."""
    found = {}
    for form in text_forms.forms(name):
        pattern = text_forms.literal(form)
        if pattern == form:
            found.update(model.name_search(form, domain, limit=limit))
            continue
        # the text itself finds codes that equal it, yet reads its wildcards as such; the pattern finds the rest
        meant = [*domain, ("display_name", "ilike", pattern)]
        found.update(model.name_search(form, meant, limit=limit))
        found.update({key: name for key, name in model.name_search(pattern, domain, limit=limit) if key not in found})
    if len(found) < limit and filtered_pages.filters_in_python(model, domain):
        page, _more = filtered_pages.scan_page(
            model, [*domain, ("display_name", "ilike", text_forms.literal(name))], limit
        )
        found.update({record.id: record.display_name for record in page if record.id not in found})
    return list(found.items())[:limit]


def search_count(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    domain = domains.checked_domain(model, step["domain"])
    return _noted(model, step, {"count": _searched(model, domain, lambda: model.search_count(domain))})


def read(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    asked, parts = value_slices.parsed(step["fields"])
    names, skipped = select_fields(model, asked)
    found = readable(model, step["ids"], names)
    answer = serialized(found, names, skipped)
    value_slices.applied(answer["records"], parts)
    present = {row["id"] for row in answer["records"]}
    missing = [record_id for record_id in step["ids"] if record_id not in present]
    return {**answer, "missing": missing}


# === Shared with other operations ===


def select_fields(model, asked):
    """The names to read and those that the user may not: the latter are named, not refused."""
    closed = field_reach.unreachable_fields(model).keys() | secret_fields.names_of(model)
    if asked is None:
        return ranking.defaults(model, lambda name: _readable(model, name, closed)), []
    names, skipped = [], []
    for name in dict.fromkeys(asked):
        if name not in model._fields:
            raise domains.unknown(model, name)
        (names if _readable(model, name, closed) else skipped).append(name)
    return names, skipped


def _readable(model, name, closed):
    field = model._fields[name]
    if not model._has_field_access(field, "read") or name in closed:
        return False
    if field.type not in ("one2many", "many2many") or field.bypass_search_access:
        return True
    # else Odoo would refuse the whole read
    return model.env[field.comodel_name].has_access("read")


def fetch(model, domain, names, limit, offset=0, order=None):
    """A page of records with these fields in the cache, and whether there are more behind it."""
    # one record more than requested shows whether there are more, without a second query
    searching = model.with_context(**_NO_PREFETCH)
    found = _searched(
        model, domain, lambda: _fetched(searching, domain, names, offset=offset, limit=limit + 1, order=order)
    )
    # an offset counts what was there before the filter
    if (offset or len(found) <= limit) and filtered_pages.filters_in_python(searching, domain):
        found, has_more = filtered_pages.scan_page(searching, domain, limit, offset, order)
        return found.with_env(model.env), has_more
    return found[:limit].with_env(model.env), len(found) > limit


def _fetched(model, domain, names, **page):
    """Records with these fields in the cache, or with none of them where one can't be fetched."""
    # binary content stays where it is: only its size is answered
    cached = [name for name in names if model._fields[name].type != "binary"]
    try:
        with partial_read.savepoint_where_needed(model, cached):
            return model.search_fetch(domain, cached, **page)
    except Exception as exc:
        if not cached or not partial_read.is_of_one_field(exc):
            raise
        failed = exc
    try:
        return model.search_fetch(domain, [], **page)
    except errors.InFailedSqlTransaction as exc:
        raise failed from exc


def readable(model, ids, names=()):
    """The records among these ids that exist and that the user may read, in the order of the ids."""
    everything = model.with_context(active_test=False, **_NO_PREFETCH)
    found = set(_fetched(everything, [("id", "in", ids)], names)._ids)
    return model.browse([record_id for record_id in ids if record_id in found])


def require_readable(model, ids):
    """All records of these ids, or ``not_found``: missing and unreadable ones look alike."""
    records = readable(model, ids)
    if len(records) < len(ids):
        present = set(records._ids)
        raise faults.not_found(model._name, [record_id for record_id in ids if record_id not in present])
    return records


def serialized(records, names, skipped):
    """The records as rows, the fields that are not in them, and why where it is no matter of rights to the field."""
    records = for_reading(records)
    met = field_reach.unreadable_computed(records, names)
    rows, reasons = partial_read.rows(records, [name for name in names if name not in met])
    homonyms.mark_rows(records, rows, [name for name in names if name not in met and name not in reasons])
    answer = {"records": rows, "skipped_fields": [*skipped, *met, *reasons]}
    if reasons:
        answer["skipped_reasons"] = reasons
    return answer


def for_reading(records):
    """``active_test`` is meant for the search, not for the relations of what it found, as in Odoo's search_read."""
    if "active_test" not in records.env.context:
        return records
    context = {key: value for key, value in records.env.context.items() if key != "active_test"}
    return records.with_context(context)


def _searched(model, domain, search):
    try:
        return search()
    except conditions.VALUE_ERRORS as exc:
        # the fields are known to be right, so what is left is a value that doesn't fit
        raise faults.invalid_domain(model._name, domain, _reason(exc, domain)) from exc


def _reason(exc, domain):
    if isinstance(exc, (psycopg2.Error, ArithmeticError, AssertionError, AttributeError, NotImplementedError)):
        return "A value of the domain doesn't fit its field, or the field is not searched with this operator."
    if isinstance(exc, RecursionError):
        return "The domain is nested too deeply."
    return f"Odoo can't search with this domain: {quoted_message(exc, domain)}"
