"""Hash chain of the audit log: each entry's hash covers the one before it, so that tampering is evident.

One chain per sidecar: entries of several sidecars are written at the same time, and a common chain would fork. What an
entry's hash is made of is said once, as a list of columns; Python hashes what is written, PostgreSQL what is checked,
since it can hash a million rows in seconds.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

from odoo.tools import SQL

# All that an entry says. The list is part of what was hashed: changed, it would break all chains there are.
COLUMNS = (
    "sequence",
    "replica",
    "request_id",
    "create_date",
    "method",
    "tool",
    "model",
    "res_ids",
    "user_id",
    "user_name",
    "connection_id",
    "connection_name",
    "session_id",
    "client",
    "ip_address",
    "status",
    "reason",
    "error",
    "duration_ms",
    "count",
    "request_payload",
    "response_summary",
)
_NUMBERS = {"sequence", "user_id", "connection_id", "duration_ms", "count"}


class Link(NamedTuple):
    """A place in a chain."""

    sequence: int
    hash: str


START = Link(0, "")


class State(NamedTuple):
    """Where a chain stands: what was deleted up to, what was stored last, and what there is."""

    start: Link
    tip: Link
    newest: Link
    seen: str | None  # the hash at the number that the sidecar asked for

    def document(self):
        """As the contract has it."""
        links = {name: getattr(self, name)._asdict() for name in ("start", "tip", "newest")}
        return {**links, "seen": self.seen}


class Break(NamedTuple):
    """Where a chain is not what was written."""

    kind: str  # changed, missing, extra
    sequence: int
    entry_id: int | None = None


# === Writing ===


def append(link, row):
    """The place of a row after that link; completes the row."""
    row["sequence"] = link.sequence + 1
    row["hash"] = _digest(link.hash, row)
    return Link(row["sequence"], row["hash"])


def _digest(previous, row):
    serialized = "".join(_serialized(row[name]) for name in COLUMNS)
    return hashlib.sha256(f"{previous}{serialized}".encode()).hexdigest()


def _serialized(value):
    """A value such that no two rows read the same: texts with their length before them."""
    if value is None:
        return "-;"
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, int):
        return f"{value};"
    return f"{len(value.encode())}:{value}"


# === Checking ===


def first_break(env, replica, start, tip):
    """Where the chain of a sidecar breaks first, or None; it has to lead from one link to the other."""
    env.cr.execute(_first_wrong(replica, start))
    found = env.cr.fetchone()
    if found:
        entry_id, sequence, expected = found
        if sequence > expected:
            return Break("missing", expected)
        return Break("changed" if sequence == expected else "extra", sequence, entry_id)
    newest = _newest(env, replica) or start
    if newest.sequence < tip.sequence:
        return Break("missing", newest.sequence + 1)
    if newest.sequence > tip.sequence:
        return Break("extra", tip.sequence + 1)
    return None if newest.hash == tip.hash else Break("changed", newest.sequence)


def _first_wrong(replica, start, max_entries=None):
    """The first entry after a link that does not follow from the one before it, among the next ``most``."""
    within = (
        SQL("TRUE") if max_entries is None else SQL("sequence > %s AND sequence <= %s", *_window(start, max_entries))
    )
    return SQL(
        """
        SELECT id, sequence, before + 1
          FROM (
               SELECT id, sequence, lag(sequence, 1, %(sequence)s) OVER chain AS before,
                      hash = %(digest)s AS intact
                 FROM mcp_audit_log
                WHERE replica = %(replica)s AND %(within)s
               WINDOW chain AS (ORDER BY sequence, id)
               ) AS entry
         WHERE sequence != before + 1 OR intact IS NOT TRUE
         ORDER BY sequence, id
         LIMIT 1
        """,
        sequence=start.sequence,
        digest=_digest_in_sql(SQL("lag(hash, 1, %s) OVER chain", start.hash)),
        replica=replica,
        within=within,
    )


def _newest(env, replica):
    env.cr.execute(
        "SELECT sequence, hash FROM mcp_audit_log WHERE replica = %s ORDER BY sequence DESC, id DESC LIMIT 1", [replica]
    )
    found = env.cr.fetchone()
    return found and Link(*found)


# === Questions that are cheap enough to be asked every few seconds ===

_STATE = """
    SELECT start.sequence, start.hash, tip.sequence, tip.hash, newest.sequence, newest.hash, seen.hash
      FROM (SELECT) AS one
      LEFT JOIN mcp_audit_checkpoint AS start ON start.replica = %(replica)s AND start.place = 'start'
      LEFT JOIN mcp_audit_checkpoint AS tip ON tip.replica = %(replica)s AND tip.place = 'tip'
      LEFT JOIN LATERAL (
           SELECT sequence, hash FROM mcp_audit_log WHERE replica = %(replica)s ORDER BY sequence DESC, id DESC LIMIT 1
      ) AS newest ON TRUE
      LEFT JOIN LATERAL (
           SELECT hash FROM mcp_audit_log WHERE replica = %(replica)s AND sequence = %(seen)s LIMIT 1
      ) AS seen ON TRUE
"""


def state(env, replica, seen):
    """Where the chain of a sidecar stands, and the hash of the entry with the number ``seen``."""
    env.cr.execute(_STATE, {"replica": replica, "seen": seen})
    *numbers_and_hashes, seen_hash = env.cr.fetchone()
    pairs = zip(numbers_and_hashes[::2], numbers_and_hashes[1::2], strict=True)
    links = [START if sequence is None else Link(sequence, digest) for sequence, digest in pairs]
    return State(*links, seen_hash)


def gap(env, replica, state_):
    """How many entries are missing between the deleted ones and the newest, and the first of these numbers."""
    env.cr.execute(
        "SELECT count(*) FROM mcp_audit_log WHERE replica = %s AND sequence > %s", [replica, state_.start.sequence]
    )
    [present] = env.cr.fetchone()
    missing = max(state_.newest.sequence - state_.start.sequence, 0) - present
    if missing <= 0:
        return None
    env.cr.execute(
        """
        SELECT before + 1
          FROM (
               SELECT sequence, lag(sequence, 1, %(start)s) OVER (ORDER BY sequence) AS before
                 FROM mcp_audit_log WHERE replica = %(replica)s AND sequence > %(start)s
               ) AS entry
         WHERE sequence != before + 1
         ORDER BY sequence
         LIMIT 1
        """,
        {"replica": replica, "start": state_.start.sequence},
    )
    [first] = env.cr.fetchone()
    return {"sequence": first, "missing": missing}


def window(env, replica, state_, after, max_entries):
    """Checks the next entries after a number: the first that was changed, and the number to go on from.

    The part of `first_break` that takes a few milliseconds. What is missing there is for `gap` to find.
    """
    begin = _link_at(env, replica, after) if after > state_.start.sequence else None
    begin = begin or state_.start
    env.cr.execute(_first_wrong(replica, begin, max_entries))
    found = env.cr.fetchone()
    end = _window(begin, max_entries)[1]
    if found:
        _entry_id, sequence, expected = found
        changed = None if sequence > expected else sequence
        return {"changed": changed, "next": sequence}
    return {"changed": None, "next": end if end < state_.newest.sequence else 0}


def _window(begin, max_entries):
    return begin.sequence, begin.sequence + max_entries


def _link_at(env, replica, sequence):
    env.cr.execute("SELECT sequence, hash FROM mcp_audit_log WHERE replica = %s AND sequence = %s", [replica, sequence])
    found = env.cr.fetchone()
    return found and Link(*found)


def _digest_in_sql(previous):
    serialized = SQL(" || ").join(_serialized_in_sql(name) for name in COLUMNS)
    return SQL("encode(sha256(convert_to(%s || %s, 'UTF8')), 'hex')", previous, serialized)


def _serialized_in_sql(name):
    column = SQL.identifier(name)
    if name == "create_date":
        # as ISO, independent of the DateStyle setting
        return SQL("""to_char(%s, 'YYYY-MM-DD"T"HH24:MI:SS.US')""", column)
    if name in _NUMBERS:
        return SQL("coalesce(%s || ';', '-;')", column)
    return SQL("coalesce(octet_length(%(text)s) || ':' || %(text)s, '-;')", text=column)
