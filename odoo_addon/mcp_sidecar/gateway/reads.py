"""Reading records: search, read, count and search by name."""

import psycopg2

from . import confinement, domains, exits, faults, policy, ranking, secret_fields, values
from .quoting import foreign

# Record rules read a field or two of companies and users; each time Odoo would load all columns of these.
_NO_PREFETCH = {"prefetch_fields": False}


def search_read(env, step):
    model = policy.model_of(env, step["model"], "read")
    domain = domains.checked_domain(model, step["domain"])
    order = domains.checked_order(model, step["order"])
    names, skipped = chosen_fields(model, step["fields"])
    records, has_more = fetch(model, domain, names, step["limit"], step["offset"], order)
    rows, skipped = answered(records, names, skipped)
    answer = {"records": rows, "has_more": has_more, "skipped_fields": skipped}
    if step["total"]:
        answer["total"] = _total(model, domain, step, len(records), has_more)
    return answer


def _total(model, domain, step, found, has_more):
    if not has_more and (found or not step["offset"]):
        # the last page says how many there are
        return step["offset"] + found
    return _searched(model, domain, lambda: model.search_count(domain))


def name_search(env, step):
    model = policy.model_of(env, step["model"], "read")
    exits.require(model, "display_name")
    domain = domains.checked_domain(model, step["domain"])
    limit = step["limit"]
    found = _searched(model, domain, lambda: model.name_search(step["name"], domain, limit=limit + 1))
    names = dict(found[:limit])
    if confinement.active(env.cr):
        names = values.names(model, list(names))
    records = [{"id": record_id, "display_name": name or None} for record_id, name in names.items()]
    return {"records": records, "has_more": len(found) > limit}


def search_count(env, step):
    model = policy.model_of(env, step["model"], "read")
    domain = domains.checked_domain(model, step["domain"])
    return {"count": _searched(model, domain, lambda: model.search_count(domain))}


def read(env, step):
    model = policy.model_of(env, step["model"], "read")
    names, skipped = chosen_fields(model, step["fields"])
    found = visible(model, step["ids"], names)
    rows, skipped = answered(found, names, skipped)
    present = {row["id"] for row in rows}
    missing = [record_id for record_id in step["ids"] if record_id not in present]
    return {"records": rows, "missing": missing, "skipped_fields": skipped}


# === Shared with other operations ===


def chosen_fields(model, asked):
    """The names to read and those that the user may not: the latter are named, not refused."""
    closed = exits.of(model).keys() | secret_fields.of(model)
    if asked is None:
        readable = [name for name in ranking.ranked(model) if _readable(model, name, closed)]
        return ranking.defaults(model, readable), []
    names, skipped = [], []
    for name in dict.fromkeys(asked):
        if name not in model._fields:
            raise faults.unknown_field(model._name, name)
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
    # binary content stays where it is: only its size is answered
    cached = [name for name in names if model._fields[name].type != "binary"]
    # one record more than asked tells whether there are more, without a second query
    searching = model.with_context(**_NO_PREFETCH)
    found = _searched(
        model, domain, lambda: searching.search_fetch(domain, cached, offset=offset, limit=limit + 1, order=order)
    )
    return found[:limit].with_env(model.env), len(found) > limit


def visible(model, ids, names=()):
    """The records among these ids that exist and that the user may read, in the order of the ids."""
    everything = model.with_context(active_test=False, **_NO_PREFETCH)
    cached = [name for name in names if model._fields[name].type != "binary"]
    found = set(everything.search_fetch([("id", "in", ids)], cached)._ids)
    return model.browse([record_id for record_id in ids if record_id in found])


def require_visible(model, ids):
    """All records of these ids, or ``not_found``: missing and unreadable ones look alike."""
    records = visible(model, ids)
    if len(records) < len(ids):
        present = set(records._ids)
        raise faults.not_found(model._name, [record_id for record_id in ids if record_id not in present])
    return records


def answered(records, names, skipped):
    """The records as rows, and the fields that are not in them."""
    records = for_reading(records)
    met = exits.met(records, names)
    return values.rows(records, [name for name in names if name not in met]), [*skipped, *met]


def for_reading(records):
    """``active_test`` is meant for the search, not for the relations of what it found, as in Odoo's search_read."""
    if "active_test" not in records.env.context:
        return records
    context = {key: value for key, value in records.env.context.items() if key != "active_test"}
    return records.with_context(context)


def _searched(model, domain, search):
    try:
        return search()
    except (ValueError, TypeError, OverflowError, RecursionError, NotImplementedError, psycopg2.DataError) as exc:
        # the fields are known to be right, so what is left is a value that doesn't fit
        raise faults.invalid_domain(model._name, domain, _reason(exc, domain)) from exc


def _reason(exc, domain):
    if isinstance(exc, psycopg2.DataError):
        return foreign(exc.diag.message_primary or "", domain) or "A value of the domain doesn't fit its field."
    if isinstance(exc, RecursionError):
        return "The domain is nested too deeply."
    return f"Odoo can't search with this domain: {foreign(exc, domain)}"
