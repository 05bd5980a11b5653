"""Pagination of models that filter query results in Python, such as messages, whose readers depend on a document.

Odoo applies limit and offset to the query, so that a page of these models may be short though more follow.
"""

from ..rpc import faults

_MIN_SLICE_ROWS = 100
_MAX_SLICE_ROWS = 2000
# Enough for any page that is of use.
_MAX_SCANNED_ROWS = 50_000


def filters_in_python(model, domain):
    """Whether the model filters what was found. Where it doesn't, its query has not run yet."""
    if not _overrides_search(model):
        return False
    query = model._search(domain, limit=1)
    return query._ids is not None


def _overrides_search(model):
    base = model.env.registry["base"]
    return any("_search" in vars(part) and not issubclass(base, part) for part in type(model).__mro__)


def scan_page(model, domain, limit, offset=0, order=None):
    """The page of readable records, and whether there are more behind it."""
    wanted = offset + limit + 1
    # sudo: as many rows as there are to go through, of which no more than that is learnt
    rows = model.sudo().search_count(domain)
    found, start, size = {}, 0, max(_MIN_SLICE_ROWS, wanted)
    while len(found) < wanted and start < rows:
        if start > _MAX_SCANNED_ROWS:
            message = f"Too few of the first {_MAX_SCANNED_ROWS} records may be read by this user: narrow the domain."
            raise faults.bad_request("domain", message)
        size = min(size, max(_MAX_SLICE_ROWS, wanted))
        found.update(dict.fromkeys(model.search(domain, offset=start, limit=size, order=order)._ids))
        start, size = start + size, size * 2
    ids = list(found)
    return model.browse(ids[offset : offset + limit]), len(ids) > offset + limit
