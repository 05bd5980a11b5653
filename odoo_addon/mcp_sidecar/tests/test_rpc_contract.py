"""The samples of the contract: what this side takes and what it answers is what both sides have agreed on."""

import json
import os
import re
from pathlib import Path
from unittest.mock import patch

from psycopg2.errors import AdminShutdown

from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from ..exceptions import GatewayError
from ..gateway import endpoint
from ..gateway.auth import credentials
from ..gateway.operations import executor
from ..gateway.rpc import contract, validation
from ..gateway.sync import sessions, wakeup
from .audit_common import REPLICA, entry, session
from .gateway_common import CommittedCase, GatewayCase, call, create, request, search, write

VARIABLE = "MCP_CONTRACT_DIR"
# The sidecar's repository: <root>/odoo_addon/mcp_sidecar/tests/test_rpc_contract.py and <root>/tests/wire/contract.
BESIDE = Path(__file__).resolve().parents[3] / "tests" / "wire" / "contract"
# Where faults are raised.
SOURCES = [Path(__file__).parents[1] / package for package in ("gateway", "models")]
SHAPES = {
    "hello": contract.HELLO,
    "authenticate": contract.AUTHENTICATE,
    "execute": contract.EXECUTE,
    "execute_batch": contract.EXECUTE_BATCH,
    "call_status": contract.CALL_STATUS,
    "schema": contract.SCHEMA,
    "changes": contract.CHANGES,
    "append_audit": contract.APPEND_AUDIT,
    "check_audit": contract.CHECK_AUDIT,
    "sync_sessions": contract.SYNC_SESSIONS,
    "begin_check": contract.BEGIN_CHECK,
    "report_check": contract.REPORT_CHECK,
    "oauth_client": contract.OAUTH_CLIENT,
    "oauth_register": contract.OAUTH_REGISTER,
    "oauth_begin": contract.OAUTH_BEGIN,
    "oauth_resume": contract.OAUTH_RESUME,
    "oauth_token": contract.OAUTH_TOKEN,
    "oauth_refresh": contract.OAUTH_REFRESH,
    "oauth_client_credentials": contract.OAUTH_CLIENT_CREDENTIALS,
    "oauth_revoke": contract.OAUTH_REVOKE,
    "oauth_introspect": contract.OAUTH_INTROSPECT,
}
# Samples whose request is itself what is refused.
REFUSED_REQUESTS = {("hello", "other contract version")}


def folder():
    found = Path(os.environ.get(VARIABLE) or BESIDE)
    if not (found / "execute.json").is_file():
        raise AssertionError(f"The contract's samples are not at {found}: set {VARIABLE} to where they are.")
    return found


def sample(name):
    return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))


def cases():
    for path in sorted(folder().glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for case in content.get("cases", ()):
            yield content["method"], case


def form(value):
    """The names and types of a value, without what it says."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    return type(value).__name__


def requests_of(request):
    """A request and those that it is a batch of."""
    return [request, *request.get("calls", ())]


@tagged("-at_install", "post_install")
class TestContractSamples(BaseCase):
    def test_every_method_has_samples(self):
        self.assertEqual({method for method, _case in cases()}, set(SHAPES))

    def test_every_sample_request_is_taken(self):
        for method, case in cases():
            if (method, case["name"]) in REFUSED_REQUESTS:
                continue
            with self.subTest(method=method, case=case["name"]):
                text = json.dumps(case["request"])
                decoded = validation.decode(SHAPES[method], text)
                for found, sent in zip(requests_of(decoded), requests_of(case["request"]), strict=True):
                    # what may be left out is null then
                    self.assertFalse(any(found.pop(name) for name in found.keys() - sent.keys()))
                self.assertEqual(json.loads(json.dumps(decoded)), case["request"])

    def test_every_answer_and_fault_travels(self):
        for method, case in cases():
            with self.subTest(method=method, case=case["name"]):
                if "fault" in case:
                    fault = case["fault"]
                    raised = GatewayError(fault["code"], fault["message"], **fault["data"])
                    self.assertEqual(json.loads(str(raised)), fault)
                else:
                    self.assertEqual(json.loads(endpoint.encode(case["answer"])), case["answer"])

    def test_every_operation_has_a_sample(self):
        used = {step["op"] for method, case in cases() if method == "execute" for step in case["request"]["steps"]}
        self.assertEqual(used, set(contract.STEPS))
        self.assertEqual(set(executor._OPERATIONS) | {"session"}, set(contract.STEPS))

    def test_every_code_is_in_the_contract(self):
        page = (folder() / "README.md").read_text(encoding="utf-8")
        faults = page.split("## Faults")[1].split("\n## ")[0]
        listed = set(re.findall(r"^\| `(\w+)`", faults, re.MULTILINE)) - {"code"}
        sources = [path.read_text(encoding="utf-8") for package in SOURCES for path in package.rglob("*.py")]
        raised = {code for source in sources for code in re.findall(r'GatewayError\(\s*"(\w+)"', source)}
        self.assertEqual(raised, listed)

    def test_the_wake_up(self):
        agreed = sample("wake")
        told = json.loads(agreed["body"])
        body = wakeup.body(told["seq"], told["enabled"], told["settings_version"], told["revoked"], told["time"])
        self.assertEqual(body.decode(), agreed["body"])
        self.assertEqual(wakeup.signature(body, agreed["wake_secret"]), agreed["signature"])

    def test_samples_that_are_not_there_fail_loudly(self):
        with patch.dict(os.environ, {VARIABLE: "/nowhere"}), self.assertRaisesRegex(AssertionError, VARIABLE):
            folder()


@tagged("-at_install", "post_install")
class TestContractAnswers(GatewayCase):
    """Real calls that mean the same as the samples answer in the same form."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.samples = {(method, case["name"]): case for method, case in cases()}
        pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        belgium = cls.env.ref("base.be").id
        values = {"name": "mcp-contract", "ref": "mcp-contract", "country_id": belgium, "image_1920": pixel}
        values["partner_latitude"] = 1.5
        cls.partner, cls.bare = cls.env["res.partner"].create(
            [values, {"name": "mcp-d", "ref": "mcp-contract", "phone": "1"}]
        )
        cls.mine = [["ref", "=", "mcp-contract"]]

    def agreed(self, name, method="execute"):
        return self.samples[method, name]

    def assert_answer(self, name, answer, method="execute"):
        self.assertEqual(form(answer), form(self.agreed(name, method)["answer"]))

    def answer(self, *steps, **changes):
        return self.ask("execute", request(self.proof, *steps, **changes))

    def assert_agreed_fault(self, name, fault, method="execute", message=True):
        agreed = self.agreed(name, method)["fault"]
        self.assertEqual((fault.code, form(fault.data)), (agreed["code"], form(agreed["data"])))
        if message:
            self.assertEqual(fault.message, agreed["message"])

    # === Answers ===

    def test_search_read(self):
        names = ["name", "country_id", "create_date", "image_128"]
        self.env["res.partner"].create({"name": "mcp-e", "ref": "mcp-contract"})
        step = search("res.partner", self.mine, names, limit=2, order="name", total=True)
        answer = self.answer(step)
        self.assert_answer("search_read", answer)
        agreed = self.agreed("search_read")["answer"]["results"][0]["records"]
        for ours, theirs in zip(answer["results"][0]["records"], agreed, strict=True):
            self.assertEqual(form(ours), form(theirs))

    def test_other_reads(self):
        name_search = {"op": "name_search", "model": "res.partner", "name": "mcp-contract", "domain": [], "limit": 10}
        self.assert_answer("name_search", self.answer(name_search))
        self.assert_answer("search_count", self.answer({"op": "search_count", "model": "res.partner", "domain": []}))
        read = {"op": "read", "model": "res.partner", "ids": [self.partner.id, 999999999], "fields": ["name"]}
        self.assert_answer("read", self.answer(read))
        self.bare.parent_id = self.partner
        path = ["child_ids", "parent_id"]
        traverse = {"op": "traverse", "model": "res.partner", "ids": [self.partner.id], "path": path, "limit": 50}
        answer = self.answer({**traverse, "fields": ["name", "partner_latitude"], "domain": []})
        answer["results"][0]["records"][0]["list_price"] = answer["results"][0]["records"][0].pop("partner_latitude")
        self.assert_answer("traverse", answer)
        self.assertEqual(len(answer["results"][0]["trail"]), 2)

    def test_read_group(self):
        # else there is a note on days of UTC
        self.settings_admin.tz = "Europe/Brussels"
        step = {"op": "read_group", "model": "res.partner", "domain": self.mine, "having": [], "limit": 80, "offset": 0}
        step |= {"groupby": ["type", "create_date:month"], "aggregates": ["partner_latitude:sum"], "order": None}
        answer = self.answer(step)
        names = {"type": "state", "create_date:month": "date_order:month", "partner_latitude:sum": "amount_total:sum"}
        groups = answer["results"][0]["groups"]
        answer["results"][0]["groups"] = [{names.get(key, key): item for key, item in row.items()} for row in groups]
        self.assert_answer("read_group", answer)

    def test_writes(self):
        lines = [[0, 0, {"name": "Child"}]]
        asked = create("res.partner", {"name": "New", "child_ids": lines})
        answer = self.answer(asked, mode="write", idempotency_key="order-4711")
        self.assert_answer("create", answer)
        again = self.answer(asked, mode="write", idempotency_key="order-4711")
        self.assert_answer("the same key again", again)
        self.assertEqual((answer["replayed"], again["replayed"]), (False, True))
        answer = self.answer(write("res.partner", self.bare.ids, phone=None), mode="write")
        # what else changes with it is up to the modules that are installed
        answer["results"][0]["records"][0]["changed"] = {
            "phone": answer["results"][0]["records"][0]["changed"]["phone"]
        }
        self.assert_answer("write", answer)
        unlink = {"op": "unlink", "model": "res.partner", "ids": self.bare.ids}
        fault = self.fault(unlink, mode="write", dry_run=True)
        self.assert_agreed_fault("dry run", fault)
        self.assert_answer("unlink", self.answer(unlink, mode="write"))

    def test_call_and_session(self):
        answer = self.answer(call("res.partner", "write", self.partner.ids, {"name": "x"}), mode="run")
        [changed] = answer["results"][0]["changed"]
        self.assertEqual((changed["id"], changed["name"]), (self.partner.id, "x"))
        # which fields change is the method's own affair
        answer["results"][0]["changed"] = [{"id": changed["id"], "display_name": "x", "state": "x"}]
        # nor does each model have a state
        answer["results"][0]["records"][0]["state"] = "x"
        self.assert_answer("call", answer)
        answer = self.answer({"op": "session"})
        agreed = self.agreed("session")["answer"]["results"][0]
        self.assertEqual(list(answer["results"][0]), list(agreed))
        for name in ("user", "company", "connection"):
            self.assertEqual(list(answer["results"][0][name]), list(agreed[name]))
        self.assertEqual(list(answer["results"][0]["companies"][0]), list(agreed["companies"][0]))

    def test_authenticate(self):
        self.settings_admin.tz = "Europe/Brussels"
        answer = self.ask("authenticate", {"proof": self.proof, "ip": "203.0.113.9"})
        self.assert_answer("a live key", answer, "authenticate")
        name = "a live key with limits and address rules of its own"
        agreed = self.agreed(name, "authenticate")["answer"]["connection"]
        ruled, key = self.connect(self.settings_admin)
        ruled.write({member: agreed[member] for member in ("rate_limit_minute", "rate_limit_day")})
        ruled.write({member: "\n".join(agreed[member]) for member in ("allowed_ips", "blocked_ips")})
        answer = self.ask("authenticate", {"proof": credentials.proof(key), "ip": "203.0.113.9"})
        self.assert_answer(name, answer, "authenticate")
        self.assertEqual({**answer["connection"], "id": agreed["id"], "name": agreed["name"]}, agreed)
        self._assert_confined()
        refused = {"proof": credentials.proof(key), "ip": agreed["blocked_ips"][0].partition("/")[0]}
        for method, asked in (
            ("authenticate", refused),
            ("execute", request(refused["proof"], {"op": "session"}, ip=refused["ip"])),
        ):
            fault = self.refused(lambda method=method, asked=asked: self.ask(method, asked))
            self.assert_agreed_fault("an address that is blocked", fault, method)
        connection, key = self.connect(self.settings_admin)
        connection.action_revoke()
        for name, proof in [("an unknown key", "0" * 64), ("a revoked connection", credentials.proof(key))]:
            fault = self.refused(lambda proof=proof: self.ask("authenticate", {"proof": proof, "ip": None}))
            self.assert_agreed_fault(name, fault, "authenticate")
            self.assertEqual(fault.data, self.agreed(name, "authenticate")["fault"]["data"])

    def _assert_confined(self):
        """A connection that may use some models only; the sample's second one need not be installed here."""
        name = "a live key for two models"
        agreed = self.agreed(name, "authenticate")["answer"]["connection"]
        confined, key = self.connect(self.settings_admin)
        models = ["res.country", "res.partner"]
        confined.allowed_models = "\n".join(models)
        proof = credentials.proof(key)
        answer = self.ask("authenticate", {"proof": proof, "ip": "203.0.113.9"})
        self.assert_answer(name, answer, "authenticate")
        ours = {**answer["connection"], "id": agreed["id"], "name": agreed["name"]}
        self.assertEqual(ours, {**agreed, "allowed_models": models})
        self.assertEqual(len(agreed["allowed_models"]), 2)
        fault = self.refused(lambda: self._asked("a model that is not allowed", proof))
        agreed = self.agreed("a model that is not allowed")["fault"]
        self.assertEqual({"code": fault.code, "message": fault.message, "data": fault.data}, agreed)

    def test_hello(self):
        self.settings.previous_public_urls = "https://old.example.com"
        asked = self.agreed("registers a replica", "hello")["request"]
        answer = self.ask("hello", asked)
        self.assert_answer("registers a replica", answer, "hello")
        changes = self.agreed("another database", "changes")["request"]
        self.assert_answer("another database", self.ask("changes", changes), "changes")
        fault = self.refused(lambda: self.ask("hello", self.agreed("other contract version", "hello")["request"]))
        self.assert_agreed_fault("other contract version", fault, "hello")

    def test_append_audit(self):
        connection = self.connect(self.user)[0]
        whose = {"connection": connection.id, "user": self.user.id}
        for name in ("a call", "a call with its payloads", "refusals, summed", "sent again"):
            agreed = self.agreed(name, "append_audit")
            asked = {**agreed["request"]}
            asked["entries"] = [{**told, **whose} if told["user"] else told for told in asked["entries"]]
            answer = self.ask("append_audit", asked)
            self.assertEqual(form(answer), form(agreed["answer"]), name)
            told, ours = agreed["answer"], dict(answer)
            self.assertEqual((ours["stored"], ours["pending"]), (told["stored"], told["pending"]), name)
            for link in ("start", "tip", "newest"):
                self.assertEqual(ours["chain"][link]["sequence"], told["chain"][link]["sequence"], name)
        connection.invalidate_recordset()
        self.assertEqual((connection.request_count, connection.refusal_count), (5, 3))

    def test_check_audit(self):
        entries = [entry() for _ in range(4)]
        self.ask("append_audit", {"replica": REPLICA, "entries": entries})
        for name in ("a chain that nothing was done to", "a sidecar that keeps nothing yet"):
            agreed = self.agreed(name, "check_audit")
            answer = self.ask("check_audit", agreed["request"])
            self.assertEqual(form(answer), form(agreed["answer"]), name)
            self.assertEqual((answer["gap"], answer["window"]), (agreed["answer"]["gap"], agreed["answer"]["window"]))
        agreed = self.agreed("an entry is missing, and an alarm was acknowledged", "check_audit")
        self.env.cr.execute("SELECT set_config('mcp_sidecar.retention', 'on', true)")
        self.env.cr.execute("DELETE FROM mcp_audit_log WHERE replica = %s AND sequence = 2", [REPLICA])
        self.ask("check_audit", agreed["request"])
        alarm = self.env["mcp.audit.alarm"].search([("replica", "=", REPLICA)])
        alarm.note = agreed["answer"]["acknowledged"][0]["note"]
        alarm.action_acknowledge()
        answer = self.ask("check_audit", agreed["request"])
        self.assertEqual(form(answer), form(agreed["answer"]))
        self.assertEqual((answer["gap"], answer["window"]), (agreed["answer"]["gap"], agreed["answer"]["window"]))

    def test_sync_sessions(self):
        connection = self.connect(self.user)[0]
        whose = {"connection": connection.id, "user": self.user.id}
        sessions = self.env["mcp.session"]
        for name in (
            "what changed",
            "nothing changed",
            "one that an administrator has ended",
            "a start, with nothing left from before",
        ):
            agreed = self.agreed(name, "sync_sessions")
            told = [{**one, **whose} for one in agreed["request"]["sessions"]]
            if "ended" in name:
                sessions.search([("session_id", "=", told[0]["session"])]).action_deactivate()
            answer = self.ask("sync_sessions", {**agreed["request"], "sessions": told})
            self.assertEqual(answer, agreed["answer"], name)
        self.assertFalse(sessions.search([("connection_id", "=", connection.id)]))

    def test_schema(self):
        models = self.ask("schema", {"proof": self.proof, "lang": None, "models": None})
        self.assert_answer("the list of models", models, "schema")
        fields = self.ask("schema", {"proof": self.proof, "lang": None, "models": ["res.partner"]})
        found = {field["name"]: field for field in fields["fields"]["res.partner"]}
        for agreed in self.agreed("fields of a model", "schema")["answer"]["fields"]["res.partner"]:
            ours = found[agreed["name"]]
            shared = {key: ours[key] for key in agreed if key in ours}
            self.assertEqual(form(shared), form({key: agreed[key] for key in shared}))
            self.assertLessEqual({"name", "type", "label"}, set(shared))
        out_of_reach = {"proof": self.user_proof, "lang": None, "models": ["ir.cron"]}
        fault = self.refused(lambda: self.ask("schema", out_of_reach))
        self.assert_agreed_fault("a model out of reach", fault, "schema")

    def test_batch(self):
        step = search("res.partner", [["id", "=", 0]], ["name"], total=True)
        calls = [request(self.proof, step), request(self.proof, {**step, "fields": ["nmae"]})]
        answer = self.ask("execute_batch", {"calls": calls})
        agreed = self.agreed("one good and one bad call", "execute_batch")["answer"]["answers"]
        self.assertEqual([form(item) for item in answer["answers"]], [form(item) for item in agreed])
        self.assertEqual(answer["answers"][1]["error"], agreed[1]["error"])
        refused = {**self.agreed("a write in a batch", "execute_batch")["request"]["calls"][0], "proof": self.proof}
        fault = self.refused(lambda: self.ask("execute_batch", {"calls": [refused]}))
        self.assert_agreed_fault("a write in a batch", fault, "execute_batch")
        self.assertEqual(fault.data["at"], "calls.0.mode")

    # === Faults: the sample's own request, made for a live connection ===

    def test_faults(self):
        for name in (
            "a private method",
            "a wrong field",
            "a wrong model",
            "a wrong operator",
            "a wrong command",
            "a foreign context key",
            "not allowed by Odoo",
            "no such record",
            "Odoo refuses the value",
            "Odoo refuses the value of a line",
        ):
            with self.subTest(name=name):
                fault = self.refused(
                    lambda name=name: self._asked(name, self.user_proof if "allowed" in name else None)
                )
                agreed = self.agreed(name)["fault"]
                self.assertEqual({"code": fault.code, "message": fault.message, "data": fault.data}, agreed)

    def _asked(self, name, proof=None, **changes):
        # the samples' record 77 is one that is there
        asked = json.loads(json.dumps(self.agreed(name)["request"]).replace("[77]", str(self.partner.ids)))
        return self.ask("execute", {**asked, "proof": proof or self.proof, **changes})

    def test_faults_of_the_connection_and_of_time(self):
        read_only = self.proof_of(self.settings_admin, "read_only")
        fault = self.refused(lambda: self._asked("a read-only connection writes", read_only))
        self.assert_agreed_fault("a read-only connection writes", fault)
        self.answer(write("res.partner", self.partner.ids, name="x"), mode="write", idempotency_key="order-4711")
        fault = self.refused(lambda: self._asked("the key with other arguments"))
        self.assert_agreed_fault("the key with other arguments", fault)

        def broken(env, step):
            raise ZeroDivisionError

        def away(env, step):
            raise AdminShutdown

        def slow(env, step):
            env.cr.execute("SELECT pg_sleep(5)")

        for name, operation, deadline in [
            ("a fault of Odoo", broken, 30000),
            ("the database is away", away, 30000),
            ("too slow", slow, 100),
        ]:
            operations = patch.dict(executor._OPERATIONS, {"search_read": operation})
            with operations, mute_logger("odoo.sql_db", "odoo.addons.mcp_sidecar.gateway.rpc.faults"):
                fault = self.refused(lambda: self._asked(name, deadline_ms=deadline, context={}))  # noqa: B023
            self.assert_agreed_fault(name, fault, message=name != "too slow")
        self.settings.enabled = False
        self.assert_agreed_fault("the switch is off", self.refused(lambda: self._asked("the switch is off")))


@tagged("-at_install", "post_install")
class TestContractStatus(CommittedCase):
    def test_call_status(self):
        agreed = {case["name"]: case for case in sample("call_status")["cases"]}
        step = create("res.partner.category", {"name": "mcp-status"})
        asked = request(self.committed_proof, step, mode="write")
        told = {"proof": self.committed_proof, "call_id": asked["call_id"]}
        self.addCleanup(self._delete)
        for name, moment in (("unknown", None), ("running", "under way"), ("done", "committed")):
            with self.cursor() as cr:
                env = self._env(cr)
                if moment:
                    self.ask("execute", asked, env=env)
                if moment == "committed":
                    cr.commit()  # pylint: disable=invalid-commit
                answer = self._status(told)
                cr.rollback()
            self.assertEqual(form(answer), form(agreed[name]["answer"]))
            self.assertEqual(answer["state"], name)

    def test_an_entry_of_a_write_that_is_still_running(self):
        agreed = {case["name"]: case for case in sample("append_audit")["cases"]}
        agreed = agreed["a write whose outcome nobody saw"]
        [told] = agreed["request"]["entries"]
        step = create("res.partner.category", {"name": "mcp-status"})
        with self.cursor() as running:
            asked = request(self.committed_proof, step, mode="write", call_id=told["call_id"])
            self.ask("execute", asked, env=self._env(running))
            with self.cursor() as cr:
                told = {**agreed["request"], "entries": [{**told, "connection": self.connection_id}]}
                answer = self.ask("append_audit", told, env=self._env(cr))
                self.assertEqual(form(answer), form(agreed["answer"]))
                self.assertEqual((answer["stored"], answer["pending"]), (0, agreed["answer"]["pending"]))
                cr.rollback()
            running.rollback()

    def test_changes(self):
        agreed = {case["name"]: case for case in sample("changes")["cases"]}
        told = {**agreed["nothing new"]["request"], "cursor": None}
        told["cursor"] = self._changes(told)["cursor"]
        answer = self._changes(told)
        self.assertEqual(form(answer), form(agreed["nothing new"]["answer"]))
        with self.transaction() as env:
            env.ref("mcp_sidecar.settings").rate_limit_minute = 60
            env.ref("mcp_sidecar.settings").previous_public_urls = "https://old.example.com"
            connection = env["mcp.connection"].browse(self.connection_id)
            sessions.sync(env, {"replica": REPLICA, "complete": False, "sessions": [session(connection)]})
            env["mcp.connection"].browse(self.connection_id).notes = "x"
            env["mcp.connection"].browse(self.connection_id).action_revoke()
            env["mcp.event"]._publish("schema")
            env["mcp.connection.check"]._action_start()
        answer = self._changes(told)
        with self.transaction() as env:
            env["mcp.connection.check"].search([]).unlink()
        self.assertEqual(form(answer), form(agreed["something new"]["answer"]))

    def _changes(self, told):
        with self.cursor() as cr:
            return self.ask("changes", told, env=self._env(cr))

    def _env(self, cr):
        return self.env(cr=cr)

    def _status(self, told):
        with self.cursor() as cr:
            return self.ask("call_status", told, env=self._env(cr))

    def _delete(self):
        with self.transaction() as env:
            env["res.partner.category"].search([("name", "=", "mcp-status")]).unlink()
