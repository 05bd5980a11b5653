"""Credentials that nobody issued: for the flood of bad keys."""

from __future__ import annotations

import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def unknown_key() -> str:
    """An API key in perfect form that does not exist."""
    signed = "mcp_ak_" + "".join(secrets.choice(ALPHABET) for _ in range(43))
    return signed + _checksum(signed)


def mistyped_key() -> str:
    """An API key whose checksum is wrong."""
    key = unknown_key()
    return key[:-1] + ("0" if key[-1] != "0" else "1")


def _checksum(signed: str) -> str:
    value = zlib.crc32(signed.encode())
    digits = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return digits
