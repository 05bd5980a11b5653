"""Redaction of secrets in messages: code in Odoo may raise any text, which is answered and logged.

Known by their shape, or by the name before them, as in ``src/audit/shapes.rs`` of the sidecar. Too much hidden is
better than too little.
"""

import re

MASK = "***"

# Far more than any sentence has that is answered; each rule reads a text a few times at most.
_MAX_CHARS = 4000
# Longer words are no secrets that are known by their shape.
_MAX_WORD_CHARS = 300

_NAMES = (
    r"pass_?word|passwd|pass_?phrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key"
    r"|authorization|credential|cookie|totp|otp[-_]?code"
)
_BEGINNINGS = (
    r"sk[-_]|[rp]k_|whsec_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|SG\.|npm_|hf_|eyJ"
)
_IN_FULL = re.compile(
    rf"""-----BEGIN\ [^-]*PRIVATE\ KEY-----(?:.*?-----END\ [^-]*-----|.*)
    | mcp_(?:ak|at|rt|ac|cs)_[0-9A-Za-z]*
    | (?<![0-9A-Za-z])(?:{_BEGINNINGS})[\w.~+/=%-]{{8,}}
    | (?<![0-9a-f-])[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}(?![0-9a-f-])
    """,
    re.VERBOSE | re.DOTALL,
)
_BEHIND = (
    re.compile(r"(?<![0-9A-Za-z])((?:bearer|basic) +)[\w.~+/=%-]{8,}", re.IGNORECASE),
    re.compile(r"(://)[^\s/?#\"'<>]+(?=@)"),
    re.compile(
        rf"((?<![\w-])[\w-]*(?:{_NAMES})[\w-]*[\"'\\ ]*[=:][\\ =]*)(?:\"[^\"]*\"?|'[^']*'?|[^\s&,;\"']+)",
        re.IGNORECASE,
    ),
)
_WORD = re.compile(r"[0-9A-Za-z_-]{32,}")
_HEX = re.compile(r"[0-9A-Fa-f]+")


def redact(text):
    """The text without its secrets, as much of it as a sentence can have."""
    text = _head(str(text))
    text = _IN_FULL.sub(MASK, text)
    for pattern in _BEHIND:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return _WORD.sub(_without_random, text)


def _head(text):
    """The beginning of a text, without a word that is cut: half of a secret isn't known by its shape."""
    if len(text) <= _MAX_CHARS:
        return text
    head = text[:_MAX_CHARS]
    # what stands before the last white space
    whole = re.sub(rf"\S{{1,{_MAX_WORD_CHARS}}}\Z", "", head)
    return f"{whole}…"


def _without_random(match):
    return MASK if _is_random(match[0]) else match[0]


def _is_random(word):
    """Whether it looks as if it were drawn by lot: a key or token without a name or a beginning."""
    digits = sum(character.isdigit() for character in word)
    upper = sum(character.isupper() for character in word)
    lower = sum(character.islower() for character in word)
    if _HEX.fullmatch(word):
        return digits > 0 and upper + lower > 0
    if upper and lower:
        # names of models and modules have no capitals, those of classes no digits
        return digits >= 3
    return word.isalnum() and digits >= 6 and upper + lower >= 6
