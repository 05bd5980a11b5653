"""The operation `traverse`: follows relations between records, with the user's rights at every step."""

from ..policy import call_rules
from ..rpc import faults
from ..search import domains
from . import read

# On the way as many records as are quickly read; the last ones come in pages.
_MOST_ON_THE_WAY = 10_000


def traverse(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    records = read.require_readable(model, step["ids"])
    trail = []
    for name in step["path"]:
        _require_few(records, name)
        records = _followed(records, name)
        trail.append({"field": name, "model": records._name, "count": len(records)})
    return {"model": records._name, "trail": trail, **_page(records, step)}


def _followed(records, name):
    field = domains.readable_field(records, name)
    if not field.relational:
        message = f"The field {name} of {records._name} leads to no records."
        raise faults.unknown_field(records._name, name, message)
    comodel = domains.comodel_of(records.env, field)
    reached = records.mapped(name)
    # a many2one may refer to a record that the user may not read
    return comodel.browse(read.readable(comodel, list(reached._ids))._ids)


def _require_few(records, name):
    if len(records) > _MOST_ON_THE_WAY:
        message = (
            f"The path leads to {len(records)} records of {records._name}, and {name} is followed from at most "
            f"{_MOST_ON_THE_WAY}: start from fewer ids, or search_read the last model by a condition on the path back."
        )
        raise faults.bad_request("path", message)


def _page(records, step):
    model = records.browse()
    asked = domains.checked_domain(model, step["domain"])
    names, skipped = read.select_fields(model, step["fields"])
    # the path has decided which records are meant, archived ones included
    page, has_more = read.fetch(
        model.with_context(active_test=False),
        [("id", "in", records.ids), *asked],
        names,
        step["limit"],
        step["offset"] or 0,
    )
    return {**read.serialized(page.with_env(model.env), names, skipped), "has_more": has_more}
