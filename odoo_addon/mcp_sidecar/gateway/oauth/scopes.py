"""Scopes: the names of OAuth for what a connection may do. ``mcp:write`` includes ``mcp:read``."""

FULL, READ_ONLY = "full", "read_only"
_NAMES = {FULL: ["mcp:read", "mcp:write"], READ_ONLY: ["mcp:read"]}


def names(scope):
    return list(_NAMES[scope])


def asked(wanted):
    """The scope that a list of names asks for, or None where it asks for none that is known here."""
    if "mcp:write" in (wanted or ()):
        return FULL
    return READ_ONLY if "mcp:read" in (wanted or ()) else None


def narrower(*scopes):
    """The narrowest of these; None and False limit nothing."""
    return READ_ONLY if READ_ONLY in scopes else FULL
