"""The translations: complete, and with the same places for values as the texts that they stand for."""

import re
from collections import Counter
from pathlib import Path

import polib

from odoo.tests import BaseCase, tagged

FOLDER = Path(__file__).parents[1] / "i18n"
_PLACE = re.compile(r"%(?:\(\w+\))?[sdf]|</?\w+")


def texts(path):
    return {entry.msgid: entry for entry in polib.pofile(str(path))}


@tagged("-at_install", "post_install")
class TestTranslations(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.template = texts(FOLDER / "mcp_sidecar.pot")
        cls.languages = {path.stem: texts(path) for path in FOLDER.glob("*.po")}

    def test_there_are_four_at_least(self):
        self.assertLessEqual({"ar", "de", "es", "fr"}, set(self.languages))

    def test_each_is_complete(self):
        for language, found in self.languages.items():
            with self.subTest(language=language):
                missing = [
                    text
                    for text in self.template
                    if text not in found or not found[text].msgstr or "fuzzy" in found[text].flags
                ]
                self.assertFalse(missing)

    def test_values_have_their_places(self):
        for language, found in self.languages.items():
            for text, entry in found.items():
                with self.subTest(language=language, text=text):
                    self.assertEqual(Counter(_PLACE.findall(entry.msgstr)), Counter(_PLACE.findall(text)))
