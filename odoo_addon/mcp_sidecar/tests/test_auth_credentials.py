import json
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..gateway.auth import credentials

VECTORS = Path(__file__).parents[3] / "tests" / "wire" / "credentials.json"


@tagged("-at_install", "post_install")
class TestCredentialText(BaseCase):
    def setUp(self):
        super().setUp()
        if not VECTORS.exists():
            self.skipTest("the shared test vectors are not beside the addon")
        self.vectors = json.loads(VECTORS.read_text())

    def test_vectors_give_kind_proof_and_digest(self):
        self.assertEqual(self.vectors["alphabet"], credentials.ALPHABET)
        for vector in self.vectors["good"]:
            with self.subTest(vector["text"]):
                kind = credentials.kind_of(vector["text"])
                self.assertEqual(credentials.PREFIXES[kind], vector["kind"])
                self.assertEqual(credentials.proof(vector["text"]), vector["proof"])
                self.assertEqual(credentials.digest(vector["proof"]), vector["digest"])

    def test_damaged_texts_have_no_kind(self):
        for vector in self.vectors["bad"]:
            with self.subTest(vector["text"]):
                self.assertIsNone(credentials.kind_of(vector["text"]))

    def test_what_is_generated_is_well_formed_and_new_each_time(self):
        for kind in credentials.PREFIXES:
            texts = {credentials.generate(kind) for _attempt in range(50)}
            self.assertEqual(len(texts), 50)
            self.assertEqual({credentials.kind_of(text) for text in texts}, {kind})

    def test_extreme_secrets_keep_the_length(self):
        for secret in (bytes(32), b"\xff" * 32):
            self.assertEqual(len(credentials.assemble("api_key", secret)), 7 + 43 + 6)

    def test_what_is_no_proof_has_no_digest(self):
        good = "ab" * 32
        self.assertTrue(credentials.digest(good))
        for bad in (None, 5, b"ab" * 32, "", "ab", good.upper(), good + "ab", good[:-1] + "g", good + "\n", [good]):
            with self.subTest(bad):
                self.assertIsNone(credentials.digest(bad))
