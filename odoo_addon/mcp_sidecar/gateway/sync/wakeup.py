"""Wake-up: posts a signed notification to the sidecars as soon as a change is committed.

A transaction that committed only sets an event: its hook runs before the worker answers, and an exception in it would
reach the caller. One daemon thread per process does the rest with a cursor of its own. Nothing depends on it: a sidecar
that gets none polls for changes every few seconds.
"""

import functools
import hashlib
import hmac
import itertools
import json
import logging
import os
import threading
import time

import urllib3
from psycopg2 import errors

from odoo.sql_db import db_connect

_logger = logging.getLogger(__name__)

TIMEOUT_S = 0.3
# After an error of the database, one more try: later the sidecars have asked by themselves.
_RETRY_AFTER_S = 0.5

_STATE = """
    SELECT settings.enabled, settings.version,
           ARRAY(SELECT DISTINCT event.ref
                   FROM mcp_event AS event
              LEFT JOIN mcp_connection AS connection ON connection.id = event.ref
                  WHERE event.kind = 'connection'
                    AND event.created > now() AT TIME ZONE 'UTC' - interval '60 s'
                    AND connection.active IS NOT TRUE
                  ORDER BY event.ref)
      FROM mcp_server_settings AS settings
     LIMIT 1
"""
_LISTENERS = """
    SELECT wake_url, wake_secret FROM mcp_replica
     WHERE wake_url IS NOT NULL AND last_seen > now() AT TIME ZONE 'UTC' - interval '60 s'
"""


def announcer(dbname):
    """What a transaction on that database calls after its commit."""
    return functools.partial(announce, dbname)


def announce(dbname):
    try:
        _Waker.of_this_process().announce(dbname)
    except Exception:
        # the transaction is committed, whether or not a sidecar is notified
        _logger.warning("MCP wake-up of %s failed", dbname, exc_info=True)


class _Waker:
    """The notifier thread of one process, and the databases it has pending."""

    _current = None
    _lock = threading.Lock()

    @classmethod
    def of_this_process(cls):
        # a forked worker inherits the object, but not its thread
        if cls._current is None or cls._current.pid != os.getpid():
            with cls._lock:
                if cls._current is None or cls._current.pid != os.getpid():
                    cls._current = cls()
        return cls._current

    def __init__(self):
        self.pid = os.getpid()
        self._pending = set()
        self._event = threading.Event()
        self._sequence = itertools.count(1)
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(total=TIMEOUT_S), headers={"Content-Type": "application/json"}
        )
        threading.Thread(target=self._run, name="mcp_sidecar.wake", daemon=True).start()

    def announce(self, dbname):
        self._pending.add(dbname)
        self._event.set()

    def _run(self):
        while True:
            self._event.wait()
            # cleared first: what commits from here on belongs to the next round
            self._event.clear()
            while self._pending:
                self._notify(self._pending.pop())

    def _notify(self, dbname):
        try:
            state, listeners = self._read(dbname)
            if state and listeners:
                self._post(body(next(self._sequence), *state), listeners)
        except Exception:
            # the thread has to outlive any failure of a database
            _logger.warning("MCP wake-up of %s failed", dbname, exc_info=True)

    def _read(self, dbname):
        try:
            return _read_once(dbname)
        except Exception:
            _logger.info("MCP wake-up of %s: trying the database again", dbname, exc_info=True)
            time.sleep(_RETRY_AFTER_S)
            return _read_once(dbname)

    def _post(self, text, listeners):
        posts = [threading.Thread(target=self._post_one, args=(text, *one), daemon=True) for one in listeners[1:]]
        for post in posts:
            post.start()
        self._post_one(text, *listeners[0])
        for post in posts:
            post.join(2 * TIMEOUT_S)

    def _post_one(self, text, url, secret):
        try:
            headers = {"Content-Type": "application/json", "X-MCP-Signature": signature(text, secret)}
            answer = self._http.request("POST", url, body=text, headers=headers, redirect=False)
            if answer.status >= 300:
                _logger.info("MCP wake-up refused by %s with status %s", url, answer.status)
        except Exception as exc:
            _logger.info("MCP wake-up of %s failed: %s", url, exc)


def _read_once(dbname):
    # Not by the registry: a cursor of one's own sees what was committed, also while tests run in a transaction.
    with db_connect(dbname).cursor() as cr:
        try:
            cr.execute(_STATE, log_exceptions=False)
        except errors.UndefinedTable:
            return None, []  # the change was that this addon has been uninstalled
        state = cr.fetchone()
        cr.execute(_LISTENERS)
        return state, cr.fetchall()


def body(sequence, enabled, settings_version, revoked, now=None):
    """The text of a wake-up."""
    document = {
        "seq": sequence,
        "time": time.time() if now is None else now,
        "enabled": bool(enabled),
        "settings_version": settings_version,
        "revoked": revoked,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signature(text, secret):
    """The header that proves where a wake-up comes from."""
    return "sha256=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
