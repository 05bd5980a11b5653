"""The text form of credentials, under the name that the tests import."""

from testkit.credentials import mistyped, proof, unknown_key

__all__ = ["mistyped", "proof", "unknown_key"]
