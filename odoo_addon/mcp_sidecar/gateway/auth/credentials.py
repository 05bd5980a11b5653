"""Credential format: prefix, random body and checksum, and the digest that is stored of it.

A text is a prefix that names its kind, 43 base62 characters of 256 random bits, and 6 base62 characters of the CRC-32
over all before them. The checksum catches typing errors, not attackers. The holder shows the *proof*, SHA-256 of the
text, and Odoo keeps the *digest*, SHA-256 of the proof's 32 bytes: what lies in the database can't be replayed.
"""

import hashlib
import re
import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIXES = {
    "api_key": "mcp_ak_",
    "access_token": "mcp_at_",
    "refresh_token": "mcp_rt_",
    "authorization_code": "mcp_ac_",
    "client_secret": "mcp_cs_",
}
BODY_LENGTH = 43
CHECKSUM_LENGTH = 6

_PROOF = re.compile(r"[0-9a-f]{64}")
_BASE62 = re.compile(rf"[0-9A-Za-z]{{{BODY_LENGTH + CHECKSUM_LENGTH}}}")


def generate(kind):
    """A new credential's text. It can't be recovered: show it once."""
    return assemble(kind, secrets.token_bytes(32))


def random_text():
    """256 random bits as a text of 43 base62 characters, for a secret that is no credential."""
    return _base62(int.from_bytes(secrets.token_bytes(32)), BODY_LENGTH)


def assemble(kind, secret):
    """The text of a kind that carries these 32 bytes."""
    head = PREFIXES[kind] + _base62(int.from_bytes(secret), BODY_LENGTH)
    return head + checksum(head)


def checksum(head):
    """Six base62 characters of the CRC-32 over prefix and body."""
    return _base62(zlib.crc32(head.encode()), CHECKSUM_LENGTH)


def kind_of(text):
    """The kind that a well-formed text belongs to, or None for any other text."""
    for kind, prefix in PREFIXES.items():
        body = text.removeprefix(prefix)
        if body != text and _BASE62.fullmatch(body):
            head = text[:-CHECKSUM_LENGTH]
            return kind if checksum(head) == text[-CHECKSUM_LENGTH:] else None
    return None


def proof(text):
    """What the holder's side shows instead of the text: hex SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest(proof_hex):
    """What the database keeps of a proof, or None where it is no proof at all."""
    if not isinstance(proof_hex, str) or not _PROOF.fullmatch(proof_hex):
        return None
    return hashlib.sha256(bytes.fromhex(proof_hex)).hexdigest()


def _base62(number, length):
    characters = []
    for _position in range(length):
        number, digit = divmod(number, 62)
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))
