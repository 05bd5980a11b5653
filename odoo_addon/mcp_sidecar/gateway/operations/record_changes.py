"""Snapshots before and after a method: what it changed in its records, as its own answer is often only false."""

from odoo.exceptions import AccessError, MissingError, UserError
from odoo.orm.models import LOG_ACCESS_COLUMNS, MAGIC_COLUMNS

from ..policy import field_reach
from ..reading import homonyms, partial_read, read
from ..values import outputs

_WATCHED = frozenset(
    {"boolean", "char", "date", "datetime", "float", "integer", "many2one", "monetary", "reference", "selection"}
)
_TECHNICAL = ("activity_", "message_", "access_", "has_message", "rating_")
# More records are not looked at, as it would take long, or not named; more fields are nothing to read.
_MAX_RECORDS = 10
_MAX_NAMED = 100
_MAX_FIELDS = 20
_MAX_SHOWN = 200
_STATES = ("state", "stage_id", "status")


def named(records):
    """Each record as its id and its name: as much as is known of one that is about to be deleted."""
    rows = [{"id": record.id, "display_name": _name(record)} for record in records]
    homonyms.mark_named(records, rows)
    return rows


def _name(record):
    if "display_name" in field_reach.unreachable_fields(record):
        return None
    try:
        return record.display_name or None
    except (AccessError, MissingError):
        # who may create or change a record need not be able to see it afterwards
        return None


class Snapshot:
    """The stored fields of some records, before and after a method."""

    def __init__(self, records):
        self._named = records[:_MAX_NAMED]
        self._records = records if len(records) <= _MAX_RECORDS else records.browse()
        names = [name for name, field in records._fields.items() if _is_watched(name, field)]
        self._names, _skipped = read.select_fields(records, names) if self._records else ([], [])
        self._before = self._seen()
        self._called = {row["id"]: row for row in named(self._records)}

    def now(self):
        """What each of the records that are still there is called, and what state it is in."""
        there = self._named.exists()
        names, _skipped = read.select_fields(there, [name for name in _STATES if name in there._fields][:1])
        rows = named(there)
        found = read.readable(there.browse(), there._ids, names) if names else there.browse()
        states = {row["id"]: row for row in outputs.rows(found, names)}
        return [row | states.get(row["id"], {}) for row in rows]

    def changes(self):
        """For each record that changed: its name, and the fields that changed with their values now."""
        if not self._before:
            return []
        self._records.env.cr.flush()
        after = self._seen() or {}
        there = set(self._records.exists()._ids)
        return [
            change
            for record_id, before in self._before.items()
            if (change := self._change(record_id, before, after.get(record_id), record_id in there))
        ]

    def _seen(self):
        try:
            found = read.readable(self._records.browse(), self._records._ids)
            rows, _reasons = partial_read.rows(found, self._names)
        except (AccessError, MissingError, UserError):
            # what can't be read can't be compared
            return None
        return {row["id"]: row for row in rows}

    def _change(self, record_id, before, after, is_there):
        if not is_there:
            return {**self._called[record_id], "deleted": True}
        if after is None:
            return None
        names = [name for name in before if before[name] != after.get(name)]
        if not names:
            return None
        shown = {name: _cut(after.get(name)) for name in names[:_MAX_FIELDS]}
        more = {"more_fields": len(names) - _MAX_FIELDS} if len(names) > _MAX_FIELDS else {}
        return {"id": record_id, "display_name": _name(self._records.browse(record_id)), **shown, **more}


def _is_watched(name, field):
    if name in MAGIC_COLUMNS or name in LOG_ACCESS_COLUMNS or name.startswith(_TECHNICAL):
        return False
    return field.store and field.type in _WATCHED


def _cut(value):
    return outputs.plain(value[:_MAX_SHOWN] + "…") if isinstance(value, str) and len(value) > _MAX_SHOWN else value
