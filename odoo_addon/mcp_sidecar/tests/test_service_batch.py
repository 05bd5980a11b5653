"""Several people's reads in one transaction: nobody sees what another one was allowed to."""

from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.operations import executor
from .gateway_common import GatewayCase, create, request, search

COUNT = {"op": "search_count", "model": "res.partner", "domain": []}


@tagged("-at_install", "post_install")
class TestGatewayBatch(GatewayCase):
    def batch(self, *calls):
        return self.ask("execute_batch", {"calls": list(calls)})["answers"]

    def test_answers_come_in_the_order_asked(self):
        partners = self.env["res.partner"].create([{"name": f"mcp-{i}"} for i in range(4)])
        proofs = [self.proof, self.user_proof, self.proof, self.user_proof]
        calls = [
            request(proof, search("res.partner", [["id", "=", partner.id]]))
            for proof, partner in zip(proofs, partners, strict=True)
        ]
        answers = self.batch(*calls)
        self.assertEqual([answer["call_id"] for answer in answers], [call["call_id"] for call in calls])
        names = [answer["results"][0]["records"][0]["name"] for answer in answers]
        self.assertEqual(names, partners.mapped("name"))

    def test_lines_that_one_person_sees_are_not_in_the_others_answer(self):
        """The cache of a transaction is shared by its users; without care it answers the administrator's lines."""
        parent = self.env["res.partner"].create({"name": "mcp-parent"})
        lines = self.env["res.partner"].create(
            [{"name": name, "parent_id": parent.id, "ref": name} for name in ("mcp-open", "mcp-secret")]
        )
        self.env["ir.rule"].create(
            {
                "name": "mcp: no secrets",
                "model_id": self.env.ref("base.model_res_partner").id,
                "groups": [(6, 0, self.env.ref("mcp_sidecar.group_user").ids)],
                "domain_force": "['|', ('ref', '=', False), ('ref', '!=', 'mcp-secret')]",
            }
        )
        step = search("res.partner", [["id", "=", parent.id]], ["child_ids"])
        for proofs in ([self.proof, self.user_proof], [self.user_proof, self.proof]):
            answers = dict(zip(proofs, self.batch(*(request(proof, step) for proof in proofs)), strict=True))
            seen = {proof: answer["results"][0]["records"][0]["child_ids"] for proof, answer in answers.items()}
            self.assertEqual(set(seen[self.proof]), set(lines.ids))
            self.assertEqual(seen[self.user_proof], lines[0].ids)

    def test_the_same_person_in_another_context_is_apart_too(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env.ref("base.be").with_context(lang="fr_FR").name = "Belgique"
        step = search("res.country", [["code", "=", "BE"]])
        calls = [request(self.proof, step, context={"lang": lang}) for lang in ("en_US", "fr_FR", "en_US")]
        names = [answer["results"][0]["records"][0]["name"] for answer in self.batch(*calls)]
        self.assertEqual(names, ["Belgium", "Belgique", "Belgium"])

    def test_each_call_runs_as_its_person(self):
        seen = []

        def spying(env, step):
            seen.append((env.uid, env.su, env.transaction.default_env.uid))
            return {"count": 0}

        with patch.dict(executor._OPERATIONS, {"search_count": spying}):
            self.batch(*(request(proof, COUNT) for proof in (self.proof, self.user_proof, self.proof)))
        people = {self.settings_admin.id, self.user.id}
        self.assertEqual({uid for uid, _su, _default in seen}, people)
        self.assertTrue(all(uid == default and not su for uid, su, default in seen))

    def test_a_persons_calls_are_done_one_after_the_other(self):
        """Between people the cache is emptied, which costs each time."""
        order = []

        def spying(env, step):
            order.append(env.uid)
            return {"count": 0}

        with patch.dict(executor._OPERATIONS, {"search_count": spying}):
            self.batch(*(request(proof, COUNT) for proof in [self.proof, self.user_proof] * 3))
        self.assertEqual(order, sorted(order))

    def test_one_bad_call_harms_no_other(self):
        def broken(env, step):
            if step["domain"]:
                env.cr.execute("SELECT 1 / 0")
            return {"count": 7}

        def writing(env, step):
            env.cr.execute("DELETE FROM res_partner_category")

        operations = {"search_count": broken, "name_search": writing}
        write = {"op": "name_search", "model": "res.partner.category", "name": "", "domain": [], "limit": 1}
        good, bad = request(self.proof, COUNT), {**COUNT, "domain": [["name", "=", "x"]]}
        calls = [good, request(self.proof, bad), good, request(self.proof, write), good]
        calls += [request("0" * 64, COUNT), request(self.proof, search("res.partner", fields=["nmae"])), good]
        with patch.dict(executor._OPERATIONS, operations), mute_logger("odoo.sql_db"):
            answers = self.batch(*calls)
        for index in (0, 2, 4, 7):
            self.assertEqual(answers[index]["results"], [{"count": 7}])
        codes = {index: answers[index]["error"]["code"] for index in (1, 3, 5, 6)}
        self.assertEqual(codes, {1: "invalid", 3: "method_denied", 5: "unauthenticated", 6: "unknown_field"})
        error = {"model": "res.partner", "field": "nmae"}
        self.assertEqual(answers[6]["error"]["data"], error)
        self.assertEqual(answers[6]["call_id"], calls[6]["call_id"])

    def test_it_is_read_only_and_ends_with_the_batch(self):
        step = create("res.partner", {"name": "x"})
        fault = self.refused(lambda: self.batch(request(self.proof, COUNT), request(self.proof, step, mode="write")))
        self.assert_fault(fault, "bad_request", at="calls.1.mode")
        self.assertEqual(self.batch(request(self.proof, step))[0]["error"]["code"], "method_denied")
        self.env["res.partner"].create({"name": "writable again"}).flush_recordset()

    def test_each_call_has_its_own_deadline(self):
        def sleeps(env, step):
            env.cr.execute("SELECT pg_sleep(%s)", [20 if step["domain"] else 0])
            return {"count": 1}

        slow = request(self.proof, {**COUNT, "domain": [["name", "=", "x"]]}, deadline_ms=200)
        with patch.dict(executor._OPERATIONS, {"search_count": sleeps}), mute_logger("odoo.sql_db"):
            answers = self.batch(request(self.proof, COUNT), slow, request(self.proof, COUNT))
        self.assertEqual(answers[1]["error"]["code"], "deadline")
        self.assertEqual(answers[1]["error"]["data"], {"deadline_ms": 200})
        self.assertEqual([answers[0]["results"], answers[2]["results"]], [[{"count": 1}]] * 2)

    def test_its_pages_hold_what_single_calls_hold(self):
        steps = [search("res.country", limit=3, order="code"), search("res.currency", limit=3), COUNT]
        single = [self.run_one(step) for step in steps]
        self.assertEqual(
            [answer["results"][0] for answer in self.batch(*(request(self.proof, s) for s in steps))], single
        )
