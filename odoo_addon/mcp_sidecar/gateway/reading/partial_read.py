"""Graceful degradation of a read: a field that fails is left out and named, the rest is read.

Odoo reads all fields together or none. Where that fails, each is tried by itself.
"""

import contextlib
import logging

import psycopg2
from psycopg2 import errors

from odoo.exceptions import AccessError, UserError

from ...exceptions import GatewayError
from ..quoting import line
from ..rpc import faults
from ..values import outputs

_logger = logging.getLogger(__name__)

# What is no field's fault: the call is refused, repeated or ended.
_NOT_TOLERATED = (*faults.RETRIED, GatewayError, faults.CommitRefused, psycopg2.OperationalError)
_MAX_CHARS = 200


@contextlib.contextmanager
def savepoint_where_needed(model, names):
    """Keeps the transaction usable where SQL may fail: in a view without one of its columns, in what is computed."""
    if model._auto and all(model._fields[name].store for name in names):
        yield
    else:
        # some that compute write to other records, which shows when that is flushed
        with model.env.cr.savepoint():
            yield


def is_of_one_field(exc):
    return not isinstance(exc, _NOT_TOLERATED)


def rows(records, names):
    """The records as rows, and by name why a field is not in them."""
    try:
        with savepoint_where_needed(records, names):
            return outputs.rows(records, names), {}
    except Exception as exc:
        if not is_of_one_field(exc) or not names:
            raise
    return _one_by_one(records, names)


def _one_by_one(records, names):
    # else Odoo would load the others with each of them
    records = records.with_context(prefetch_fields=False)
    readable, reasons = [], {}
    for name in names:
        try:
            with records.env.cr.savepoint():
                outputs.rows(records, [name])
        except Exception as exc:
            if not is_of_one_field(exc):
                raise
            reasons[name] = _reason(records, name, exc)
        else:
            readable.append(name)
    return outputs.rows(records, readable), reasons


def _reason(records, name, exc):
    if isinstance(exc, AccessError):
        return "It is made of records or fields that this user may not read."
    if isinstance(exc, errors.ReadOnlySqlTransaction):
        return "Computing it would change something, which reading may not do."
    if isinstance(exc, UserError) and exc.args and exc.args[0]:
        return line(exc.args[0], _MAX_CHARS)
    _logger.warning("Odoo fails to read %s of %s", name, records._name, exc_info=exc)
    return "Odoo fails to read it."
