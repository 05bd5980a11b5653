"""The text form of credentials."""

from __future__ import annotations

import hashlib
import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def unknown_key() -> str:
    """An API key in perfect form that was never issued."""
    signed = "mcp_ak_" + "".join(secrets.choice(ALPHABET) for _ in range(43))
    value, checksum = zlib.crc32(signed.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        checksum = ALPHABET[digit] + checksum
    return signed + checksum


def mistyped(key: str) -> str:
    """The same key with one character changed, so that its checksum is wrong."""
    return key[:20] + ("a" if key[20] != "a" else "b") + key[21:]


def proof(key: str) -> str:
    """What the sidecar shows to Odoo for a key."""
    return hashlib.sha256(key.encode()).hexdigest()
