"""How requests are read: what is accepted, and where a refusal says the fault is."""

import json

from odoo.tests import BaseCase, tagged

from ..exceptions import GatewayError
from ..gateway import endpoint
from ..gateway.rpc import contract, validation

PROOF = "0" * 64


def asked(**changes):
    return {
        "call_id": "0b7e9c1e-6f7a-4f0e-9c55-1f2f6a1b2c3d",
        "proof": PROOF,
        "ip": None,
        "tool": "t",
        "mode": "read",
        "steps": [{"op": "search_count", "model": "res.partner", "domain": []}],
        "context": {},
        "dry_run": False,
        "deadline_ms": 30000,
        "idempotency_key": None,
        **changes,
    }


@tagged("-at_install", "post_install")
class TestGatewayShapes(BaseCase):
    def assert_refused_at(self, at, value, shape=contract.EXECUTE):
        with self.assertRaises(GatewayError) as caught:
            validation.decode(shape, json.dumps(value))
        self.assertEqual((caught.exception.code, caught.exception.data["at"]), ("bad_request", at))

    def test_each_member_is_checked(self):
        wrong = {
            "call_id": ["", "x", 5, None],
            "proof": ["", "0" * 63, "G" * 64, 5],
            "ip": [5, "x" * 101],
            "tool": ["", 5, "x" * 201],
            "mode": ["all", None, 1],
            "context": [[], None],
            "dry_run": [0, "false", None],
            "deadline_ms": [99, 300_001, 1.5, True, "1000"],
            "idempotency_key": ["", 5, "x" * 256],
        }
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assert_refused_at(name, asked(**{name: value}))

    def test_each_step_is_checked(self):
        step = {"op": "search_read", "model": "m", "domain": [], "fields": None}
        step |= {"limit": 1, "offset": 0, "order": None, "total": False}
        cases = {
            "steps.0.op": {**step, "op": "drop"},
            "steps.0.limit": {**step, "limit": 1001},
            "steps.0.offset": {**step, "offset": -1},
            "steps.0.domain": {**step, "domain": "[]"},
            "steps.0.fields.1": {**step, "fields": ["name", 1]},
            "steps.0.total": {**step, "total": None},
            "steps.0.surprise": {**step, "surprise": 1},
            "steps.0.model": {key: value for key, value in step.items() if key != "model"},
        }
        for at, faulty in cases.items():
            with self.subTest(at=at):
                self.assert_refused_at(at, asked(steps=[faulty]))
        self.assert_refused_at("steps.0", asked(steps=["search_read"]))
        self.assert_refused_at("steps", asked(steps=[]))
        self.assert_refused_at("steps", asked(steps=[step] * 101))

    def test_ids_are_integers_each_kept_once(self):
        reading = {"op": "read", "model": "m", "ids": [3, 1, 3], "fields": None}
        decoded = validation.decode(contract.EXECUTE, json.dumps(asked(steps=[reading])))
        self.assertEqual(decoded["steps"][0]["ids"], [3, 1])
        # a view that joins tables has negative ones
        decoded = validation.decode(contract.EXECUTE, json.dumps(asked(steps=[{**reading, "ids": [-3, 3, -3]}])))
        self.assertEqual(decoded["steps"][0]["ids"], [-3, 3])
        for value in ("1", 1.0, True, 0, -(2**31), 2**31, None, [1]):
            with self.subTest(value=value):
                self.assert_refused_at("steps.0.ids.1", asked(steps=[{**reading, "ids": [1, value]}]))
        self.assert_refused_at("steps.0.ids", asked(steps=[{**reading, "ids": []}]))

    def test_sentences_name_the_member_and_leave_its_place_to_the_data(self):
        reading = {"op": "read", "model": "m", "ids": [1], "fields": None}
        cases = {
            "An entry of ids has to be an id, which 0 is not.": asked(steps=[{**reading, "ids": [0]}]),
            "ids has to have 1 to 1000 entries.": asked(steps=[{**reading, "ids": []}]),
            "ids has to be a list.": asked(steps=[{**reading, "ids": 1}]),
            "An entry of steps has to be an object.": asked(steps=["read"]),
            '"surprise" is not known here.': asked(steps=[{**reading, "surprise": 1}]),
            "model is missing.": asked(steps=[{"op": "read", "ids": [1], "fields": None}]),
            "mode has to be one of read, write, run.": asked(mode="all"),
            "The request has to be an object.": [],
        }
        for sentence, value in cases.items():
            with self.subTest(sentence), self.assertRaises(GatewayError) as caught:
                validation.decode(contract.EXECUTE, json.dumps(value))
            self.assertEqual(caught.exception.message, sentence)

    def test_nullable_members_may_be_left_out(self):
        request = asked()
        del request["idempotency_key"], request["ip"]
        decoded = validation.decode(contract.EXECUTE, json.dumps(request))
        self.assertIsNone(decoded["idempotency_key"])

    def test_what_is_no_json_or_can_not_be_stored_is_refused(self):
        deep = "[" * 100_000 + "]" * 100_000
        for text in (
            "",
            "{",
            "NaN",
            "1e999",
            '{"a": Infinity}',
            deep,
            '{"proof": "\\u0000"}',
            '{"proof": "\\ud800"}',
            b"{}",
            None,
        ):
            with self.subTest(text=str(text)[:20]), self.assertRaises(GatewayError) as caught:
                validation.decode(contract.CALL_STATUS, text)
            self.assertEqual(caught.exception.code, "bad_request")

    def test_text_that_looks_like_an_escape_is_kept(self):
        context = {"a": "\\u0000 \\ud800 😀"}
        self.assertEqual(validation.decode(contract.EXECUTE, json.dumps(asked(context=context)))["context"], context)

    def test_a_hello_of_another_contract_is_told_so_whatever_else_it_holds(self):
        with self.assertRaises(GatewayError) as caught:
            validation.decode(contract.HELLO, json.dumps({"contract": 2, "new_member": 1}))
        self.assertEqual((caught.exception.code, caught.exception.data), ("contract", {"addon": 1, "sidecar": 2}))

    def test_answers_are_compact_and_fit_into_xml(self):
        self.assertEqual(endpoint.encode({"a": [1, "é😀"]}), '{"a":[1,"é😀"]}')
        text = endpoint.encode(["\x00\x1f\ufffe\uffff"])
        self.assertEqual(json.loads(text), ["\x00\x1f\ufffe\uffff"])
        self.assertTrue(text.isascii() and text.isprintable())


@tagged("-at_install", "post_install")
class TestLenientShapes(BaseCase):
    """What a sidecar has in its spool would be sent again for ever, so that it is mended rather than refused."""

    def decoded(self, **value):
        shape = validation.lenient(validation.record(text=validation.cut(3), number=validation.clamped(1, 9)))
        return validation.decode(shape, json.dumps({"text": "", "number": 5, **value}))

    def test_texts_are_cut_and_what_can_not_be_stored_is_replaced(self):
        for text, stored in (("abcd", "abc"), ("a\0b", "a\ufffdb"), ("\ud800", "\ufffd"), ("\\u0000", "\\u0")):
            self.assertEqual(self.decoded(text=text)["text"], stored)

    def test_numbers_are_brought_into_their_bounds(self):
        self.assertEqual([self.decoded(number=number)["number"] for number in (-5, 0, 1, 9, 10**30)], [1, 1, 1, 9, 9])

    def test_types_and_members_are_checked_all_the_same(self):
        for value in ({"text": 1}, {"text": None}, {"number": "1"}, {"number": True}, {"other": 1}, {"a\0": 1}):
            with self.assertRaises(GatewayError) as caught:
                self.decoded(**value)
            self.assertEqual(caught.exception.code, "bad_request")

    def test_other_requests_are_still_refused(self):
        with self.assertRaises(GatewayError):
            validation.decode(validation.record(text=validation.cut(3)), json.dumps({"text": "\0"}))

    def test_instants(self):
        for good in ("2026-11-22T13:30:00Z", "2024-02-29T23:59:59.125Z", "2026-11-22T13:30:00.123456Z"):
            self.assertEqual(validation.instant(good, "time"), good)
        for bad in (
            "2026-11-22",
            "2026-11-22T13:30:00",
            "2026-11-22T13:30:00+01:00",
            "2026-02-29T00:00:00Z",
            5,
            None,
            "",
        ):
            with self.subTest(bad), self.assertRaises(GatewayError):
                validation.instant(bad, "time")
