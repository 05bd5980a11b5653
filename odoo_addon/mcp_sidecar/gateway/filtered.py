"""Pages of models that filter in Python what their query found, such as messages, whose readers depend on a document.

Odoo applies limit and offset to the query, so that a page of these models may be short though more follow.
"""

from . import faults

_SMALLEST = 100
_LARGEST = 2000
# Enough for any page that is of use.
_MOST_SCANNED = 50_000


def after_the_limit(model, domain):
    """Whether the model filters what was found. Where it doesn't, its query has not run yet."""
    if not _searches_its_own_way(model):
        return False
    query = model._search(domain, limit=1)
    return query._ids is not None


def _searches_its_own_way(model):
    base = model.env.registry["base"]
    return any("_search" in vars(part) and not issubclass(base, part) for part in type(model).__mro__)


def page(model, domain, limit, offset=0, order=None):
    """The page of readable records, and whether there are more behind it."""
    wanted = offset + limit + 1
    # sudo: as many rows as there are to go through, of which no more than that is learnt
    rows = model.sudo().search_count(domain)
    found, start, size = {}, 0, max(_SMALLEST, wanted)
    while len(found) < wanted and start < rows:
        if start > _MOST_SCANNED:
            message = f"Too few of the first {_MOST_SCANNED} records may be read by this user: narrow the domain."
            raise faults.bad_request("domain", message)
        size = min(size, max(_LARGEST, wanted))
        found.update(dict.fromkeys(model.search(domain, offset=start, limit=size, order=order)._ids))
        start, size = start + size, size * 2
    ids = list(found)
    return model.browse(ids[offset : offset + limit]), len(ids) > offset + limit
