"""Unicode normalization and pattern escaping of the texts that people search by."""

import re
import unicodedata

_WILDCARDS = re.compile(r"([\\%_])")


def literal(text):
    """The pattern that matches this text and nothing else."""
    return _WILDCARDS.sub(r"\\\1", text)


def forms(text):
    """The text as it is and, where these differ, composed (NFC) and decomposed (NFD), which differ in PostgreSQL."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys((text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))))
