"""Error translation: an exception of Odoo or PostgreSQL becomes a fault; no sentence of PostgreSQL leaves here.

Any other exception becomes ``internal``, whose details stay in Odoo's log.
"""

from typing import NamedTuple

import psycopg2
from psycopg2 import errors

from odoo.exceptions import AccessDenied, AccessError, RedirectWarning, UserError

from ...exceptions import GatewayError, ModelDenied
from ..quoting import quoted, quoted_message
from ..rpc import faults
from . import constraints, transient
from .locations import Located


class Place(NamedTuple):
    """Where something went wrong, as far as it is known."""

    model: str | None = None
    operation: str | None = None  # the access right that it took
    method: str | None = None
    deadline_ms: int | None = None


def translate(exc, env, place=Place()):  # noqa: B008, it is immutable
    """The fault to answer for an exception; the cursor has to be usable again, unless the connection is lost."""
    if isinstance(exc, Located):
        return exc.of(translate(exc.__cause__, env, place))
    if isinstance(exc, GatewayError):
        return exc
    database = _database_error(exc)
    if database is not None and transient.is_temporary(database):
        return _outage(database, place)
    if isinstance(exc, (UserError, RedirectWarning)):
        return _refusal(exc, database, env, place)
    # code of others, such as that of a server action, is run by code that raises an error of its own
    cause = next((cause for cause in _chain(exc) if isinstance(cause, (GatewayError, faults.CommitRefused))), None)
    if isinstance(cause, GatewayError):
        return cause
    if cause is not None:
        message = f"{place.method} of {place.model} ends the transaction by itself, which a call may not do."
        return faults.method_denied(place.model, place.method, message)
    return _of_database(database, env, place) or faults.internal(exc)


def _chain(exc):
    """The exception and those that it was raised for, each once: an exception can be its own cause."""
    seen = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


# === What Odoo refuses ===


def _refusal(exc, database, env, place):
    refusals = [cause for cause in _chain(exc) if isinstance(cause, (GatewayError, ModelDenied))]
    # Odoo words some refusals anew, and shows a template that fails with its traceback
    if isinstance(exc, AccessError) and refusals and isinstance(refusals[0], ModelDenied):
        return faults.model_denied(refusals[0].model)
    if refusals and isinstance(refusals[0], GatewayError):
        return refusals[0]
    said = _text(exc)
    if database is not None and _quotes(said, database):
        return _of_database(database, env, place) or faults.internal(exc)
    if isinstance(exc, (AccessError, AccessDenied)):
        return faults.access_denied(place.model, place.operation, said or None)
    return faults.invalid(said or _unsaid(place))


def _text(exc):
    said = exc.args[0] if exc.args else ""
    said = str(said).strip() if said not in (None, False) else ""
    if isinstance(exc, RedirectWarning) and len(exc.args) > 2 and exc.args[2]:
        said = f"{said} In Odoo the button {quoted(exc.args[2])} leads to where this can be put right.".strip()
    return said


def _unsaid(place):
    what = f"{place.method} of {place.model}" if place.model else "this call"
    return f"{what} was refused without a reason: read the record, its state and its required fields may not allow it."


def _quotes(said, database):
    """Whether a sentence passes on what PostgreSQL says."""
    parts = (database.diag.message_primary, database.diag.message_detail, str(database).strip())
    return any(part and part in said for part in parts)


# === What the database refuses ===

_UNFIT = {
    "22001": "A text is longer than the database can store here.",
    "22003": "A number is out of the range that the database can store here.",
    "22007": "A date or time does not have a form that the database knows.",
    "22008": "A date or time is out of the range that the database can store.",
    "22012": "The database would have to divide by zero.",
    "2201W": "A limit must not be negative.",
    "2201X": "An offset must not be negative.",
    "22P02": "A text was sent where the database needs another type, such as a number.",
}


def _database_error(exc):
    """The first error of the database, not those that only say that one came before."""
    found = [cause for cause in _chain(exc) if isinstance(cause, psycopg2.Error)]
    first = [cause for cause in found if not isinstance(cause, errors.InFailedSqlTransaction)]
    return (first or found or [None])[0]


def _outage(exc, place):
    if isinstance(exc, errors.QueryCanceled) and place.deadline_ms is not None:
        return faults.deadline(place.deadline_ms)
    return faults.unavailable()


def _of_database(exc, env, place):
    """The fault for an error of the database that the caller can do something about, if it is one."""
    if isinstance(exc, errors.ReadOnlySqlTransaction):
        message = f"{place.method} of {place.model} would change something, which a reading call may not do."
        return faults.method_denied(place.model, place.method, message)
    if isinstance(exc, psycopg2.IntegrityError):
        return faults.invalid(constraints.sentence(env, exc))
    if isinstance(exc, psycopg2.DataError):
        return faults.invalid(_UNFIT.get(exc.pgcode) or _raised(exc) or "The database can't take one of the values.")
    return None


def _raised(exc):
    # psycopg2 itself says what it can't send
    return quoted_message(exc) if exc.pgcode is None else None
