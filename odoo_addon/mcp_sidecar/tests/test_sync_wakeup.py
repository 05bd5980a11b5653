"""Wake-ups: signed, quick, to those who said hello, and of no harm to whoever commits."""

import hashlib
import hmac
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

from odoo import fields
from odoo.modules import Manifest
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.sync import wakeup
from ..models.mcp_replica import MOST_ALIVE
from .gateway_common import CommittedCase, GatewayHttpCase

SECRET = "sixteen-bytes-of-secret"
REPLICA = "5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70"


def hello(**changes):
    told = {"contract": 1, "replica": REPLICA, "version": "0.1.0", "public_url": "https://odoo.example.com"}
    return {**told, "wake_url": "http://127.0.0.1:8766/wake", "wake_secret": SECRET, **changes}


class Listener:
    """A sidecar that hears wake-ups."""

    def __init__(self, status=204, delay=0):
        self.heard = queue.Queue()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.put((time.time(), self.path, self.headers["X-MCP-Signature"], body))
                time.sleep(delay)
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/wake"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@tagged("-at_install", "post_install")
class TestWake(CommittedCase):
    def setUp(self):
        super().setUp()
        # the preparation itself was a change, which must not be told to the test's listeners
        listener = Listener()
        self.register(listener.url)
        wakeup.announce(self.env.cr.dbname)
        self.hear(listener)
        time.sleep(0.1)
        with self.transaction() as env:
            env.cr.execute("DELETE FROM mcp_replica")
        listener.close()

    def listen(self, **kwargs):
        listener = Listener(**kwargs)
        self.addCleanup(listener.close)
        self.register(listener.url)
        return listener

    def register(self, url, secret=SECRET, seen=None):
        with self.transaction() as env:
            env.cr.execute(
                "INSERT INTO mcp_replica (replica, wake_url, wake_secret, last_seen)"
                " VALUES (gen_random_uuid(), %s, %s, %s)",
                [url, secret, seen or fields.Datetime.now()],
            )

    def switch(self, enabled):
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").enabled = enabled
        return time.time()

    def hear(self, listener, timeout=5):
        return listener.heard.get(timeout=timeout)

    def quiet(self, listener, seconds=0.5):
        with self.assertRaises(queue.Empty):
            self.hear(listener, seconds)

    def test_a_commit_is_told_at_once_and_signed(self):
        listener = self.listen()
        committed = self.switch(False)
        at, path, signature, body = self.hear(listener)
        told = json.loads(body)
        self.assertEqual(path, "/wake")
        self.assertEqual(signature, "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest())
        self.assertEqual(list(told), ["seq", "time", "enabled", "settings_version", "revoked"])
        self.assertIs(told["enabled"], False)
        self.assertLess(abs(told["time"] - time.time()), 5)
        self.assertLess(at - committed, 0.25)
        self.switch(True)
        again = json.loads(self.hear(listener)[3])
        self.assertGreater(again["seq"], told["seq"])
        self.assertGreater(again["settings_version"], told["settings_version"])
        self.assertTrue(again["enabled"])

    def test_revoked_and_deleted_connections_are_named(self):
        listener = self.listen()
        with self.transaction() as env:
            connection = env["mcp.connection"].browse(self.connection_id)
            connection.action_revoke()
        self.assertEqual(json.loads(self.hear(listener)[3])["revoked"], [self.connection_id])
        with self.transaction() as env:
            env["mcp.connection"].browse(self.connection_id).action_reactivate()
        self.assertEqual(json.loads(self.hear(listener)[3])["revoked"], [])
        with self.transaction() as env:
            env["mcp.connection"].browse(self.connection_id).unlink()
        self.assertEqual(json.loads(self.hear(listener)[3])["revoked"], [self.connection_id])

    def test_nothing_is_told_of_what_is_rolled_back(self):
        listener = self.listen()
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").enabled = False
            env.flush_all()
            env.cr.rollback()
        self.quiet(listener)

    def test_the_committing_side_waits_for_nobody(self):
        slow = self.listen(delay=2)
        began = time.monotonic()
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").enabled = False
            env.flush_all()
            env.cr.commit()
            took = time.monotonic() - began
        self.assertLess(took, 1)
        self.hear(slow)

    def test_the_committing_side_hears_of_no_failure(self):
        nobody = patch.object(wakeup._Waker, "_current", None)
        broken = patch.object(wakeup.threading.Thread, "start", side_effect=RuntimeError("can't start new thread"))
        with nobody, broken, self.assertLogs("odoo.addons.mcp_sidecar.gateway.sync.wakeup", "WARNING"):
            self.switch(False)
        with self.transaction() as env:
            self.assertFalse(env.ref("mcp_sidecar.settings").enabled)

    def test_nobody_is_kept_waiting_by_a_silent_neighbour(self):
        self.listen(delay=5)
        self.register("http://127.0.0.1:9/closed")
        listener = self.listen()
        committed = self.switch(False)
        self.assertLess(self.hear(listener)[0] - committed, 0.3)

    def test_redirects_are_not_followed(self):
        listener = self.listen(status=307)
        self.switch(False)
        self.hear(listener)
        self.quiet(listener)

    def test_who_has_been_silent_for_a_minute_is_gone(self):
        listener = self.listen()
        with self.transaction() as env:
            env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '61 s'")
        self.switch(False)
        self.quiet(listener)

    def test_a_burst_is_told_in_few_posts(self):
        listener = self.listen(delay=0.1)
        with patch.object(wakeup, "_read_once", side_effect=wakeup._read_once) as read:
            for _again in range(20):
                wakeup.announce(self.env.cr.dbname)
            self.hear(listener)
            time.sleep(0.5)
        self.assertLessEqual(read.call_count, 3)

    def test_the_thread_survives_a_database_in_trouble(self):
        listener = self.listen()
        broken = patch.object(wakeup, "_read_once", side_effect=ZeroDivisionError)
        logged = self.assertLogs("odoo.addons.mcp_sidecar.gateway.sync.wakeup", "WARNING")
        with broken, patch.object(wakeup, "_RETRY_AFTER_S", 0), logged:
            wakeup.announce("no such database")
            time.sleep(0.3)
        self.switch(False)
        self.hear(listener)

    def test_an_uninstalled_addon_has_nothing_to_tell(self):
        with patch.object(wakeup, "_STATE", "SELECT 1 FROM mcp_no_such_table"), mute_logger("odoo.sql_db"):
            self.assertEqual(wakeup._read_once(self.env.cr.dbname), (None, []))

    def test_each_process_has_a_thread_of_its_own(self):
        here = wakeup._Waker.of_this_process()
        self.assertIs(wakeup._Waker.of_this_process(), here)
        with patch.object(wakeup.os, "getpid", return_value=-1):
            forked = wakeup._Waker.of_this_process()
        self.assertIsNot(forked, here)
        self.assertIsNot(wakeup._Waker.of_this_process(), forked)
        threads = [thread for thread in threading.enumerate() if thread.name == "mcp_sidecar.wake"]
        self.assertTrue(threads and all(thread.daemon for thread in threads))


@tagged("-at_install", "post_install")
class TestHello(GatewayHttpCase):
    def hello(self, **changes):
        return self.ask("hello", hello(**changes))

    def replica(self):
        return self.env["mcp.replica"].search([("replica", "=", REPLICA)])

    def test_a_sidecar_is_registered(self):
        answer = self.hello()
        self.assertEqual(answer["wake"], "accepted")
        self.assertEqual(answer["database"], self.env.cr.dbname)
        self.assertEqual(answer["odoo_version"], "19.0")
        self.assertEqual(answer["addon_version"], Manifest.for_addon("mcp_sidecar")["version"])
        self.assertFalse(self.ask("changes", {"replica": REPLICA, "cursor": answer["cursor"]})["reset"])
        replica = self.replica()
        self.assertTrue(replica.alive)
        self.assertEqual((replica.address, replica.public_url), ("127.0.0.1", "https://odoo.example.com"))
        self.hello(version="0.2.0")
        self.assertEqual(self.replica(), replica)
        replica.invalidate_recordset()
        self.assertEqual(replica.version, "0.2.0")

    def test_the_secret_of_wake_ups_is_readable_by_nobody(self):
        self.hello()
        replica = self.replica().with_user(self.system)
        self.assertNotIn("wake_secret", replica.read()[0])
        self.assertNotIn("wake_secret", replica.fields_get())

    def test_hosts_that_are_not_the_peer_get_nothing(self):
        for url in (
            "http://203.0.113.9/wake",
            "http://example.com/wake",
            "http://127.0.0.1.example.com/wake",
            "http://127.0.0.1@example.com/wake",
            "http://@127.0.0.1/wake",
            "http://:x@127.0.0.1/wake",
            "http://:\\@127.0.0.1",
            "file:///etc/passwd",
            "gopher://127.0.0.1/wake",
            "http://[::1/wake",
            "http:///wake",
            "http://127.0.0.1:99999/wake",
        ):
            with self.subTest(url=url):
                self.assertNotEqual(self.hello(wake_url=url)["wake"], "accepted")
                self.replica().invalidate_recordset()
                self.assertFalse(self.replica().wake_url)
        self.assertEqual(self.hello(wake_url="http://localhost:1/wake")["wake"], "accepted")
        self.settings.wake_hosts = "example.com\n203.0.113.9"
        for url in ("https://Example.com/wake", "http://203.0.113.9:80/wake"):
            self.assertEqual(self.hello(wake_url=url)["wake"], "accepted")
        self.assertNotEqual(self.hello(wake_secret=None)["wake"], "accepted")
        self.assertNotEqual(self.hello(wake_url=None)["wake"], "accepted")

    def test_there_is_room_for_sixteen(self):
        self.env.cr.execute(
            "INSERT INTO mcp_replica (replica, last_seen) SELECT 'r' || n, now() AT TIME ZONE 'UTC'"
            " FROM generate_series(1, %s) n",
            [MOST_ALIVE],
        )
        self.assertIn("16", self.hello()["wake"])
        self.assertFalse(self.replica())
        self.env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '61 s' WHERE replica = 'r1'")
        self.assertEqual(self.hello()["wake"], "accepted")
        self.assertEqual(self.hello()["wake"], "accepted", "who is there may stay")

    def test_asking_for_changes_keeps_a_sidecar_alive(self):
        self.hello()
        self.env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '50 s'")
        self.ask("changes", {"replica": REPLICA, "cursor": None})
        self.env.invalidate_all()
        self.assertLess((fields.Datetime.now() - self.replica().last_seen).total_seconds(), 10)
        self.env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '3 days'")
        self.env["mcp.replica"].create({"replica": "another", "last_seen": fields.Datetime.now()})
        self.env["mcp.replica"]._gc_replicas()
        self.assertFalse(self.replica().exists())

    def test_the_last_sidecar_is_not_forgotten(self):
        self.hello()
        older = self.env["mcp.replica"].create({"replica": "another", "last_seen": fields.Datetime.now()})
        self.env.flush_all()
        self.env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '400 days'")
        self.env.cr.execute("UPDATE mcp_replica SET last_seen = last_seen - interval '1 day' WHERE id = %s", [older.id])
        self.env["mcp.replica"]._gc_replicas()
        self.env.invalidate_all()
        self.assertEqual(self.env["mcp.replica"].search([]), self.replica())
        self.assertEqual(self.settings.sidecar_state, "lost")

    def test_another_contract_is_refused(self):
        fault = self.refused(lambda: self.hello(contract=99))
        self.assert_fault(fault, "contract", addon=1, sidecar=99)
        self.assertFalse(self.replica())
