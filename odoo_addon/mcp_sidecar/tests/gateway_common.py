"""What the gateway's tests share: calls made as the sidecar makes them."""

import contextlib
import json
import uuid
from unittest.mock import patch
from xmlrpc.client import Fault

from odoo import SUPERUSER_ID, api
from odoo.sql_db import db_connect
from odoo.tests import TransactionCase

from ..exceptions import GatewayError
from ..gateway.auth import credentials
from .common import McpCase, McpCommon, McpHttpCase


def search(model, domain=(), fields=("name",), limit=100, offset=0, order=None, total=False):
    return {
        "op": "search_read",
        "model": model,
        "domain": list(domain),
        "fields": fields if fields is None else list(fields),
        "limit": limit,
        "offset": offset,
        "order": order,
        "total": total,
    }


def create(model, *values):
    return {"op": "create", "model": model, "values": list(values)}


def write(model, ids, **values):
    return {"op": "write", "model": model, "ids": ids, "values": values}


def call(model, method, ids=(), *args, **kwargs):
    return {"op": "call", "model": model, "method": method, "ids": list(ids), "args": list(args), "kwargs": kwargs}


def request(proof, *steps, **changes):
    """A request of `execute`; reading, unless changed."""
    return {
        "call_id": str(uuid.uuid4()),
        "proof": proof,
        "ip": "203.0.113.9",
        "tool": "some_tool",
        "mode": "read",
        "steps": list(steps),
        "context": {},
        "dry_run": False,
        "deadline_ms": 30000,
        "idempotency_key": None,
        **changes,
    }


class Asking:
    """Calls of the gateway's methods in the process itself."""

    def ask(self, method, asked, env=None):
        """Calls a method of the gateway as the service account and answers what it answers."""
        env = env or self.env
        # what the test itself has left pending is no part of the call
        env.cr.flush()
        try:
            text = asked if isinstance(asked, str) else json.dumps(asked)
            return json.loads(getattr(env["mcp.gateway"].with_user(self.service_id()), method)(text))
        finally:
            env.transaction.default_env = env

    def service_id(self):
        return self.env["ir.model.data"]._xmlid_to_res_id("mcp_sidecar.user_service")

    def refused(self, action):
        with self.assertRaises(GatewayError) as caught:
            action()
        return caught.exception

    def assert_fault(self, fault, code, **data):
        self.assertEqual(fault.code, code, fault.message)
        self.assertEqual({key: fault.data.get(key) for key in data}, data)


class GatewayCommon(Asking, McpCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings.enabled = True
        cls.env.flush_all()
        cls.settings_admin.group_ids += cls.env.ref("base.group_partner_manager")
        cls.proof = cls.proof_of(cls.settings_admin)
        cls.user_proof = cls.proof_of(cls.user)

    @classmethod
    def proof_of(cls, user, scope="full", level="any"):
        """The proof of a new connection; most tests are about other things than which methods it may call."""
        connection = cls.env["mcp.connection"]._create_for_api_key("Test tool", user.id, scope)
        connection.method_level = level
        key = connection._issue_api_key()
        cls.env.flush_all()
        return credentials.proof(key)

    def execute(self, *steps, proof=None, **changes):
        """The results of a call's steps."""
        return self.ask("execute", request(proof or self.proof, *steps, **changes))["results"]

    def run_one(self, step, **changes):
        """The result of a call of one step."""
        return self.execute(step, **changes)[0]

    def fault(self, *steps, **changes):
        """The fault that a call ends with."""
        return self.refused(lambda: self.execute(*steps, **changes))


class GatewayCase(GatewayCommon, McpCase):
    pass


class GatewayHttpCase(GatewayCommon, McpHttpCase):
    """The same over real XML-RPC."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service_key = cls.service._mcp_renew_service_key()

    def ask(self, method, asked, env=None):
        text = asked if isinstance(asked, str) else json.dumps(asked)
        return json.loads(self.rpc(self.service, "mcp.gateway", method, text, password=self.service_key))

    def refused(self, action):
        with self.assertRaises(Fault) as caught:
            action()
        self.assertEqual(caught.exception.faultCode, 2, caught.exception.faultString)
        fault = json.loads(caught.exception.faultString)
        return GatewayError(fault["code"], fault["message"], **fault["data"])


class CommittedCase(Asking, TransactionCase):
    """Tests that need several transactions: what they commit is deleted again.

    The test's own transaction stays unused, as the locks of what it wrote would block the others.
    """

    def setUp(self):
        super().setUp()
        # tests run under the lock of all registries, for which another thread would wait
        self.startPatcher(patch("odoo.orm.environments.Registry", lambda dbname: self.registry))
        with self.transaction() as env:
            self.settings_before = env.ref("mcp_sidecar.settings").enabled
            env.ref("mcp_sidecar.settings").enabled = True
            admin = env.ref("base.user_admin")
            connection = env["mcp.connection"]._create_for_api_key("Committed test", admin.id, "full")
            self.committed_proof = credentials.proof(connection._issue_api_key())
            self.connection_id = connection.id
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        with self.transaction() as env:
            env["mcp.connection"].browse(self.connection_id).unlink()
            env.ref("mcp_sidecar.settings").enabled = self.settings_before
        with self.transaction() as env:
            env.cr.execute("DELETE FROM mcp_event; DELETE FROM mcp_call; DELETE FROM mcp_replica")

    @contextlib.contextmanager
    def transaction(self):
        """An environment on a connection of its own, which commits at the end."""
        with self.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def cursor(self):
        return db_connect(self.env.cr.dbname).cursor()
