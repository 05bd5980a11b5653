"""Transaction guard of a call: savepoint, read-only mode, statement timeout and deadline.

``guarded`` wraps a savepoint around a call. It makes reading calls read-only in the database itself, bounds the time of
each statement, keeps the call's code from committing, and leaves a usable cursor behind when something fails, so that
the failure can be translated. All is sent in one round trip at the start and in one at the end. Who is calling can be
asked along with the start, since a round trip to the database is much of what a small call costs.
"""

import contextlib
import math
import time

import psycopg2
from psycopg2 import errors

from .rpc import faults

_BOUND = "SET LOCAL statement_timeout = %s"
_READ_ONLY = "SET TRANSACTION READ ONLY; " + _BOUND
_OPEN_READ = 'SAVEPOINT "mcp_call"; ' + _READ_ONLY
_OPEN_WRITE = 'SAVEPOINT "mcp_call"; ' + _BOUND
_ENABLED = "; SELECT (SELECT enabled FROM mcp_server_settings LIMIT 1)"
# a row also where the question has no answer
_ENABLED_AND = _ENABLED + ", asked.* FROM (SELECT) AS one LEFT JOIN {} AS asked ON TRUE"
# going back also takes back what was SET
_UNDO = 'ROLLBACK TO SAVEPOINT "mcp_call"'
_RESTART = _UNDO + "; " + _READ_ONLY
_CLOSE_READ = _UNDO + '; RELEASE SAVEPOINT "mcp_call"'
_CLOSE_WRITE = 'RELEASE SAVEPOINT "mcp_call"; SET LOCAL statement_timeout TO DEFAULT'

_STARTED = "_mcp_call_started"


class Deadline:
    """How long a call may take, counted from its first try."""

    def __init__(self, deadline_ms, started):
        self.deadline_ms = deadline_ms
        self._end = started + deadline_ms / 1000

    @property
    def remaining_ms(self):
        return math.ceil((self._end - time.monotonic()) * 1000)

    @property
    def has_passed(self):
        return self.remaining_ms <= 0

    def check(self):
        if self.has_passed:
            raise faults.deadline(self.deadline_ms)


@contextlib.contextmanager
def call_started(cr):
    """The instant at which a call began, the same in each of Odoo's retries."""
    # The cursor is the one thing that all tries share and nothing else does.
    instant = vars(cr).setdefault(_STARTED, time.monotonic())
    try:
        yield instant
    except faults.RETRIED:
        raise
    except BaseException:
        vars(cr).pop(_STARTED, None)
        raise
    vars(cr).pop(_STARTED, None)


class Guard:
    """The open savepoint of a call."""

    def __init__(self, env, deadline, read_only, question):
        self.env = env
        self._read_only = read_only
        # the answer to the question, all empty where there is none
        self.answer = ()
        self._timeout_ms = self._open(deadline, question)

    def _open(self, deadline, question):
        deadline.check()
        timeout = deadline.remaining_ms
        opening = _OPEN_READ if self._read_only else _OPEN_WRITE
        asking, arguments = (_ENABLED_AND.format(question[0]), question[1]) if question else (_ENABLED, [])
        self.env.cr.execute(opening + asking, [timeout, *arguments])
        enabled, *self.answer = self.env.cr.fetchone()
        if not enabled:
            self.undo()
            raise faults.disabled()
        return timeout

    def bound(self, deadline):
        """Bounds the following statements by another call's deadline."""
        deadline.check()
        if deadline.remaining_ms < self._timeout_ms / 2:
            self._timeout_ms = deadline.remaining_ms
            self.env.cr.execute(_BOUND, [self._timeout_ms])

    def undo(self):
        """Takes back all of the call; the cursor works again afterwards."""
        self.env.cr.clear()
        self.env.cr.execute(_CLOSE_READ)

    def restart(self):
        """Undoes what failed and makes room for the next call, under the same bounds."""
        self.env.cr.clear()
        self.env.cr.execute(_RESTART, [self._timeout_ms])

    def close(self):
        self.env.cr.execute(_CLOSE_READ if self._read_only else _CLOSE_WRITE)


@contextlib.contextmanager
def guarded(env, deadline, read_only, question=None):
    """Runs the block as one call: all or nothing, and nothing at all while the master switch is off.

    A question is what stands behind FROM, and its arguments; the guard holds the answer.
    """
    guard = Guard(env, deadline, read_only, question)
    try:
        with _no_commit(env.cr):
            yield guard
            # constraints that only show when pending changes are written belong to the call
            env.cr.flush()
    except faults.RETRIED:
        raise
    except BaseException as exc:
        # a lost connection can't be rolled back, and its error is the one to report
        with contextlib.suppress(psycopg2.Error):
            guard.undo()
        if isinstance(exc, errors.QueryCanceled) and deadline.has_passed:
            raise faults.deadline(deadline.deadline_ms) from exc
        raise
    guard.close()
    deadline.check()


def in_call(cr):
    """Whether what runs on this cursor was set off by an AI tool."""
    return vars(cr).get("commit") is _refuse


@contextlib.contextmanager
def scoped_value(cr, name, value):
    """Keeps a value on the cursor, where all of a call finds it, as long as the block runs."""
    before = vars(cr).get(name)
    vars(cr)[name] = value
    try:
        yield
    finally:
        vars(cr)[name] = before


@contextlib.contextmanager
def _no_commit(cr):
    """Code that commits would make permanent what a failure has to take back."""
    attributes = vars(cr)
    before = {name: attributes[name] for name in ("commit", "rollback") if name in attributes}
    attributes.update(commit=_refuse, rollback=_refuse)
    try:
        yield
    finally:
        for name in ("commit", "rollback"):
            del attributes[name]
        attributes.update(before)


def _refuse():
    raise faults.CommitRefused()
