"""Being the person: rights, pending work, language, time zone and companies."""

from unittest.mock import patch

from odoo import SUPERUSER_ID
from odoo.tests import tagged

from ..gateway.auth import credentials
from ..gateway.operations import executor
from .gateway_common import GatewayCase, call, create, search, write


@tagged("-at_install", "post_install")
class TestExecutorIdentity(GatewayCase):
    def test_records_are_created_by_the_person(self):
        line = [0, 0, {"name": "mcp-child"}]
        result = self.run_one(create("res.partner", {"name": "mcp-parent", "child_ids": [line]}), mode="write")
        parent = self.env["res.partner"].browse(result["records"][0]["id"])
        self.assertEqual((parent + parent.child_ids).create_uid, self.settings_admin)
        self.assertEqual(len(parent.child_ids), 1)

    def test_pending_computes_run_as_the_person(self):
        seen = []
        compute = type(self.env["res.partner"])._compute_complete_name

        def spying(records):
            seen.append((records.env.transaction.default_env.uid, records.env.transaction.default_env.su))
            return compute(records)

        with patch.object(type(self.env["res.partner"]), "_compute_complete_name", spying):
            partner = self.env["res.partner"].create({"name": "mcp-computed"})
            self.env.flush_all()
            seen.clear()
            self.execute(write("res.partner", partner.ids, name="mcp-renamed"), mode="write")
        self.assertEqual(set(seen), {(self.settings_admin.id, False)})

    def test_what_code_leaves_pending_is_flushed_as_the_person(self):
        users = []

        def leaves(env, step):
            env.cr.precommit.add(lambda: users.append(env.transaction.default_env.uid))
            return {"count": 0}

        with patch.dict(executor._OPERATIONS, {"search_count": leaves}):
            self.execute({"op": "search_count", "model": "res.partner", "domain": []}, mode="write")
        self.assertEqual(users, [self.settings_admin.id])

    def test_nobody_becomes_the_superuser(self):
        principal = self.env["mcp.credential"]._resolve(self.proof)._replace(user_id=SUPERUSER_ID)
        with patch.object(type(self.env["mcp.credential"]), "_resolved", lambda *args: principal):
            fault = self.fault(search("res.partner"))
        self.assert_fault(fault, "unauthenticated", reason="user")

    def test_an_unknown_proof_is_refused(self):
        self.assert_fault(self.fault(search("res.partner"), proof="0" * 64), "unauthenticated", reason="unknown")

    # === Scope and tools ===

    def test_a_reading_connection_can_not_write(self):
        proof = self.proof_of(self.settings_admin, scope="read_only")
        for mode in ("write", "run"):
            self.assert_fault(self.fault(create("res.partner", {"name": "x"}), mode=mode, proof=proof), "read_only")
        self.assertTrue(self.run_one(search("res.partner"), proof=proof)["records"])

    def test_a_mode_covers_its_operations_only(self):
        cases = [
            (create("res.partner", {"name": "x"}), "read", "create"),
            (write("res.partner", [1], name="x"), "read", "write"),
            ({"op": "unlink", "model": "res.partner", "ids": [1]}, "read", "unlink"),
            (call("res.partner", "write", [1], {"name": "x"}), "read", "write"),
            (call("res.partner", "action_archive", [1]), "write", "action_archive"),
        ]
        for step, mode, method in cases:
            with self.subTest(method=method):
                self.assert_fault(self.fault(step, mode=mode), "method_denied", model="res.partner", method=method)

    def test_only_allowed_tools(self):
        connection, key = self.connect(self.settings_admin)
        connection.allowed_tools = "search_read\nget_record"
        proof = credentials.proof(key)
        self.assert_fault(self.fault(search("res.partner"), proof=proof, tool="other"), "tool_denied", tool="other")
        self.assertTrue(self.execute(search("res.partner"), proof=proof, tool="get_record"))

    # === Context ===

    def test_the_persons_language_and_time_zone_are_the_default(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.settings_admin.write({"lang": "fr_FR", "tz": "Asia/Tokyo"})
        session = self.run_one({"op": "session"})
        self.assertEqual((session["user"]["lang"], session["tz"]), ("fr_FR", "Asia/Tokyo"))
        country = self.env.ref("base.be")
        country.with_context(lang="fr_FR").name = "Belgique"
        found = self.run_one(search("res.country", [["code", "=", "BE"]]))["records"]
        self.assertEqual(found[0]["name"], "Belgique")
        found = self.run_one(search("res.country", [["code", "=", "BE"]]), context={"lang": "en_US"})["records"]
        self.assertEqual(found[0]["name"], "Belgium")

    def test_any_other_context_is_refused_by_name(self):
        other = self.env["res.company"].create({"name": "Not theirs"})
        cases = {
            "tracking_disable": True,
            "default_name": "x",
            "bin_size": True,
            "lang": "xx_XX",
            "tz": "Mars/Olympus",
            "allowed_company_ids": [other.id],
            "active_test": 0,
        }
        for key, value in cases.items():
            with self.subTest(key=key):
                self.assert_fault(self.fault(search("res.partner"), context={key: value}), "invalid_context", key=key)
        for value in ([], [True], "1", None, [[1]]):
            fault = self.fault(search("res.partner"), context={"allowed_company_ids": value})
            self.assert_fault(fault, "invalid_context", key="allowed_company_ids")
        for value in ([], {}, 5, None):
            self.assert_fault(self.fault(search("res.partner"), context={"lang": value}), "invalid_context", key="lang")
            self.assert_fault(self.fault(search("res.partner"), context={"tz": value}), "invalid_context", key="tz")

    def test_a_context_inside_kwargs_is_refused(self):
        step = call("res.partner", "default_get", [], ["name"], context={"default_name": "x"})
        self.assert_fault(self.fault(step), "invalid_context", key="context")

    def test_given_companies_are_the_ones_used(self):
        other = self.env["res.company"].create({"name": "Second"})
        self.settings_admin.company_ids += other
        own = self.settings_admin.company_id
        for ids in ([other.id], [other.id, own.id]):
            session = self.run_one({"op": "session"}, context={"allowed_company_ids": ids})
            self.assertEqual(session["company"], {"id": other.id, "name": "Second"})
        self.assertEqual(self.run_one({"op": "session"})["company"]["id"], own.id)

    def test_archived_records_on_request(self):
        partner = self.env["res.partner"].create({"name": "mcp-archived", "active": False})
        step = search("res.partner", [["name", "=", "mcp-archived"]])
        self.assertEqual(self.run_one(step)["records"], [])
        found = self.run_one(step, context={"active_test": False})["records"]
        self.assertEqual(found, [{"id": partner.id, "name": "mcp-archived"}])

    def test_session_tells_who_and_where(self):
        session = self.run_one({"op": "session"})
        self.assertEqual(session["user"]["login"], self.settings_admin.login)
        self.assertEqual(session["scope"], "full")
        self.assertEqual(session["connection"]["name"], "Test tool")
        self.assertIn("en_US", session["languages"])
        self.assertRegex(session["now"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        plain = self.run_one({"op": "session"}, proof=self.user_proof)
        self.assertEqual(plain["user"]["id"], self.user.id)
