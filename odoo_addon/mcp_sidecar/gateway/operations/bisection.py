"""Bisection of a refused change: it is narrowed down to the record of a batch, to the line of a record, to the value.

Odoo says what it refuses, seldom where. The place is found by bisection: parts of the change are tried under
savepoints, and all of it is rolled back with the call.
"""

import contextlib
import time

import psycopg2

from odoo.exceptions import UserError

from ..errors.locations import Located, of_record
from ..fields.x2many_lines import CREATE, UPDATE
from ..rpc import faults
from . import argument_errors, required_fields

# What is no matter of one record.
_OF_THE_CALL = (*faults.RETRIED, faults.CommitRefused, psycopg2.OperationalError, psycopg2.InterfaceError)
_X2MANY = ("one2many", "many2many")
# A refusal without its place is better than one that comes too late.
_PATIENCE_S = 5


class _TooLong(Exception):
    """The place of a refusal is looked for no longer."""


def created(model, given):
    """The new records, of which a refusal names the one that it is about."""

    def create(indexes, changed=None):
        rows = [given[index] if changed is None else changed for index in indexes]
        return _explained(model, rows, lambda: model.create([dict(row) for row in rows]))

    return _Change(model, create, "records[{}]".format).made(list(range(len(given))), given)


def written(records, values):
    def write(ids, changed=None):
        row = values if changed is None else changed
        return _explained(records, [row], lambda: records.browse(ids).write(dict(row)))

    return _Change(records, write, of_record).made(list(records._ids), [values] * len(records))


def deleted(records):
    def delete(ids, changed=None):
        return records.browse(ids).unlink()

    return _Change(records, delete, of_record).made(list(records._ids), [{}] * len(records))


class _Change:
    """A change of one or many records, and its repetition in parts where it is refused."""

    def __init__(self, model, change, place):
        self._model = model
        self._change = change
        self._place = place

    def made(self, items, rows):
        self._begun = time.monotonic()
        if len(items) == 1 and not any(_line_commands(self._model, rows[0])):
            return self._change(items)
        try:
            with self._model.env.cr.savepoint():
                return self._change(items)
        except _OF_THE_CALL:
            raise
        except Exception as exc:
            # what it names as its cause is where it comes from
            raise self._located_in_time(exc, items, rows)  # noqa: B904

    def _located_in_time(self, exc, items, rows):
        try:
            return self._located(exc, items, rows)
        except _TooLong:
            return exc

    def _located(self, exc, items, rows):
        """The same refusal with its place, as far as it can be found."""
        found, failure = self._first_failing(items) if len(items) > 1 else (items[0], exc)
        if found is None:
            return exc
        places = [self._place(found)] if len(items) > 1 else []
        with contextlib.suppress(_TooLong):
            places += self._line(found, rows[items.index(found)], failure)
        for place in reversed(places):
            located = Located(place)
            located.__cause__, failure = failure, located
        return failure

    def _first_failing(self, items):
        """Those before the failing one are carried out, as it may fail because of them."""
        while len(items) > 1:
            half = items[: len(items) // 2]
            items = half if self._refused(half) else items[len(half) :]
        refused = self._refused(items)
        return (items[0], refused) if refused else (None, None)

    def _line(self, item, row, failure):
        """The place of the line that is refused, if it is one: without it the rest is not refused in the same way."""
        for name, indexes in _line_commands(self._model, row):

            def is_refused(kept, name=name, indexes=indexes):
                left_out = set(indexes) - set(kept)
                commands = [command for index, command in enumerate(row[name]) if index not in left_out]
                return _is_same(failure, self._refused([item], {**row, name: commands}, undo=True))

            if not is_refused([]):
                line = _shortest(indexes, is_refused)
                if _is_of_a_row(failure) or not is_refused([index for index in indexes if index != line]):
                    return [f"{name}[{line}]"]
        return []

    def _refused(self, items, changed=None, undo=False):
        """What the change is refused with, or None; undone or not, all of it ends with the call."""
        if time.monotonic() - self._begun > _PATIENCE_S:
            raise _TooLong
        savepoint = self._model.env.cr.savepoint()
        try:
            with savepoint:
                self._change(items, changed)
                self._model.env.cr.flush()
                if undo:
                    savepoint.rollback()
        except _OF_THE_CALL:
            raise
        except Exception as exc:
            return exc
        return None


def _line_commands(model, row):
    """Names of fields with the positions of the commands that hold values of lines."""
    for name, value in row.items():
        if model._fields[name].type in _X2MANY and isinstance(value, list):
            indexes = [index for index, command in enumerate(value) if command[0] in (CREATE, UPDATE)]
            if indexes:
                yield name, indexes


def _shortest(indexes, is_refused):
    """The last of the fewest positions, from the first on, that are refused."""
    low, high = 0, len(indexes) - 1
    while low < high:
        middle = (low + high) // 2
        if is_refused(indexes[: middle + 1]):
            high = middle
        else:
            low = middle + 1
    return indexes[low]


def _is_same(failure, other):
    return other is not None and _identity(failure) == _identity(other)


def _identity(exc):
    if isinstance(exc, psycopg2.Error):
        return type(exc), exc.diag.table_name, exc.diag.column_name, exc.diag.constraint_name
    return type(exc), str(exc)


def _is_of_a_row(exc):
    """Whether each row is refused for itself; what Odoo's code refuses may be about all of them together."""
    return isinstance(exc, psycopg2.Error)


# === Which value, or which missing field ===


def _explained(model, rows, change):
    """Names the value that an unexpected error is about, or the required fields that it may come from."""
    try:
        result = change()
        model.env.cr.flush()
    except (*_OF_THE_CALL, UserError, psycopg2.IntegrityError):
        raise
    except Exception as exc:
        # labels are looked up, which the database does not do after an error of its own
        is_new = not model and not isinstance(exc, psycopg2.Error)
        if is_new and (lacking := required_fields.lacking(model, rows)):
            raise faults.invalid(lacking) from exc
        sent = {name: value for row in rows for name, value in row.items()}
        sentence = argument_errors.argument_error(exc, sent) or argument_errors.singleton(exc, model)
        if sentence is None:
            raise
        raise faults.invalid(f"{model._name}: {sentence}") from exc
    return result
