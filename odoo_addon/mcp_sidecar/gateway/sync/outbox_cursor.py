"""Outbox cursor: what a reader has seen, as a snapshot of PostgreSQL.

An id loses rows that commit late, and a time loses those of long transactions. A snapshot loses nothing: the rows to
send are those that the snapshot now in force shows and the reader's didn't.
"""

import re
from typing import NamedTuple

VERSION = 1
# Rows are kept longer than a cursor is good for, so that none is missing from what a good cursor asks for.
CURSOR_HOURS = 24
ROW_HOURS = 25

_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")


class Source(NamedTuple):
    """Where a snapshot means something: transaction ids are those of one cluster, rows those of one database."""

    database_uuid: str
    cluster: str
    snapshot: str
    now: int  # by the database's clock


def encode_cursor(source):
    """The cursor for the snapshot of a source."""
    return f"{VERSION}:{source.database_uuid}:{source.cluster}.{source.now}:{source.snapshot}"


def decode_cursor(cursor, source):
    """The snapshot that a cursor stands for, or None where the reader has to begin anew."""
    parts = (cursor or "").split(":", 3)
    if len(parts) < 4 or parts[0] != str(VERSION) or parts[1] != source.database_uuid:
        return None
    cluster, _dot, taken = parts[2].rpartition(".")
    if cluster != source.cluster or not _is_recent(taken, source.now):
        return None
    return parts[3] if _is_snapshot_before(parts[3], source.snapshot) else None


def _is_recent(taken, now):
    return taken.isascii() and taken.isdigit() and now - int(taken) < CURSOR_HOURS * 3600


def _is_snapshot_before(text, current):
    match = _SNAPSHOT.fullmatch(text)
    if not match:
        return False
    first, last = int(match[1]), int(match[2])
    running = [int(xid) for xid in match[3].split(",") if xid]
    ordered = running == sorted(set(running)) and all(first <= xid < last for xid in running)
    # a cursor from the future belongs to a database that was set back to an older state
    return 0 < first <= last <= int(current.split(":")[1]) and ordered
