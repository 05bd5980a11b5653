"""Following relations from some records to others, with the user's rights at every step."""

from . import domains, faults, policy, reads


def traverse(env, step):
    model = policy.model_of(env, step["model"], "read")
    records = reads.require_visible(model, step["ids"])
    trail = []
    for name in step["path"]:
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
    return comodel.browse(reads.visible(comodel, list(reached._ids))._ids)


def _page(records, step):
    model = records.browse()
    asked = domains.checked_domain(model, step["domain"])
    names, skipped = reads.chosen_fields(model, step["fields"])
    # the path has decided which records are meant, archived ones included
    page, has_more = reads.fetch(
        model.with_context(active_test=False), [("id", "in", records.ids), *asked], names, step["limit"]
    )
    return {**reads.answered(page.with_env(model.env), names, skipped), "has_more": has_more}
