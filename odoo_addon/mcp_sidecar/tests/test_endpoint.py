"""Who may call the gateway, and how what goes wrong leaves it. All by real XML-RPC."""

import inspect
import json
from unittest.mock import patch
from xmlrpc.client import Fault

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.mcp_gateway import McpGateway
from .gateway_common import GatewayHttpCase, create, request, search, write


def public_methods(model):
    """Names of the methods that the gateway's classes themselves offer."""
    found = set()
    for cls in type(model).mro():
        if getattr(cls, "_name", None) == "mcp.gateway" and cls.__module__.startswith("odoo.addons."):
            found |= {name for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"}
    return found


@tagged("-at_install", "post_install")
class TestGateway(GatewayHttpCase):
    def test_only_the_service_account_may_call(self):
        methods = public_methods(self.env["mcp.gateway"])
        self.assertLessEqual(
            {"hello", "authenticate", "execute", "execute_batch", "call_status", "schema", "changes"}, methods
        )
        for user in (self.portal, self.employee, self.user, self.admin, self.system):
            for method in methods:
                for arguments in (["{}"], [], ["{}", "{}"]):
                    with self.subTest(user=user.login, method=method), self.assertRaises(Fault) as caught:
                        self.rpc(user, "mcp.gateway", method, *arguments)
                    self.assertEqual(json.loads(caught.exception.faultString)["code"], "not_service")

    def test_a_read_from_end_to_end(self):
        self.env["res.partner"].create({"name": "Déjà 😀 \x07 ￾", "ref": "mcp-1"})
        [result] = self.execute(search("res.partner", [["ref", "=", "mcp-1"]], ["name"]))
        self.assertEqual([row["name"] for row in result["records"]], ["Déjà 😀 \x07 ￾"])

    def test_letting_somebody_in_is_remembered(self):
        connection = self.env["mcp.connection"].search([("user_id", "=", self.user.id)])
        self.assertEqual(connection.status, "awaiting")
        self.refused(lambda: self.ask("authenticate", {"proof": "0" * 64, "ip": None}))
        self.ask("authenticate", {"proof": self.user_proof, "ip": None})
        connection.invalidate_recordset()
        self.assertEqual(connection.status, "connected")

    def test_large_integers_survive(self):
        with patch.object(type(self.env["res.partner"]), "search_count", lambda *args, **kwargs: 2**53 + 1):
            [result] = self.execute({"op": "search_count", "model": "res.partner", "domain": []})
        self.assertEqual(result["count"], 9007199254740993)

    def test_a_refused_write_stores_nothing(self):
        good = create("res.partner", {"name": "mcp-half-done"})
        fault = self.refused(lambda: self.execute(good, write("res.partner", [999999999], name="x"), mode="write"))
        self.assertEqual(fault.code, "not_found")
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-half-done")]))

    def test_one_text_is_taken_and_nothing_else(self):
        cases = {
            "not json": "",
            "[]": "",
            "{}": "proof",
            '{"proof": 5, "ip": null}': "proof",
            json.dumps({"proof": self.proof, "ip": None, "sudo": True}): "sudo",
        }
        for text, at in cases.items():
            with self.subTest(text=text):
                fault = self.refused(lambda text=text: self.ask("authenticate", text))
                self.assertEqual((fault.code, fault.data["at"]), ("bad_request", at))
        call = lambda *args: self.rpc(self.service, "mcp.gateway", "authenticate", *args, password=self.service_key)  # noqa: E731
        for arguments in ([], ["{}", "{}"], [{"proof": self.proof}]):
            self.assertEqual(self.refused(lambda arguments=arguments: call(*arguments)).code, "bad_request")

    def test_the_context_of_the_service_account_reaches_nobody(self):
        asked = json.dumps(request(self.proof, create("res.partner", {"name": "mcp-context"}), mode="write"))
        arguments = ["mcp.gateway", "execute", [asked], {"context": {"default_ref": "from-outside"}}]
        self.xmlrpc_object.execute_kw(self.env.cr.dbname, self.service.id, self.service_key, *arguments)
        self.assertFalse(self.env["res.partner"].search([("name", "=", "mcp-context")]).ref)
        contexts = []

        def spying(env, request):
            contexts.append(dict(env.context))
            return {}

        with patch("odoo.addons.mcp_sidecar.gateway.service.execute", spying):
            self.xmlrpc_object.execute_kw(self.env.cr.dbname, self.service.id, self.service_key, *arguments)
        self.assertEqual(contexts, [{}])

    def test_constraints_of_the_database_are_told_in_odoos_words(self):
        # written when pending changes are flushed, not before
        one, other = self.env["res.currency"].with_context(active_test=False).search([], limit=2)
        with mute_logger("odoo.sql_db"):
            fault = self.refused(lambda: self.execute(write("res.currency", one.ids, name=other.name), mode="write"))
        self.assertEqual(fault.code, "invalid")
        self.assertEqual(fault.message, "The operation cannot be completed: The currency code must be unique!")

    def test_what_nobody_expected_is_told_to_the_log_only(self):
        def broken(env, step):
            raise RuntimeError("secret detail")

        logger = "odoo.addons.mcp_sidecar.gateway.rpc.faults"
        with self._operation("search_count", broken), self.assertLogs(logger, "ERROR") as logged:
            fault = self.refused(lambda: self.execute({"op": "search_count", "model": "res.partner", "domain": []}))
        self.assertEqual(fault.code, "internal")
        self.assertNotIn("secret detail", fault.message)
        self.assertEqual(list(fault.data), ["error_id"])
        self.assertIn(fault.data["error_id"], logged.output[0])
        self.assertIn("secret detail", logged.output[0])

    def test_odoo_repeats_what_met_another_transaction(self):
        tries = []

        def once_refused(env, step):
            tries.append(env.uid)
            if len(tries) == 1:
                env["res.partner"].create({"name": "mcp-first-try"})
                env.cr.execute("DO $$ BEGIN RAISE EXCEPTION 'met another' USING ERRCODE = '40001'; END $$")
            return {"count": len(tries)}

        sleepless = patch("odoo.service.model.time.sleep")
        with self._operation("search_count", once_refused), sleepless, mute_logger("odoo.sql_db"):
            step = {"op": "search_count", "model": "res.partner", "domain": []}
            self.assertEqual(self.execute(step, mode="write"), [{"count": 2}])
        self.assertEqual(tries, [self.settings_admin.id] * 2)
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-first-try")]))

    def _operation(self, name, replacement):
        return patch.dict("odoo.addons.mcp_sidecar.gateway.operations.executor._OPERATIONS", {name: replacement})

    def test_the_switch_refuses_all_but_handshake_and_news(self):
        self.settings.enabled = False
        self.env.flush_all()
        for action in (
            lambda: self.execute(search("res.partner")),
            lambda: self.ask("execute_batch", {"calls": [request(self.proof, search("res.partner"))]}),
            lambda: self.ask("authenticate", {"proof": self.proof, "ip": None}),
            lambda: self.ask("authenticate", {"proof": "0" * 64, "ip": None}),
            lambda: self.ask("schema", {"proof": self.proof, "lang": None, "models": None}),
        ):
            fault = self.refused(action)
            self.assertEqual((fault.code, fault.message), ("disabled", "MCP server is disabled by the administrator"))
        told = {"replica": "5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70", "cursor": None}
        self.assertFalse(self.ask("changes", told)["settings"]["enabled"])

    def test_no_door_has_been_forgotten(self):
        for name in public_methods(self.env["mcp.gateway"]):
            self.assertTrue(getattr(McpGateway, name, None) is None or McpGateway.__dict__[name].__wrapped__, name)
