"""Disambiguation: records of one answer that have the same name come with their company.

Their ids stand beside the names in any case, and distinguish those of one company.
"""

from collections import defaultdict

from odoo.exceptions import AccessError, MissingError

from ..policy import field_reach

_COMPANY_FIELDS = ("company_id", "company_ids")
_NAME_FIELDS = ("name", "complete_name")
_NAME_KEYS = ("display_name", "name")


def mark_rows(records, rows, names):
    """Marks the rows themselves, by what they are called, and the records that they link to."""
    called = defaultdict(list)
    own = next((name for name in ("display_name", records._rec_name, *_NAME_FIELDS) if name in names), None)
    if own and "company_id" not in names:
        # some are called like another record, which is a link then
        called[records._name] += [(row["id"], row[own], row) for row in rows if isinstance(row.get(own), str)]
    for name in names:
        field = records._fields[name]
        if field.type in ("many2one", "reference"):
            links = [row[name] for row in rows if isinstance(row.get(name), dict)]
            for link in links:
                called[link.get("model", field.comodel_name)].append((link["id"], link["name"], link))
    for model_name, entries in called.items():
        _mark(records.env[model_name], entries)


def mark_named(model, named):
    """Marks objects that hold the id and the name of a record of this model."""
    entries = [(item["id"], next(item[key] for key in _NAME_KEYS if key in item), item) for item in named]
    _mark(model, entries)


def _mark(model, entries):
    ids = defaultdict(set)
    for record_id, name, _item in entries:
        ids[name].add(record_id)
    if len(ids) == len(set().union(*ids.values())):
        return
    shared = {name for name, called_so in ids.items() if name and len(called_so) > 1}
    companies = _companies(model, set().union(*(ids[name] for name in shared)))
    for record_id, name, item in entries:
        if name in shared and any(companies.get(other) for other in ids[name]):
            # none: it belongs to all of them
            item["company"] = companies.get(record_id)


def _companies(model, ids):
    """The names of the companies that the records belong to, by id."""
    name = next((name for name in _COMPANY_FIELDS if _leads_to_companies(model, name)), None)
    return {record_id: _company(model, record_id, name) for record_id in ids} if name else {}


def _leads_to_companies(model, name):
    field = model._fields.get(name)
    return (
        field is not None and field.comodel_name == "res.company" and name not in field_reach.unreachable_fields(model)
    )


def _company(model, record_id, name):
    # sudo: as the name of what a record links to, see `outputs.names`
    record = model.sudo().browse(record_id)
    try:
        return ", ".join(record[name].mapped("name")) or None
    except (AccessError, MissingError):
        return None
