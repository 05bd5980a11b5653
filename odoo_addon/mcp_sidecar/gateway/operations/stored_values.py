"""Read-back of a change: what was stored differently from what was sent.

Odoo rounds, sanitizes, synchronizes, and drops what an inverse doesn't care for, and says nothing of it.
"""

import math
from datetime import date, datetime

from odoo.models import BaseModel

from ..fields import html, x2many_lines
from ..reading import read
from ..values import binary_size, outputs

# A text is shown to point out the difference, not to be read.
_MAX_SHOWN = 200
# What is not compared: their own operation checks properties.
_NOT_COMPARED = frozenset({"properties", "properties_definition"})


def differences(records, sent):
    """By record id: the fields whose stored value is not the one that was sent, with the stored value.

    :param sent: for each of the records, the values in the form that Odoo's ORM takes
    """
    names = [name for name in dict.fromkeys(name for given in sent for name in given) if _is_compared(records, name)]
    names, _skipped = read.select_fields(records, names)
    if not names:
        return {}
    records.env.cr.flush()
    # what was assigned is still in the cache, whether it was stored or not
    records.invalidate_recordset(names, flush=False)
    given = dict(zip(records._ids, sent, strict=True))
    found = read.readable(records.browse(), records._ids, names)
    changed = {record: [n for n in names if n in given[record.id] and _differs(record, n, given)] for record in found}
    return {record.id: _shown(record, differing) for record, differing in changed.items() if differing}


def _is_compared(records, name):
    return records._fields[name].type not in _NOT_COMPARED


def _differs(record, name, given):
    field, sent = record._fields[name], given[record.id][name]
    return not _COMPARISONS.get(field.type, _is_equal)(record, field, sent)


def _shown(record, names):
    [row] = outputs.rows(record, names)
    del row["id"]
    return {name: _cut(value) for name, value in row.items()}


def _cut(value):
    return f"{value[:_MAX_SHOWN]}…" if isinstance(value, str) and len(value) > _MAX_SHOWN else value


# === Comparisons, one kind of field each ===


def _is_equal(record, field, sent):
    value = record[field.name]
    if isinstance(value, datetime):
        value = value.strftime("%Y-%m-%d %H:%M:%S")
    elif isinstance(value, date):
        value = value.isoformat()
    elif isinstance(value, BaseModel):
        value = f"{value._name},{value.id}" if field.type == "reference" and value else value.id
    return (value or False) == (sent or False)


def _is_number(record, field, sent):
    return math.isclose(record[field.name], sent or 0, rel_tol=1e-12, abs_tol=1e-12)


def _is_html(record, field, sent):
    return html.is_same(sent or "", record[field.name] or "")


def _is_there(record, field, sent):
    # an image is scaled down and written anew, so only that there is one can be compared
    return bool(binary_size.sizes(record, field).get(record.id)) == bool(sent)


def _has_links(record, field, sent):
    ids = set(record.with_context(active_test=False)[field.name]._ids)
    expected, excluded, exactly = set(), set(), False
    for kind, line, given in sent or ():
        if kind in (x2many_lines.SET, x2many_lines.CLEAR):
            expected, excluded, exactly = set(given or ()), set(), True
        elif kind == x2many_lines.LINK:
            expected.add(line)
            excluded.discard(line)
        elif kind in (x2many_lines.UNLINK, x2many_lines.DELETE):
            excluded.add(line)
            expected.discard(line)
        elif kind == x2many_lines.CREATE:
            exactly = False
    return expected <= ids and not excluded & ids and (not exactly or ids == expected)


_COMPARISONS = {
    "float": _is_number,
    "monetary": _is_number,
    "html": _is_html,
    "binary": _is_there,
    "one2many": _has_links,
    "many2many": _has_links,
}
