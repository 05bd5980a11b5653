"""Slices of long values: `name[5000:]` among the fields to read is the value from its 5000th character or entry on."""

import re

from ..rpc import faults

_SLICE = re.compile(r"(\w+)\[(\d{0,9}):(\d{0,9})\]")


def parsed(asked):
    """The names of the fields, and by name the part that is wanted of its value."""
    parts = {}
    for position, text in enumerate(asked or ()):
        if match := _SLICE.fullmatch(text):
            if match[1] in parts:
                raise faults.bad_request(f"fields.{position}", f"Ask for one part of {match[1]} at a time.")
            parts[match[1]] = slice(int(match[2] or 0), int(match[3]) if match[3] else None)
    names = None if asked is None else [match[1] if (match := _SLICE.fullmatch(text)) else text for text in asked]
    return names, parts


def beginnings(asked):
    """Where the wanted parts begin, by name of the field."""
    _names, parts = parsed(asked)
    return {name: part.start for name, part in parts.items()}


def applied(rows, parts):
    """The rows with these parts of their values."""
    for row in rows:
        for name, part in parts.items():
            if isinstance(row.get(name), (str, list)):
                row[name] = row[name][part]
    return rows
