"""Did-you-mean suggestions for misspelt names."""

import difflib

from .quoting import quoted

# More than these are noise.
_MAX_NAMES = 3
# No name is longer, and comparing costs the product of two lengths.
_MAX_CHARS = 200


def did_you_mean(wanted, names, labels=None):
    """A sentence with the names most like the wanted one, to be set behind a refusal; empty where none is.

    :param labels: what people call each name, by name
    """
    if len(wanted) > _MAX_CHARS:
        return ""
    labels = labels or {}
    spelt = {}
    for name in names:
        for known in (name, labels.get(name) or name):
            spelt.setdefault(known[:_MAX_CHARS].lower(), name)
    found = difflib.get_close_matches(wanted.lower(), spelt, n=_MAX_NAMES)
    shown = [_shown(name, labels) for name in dict.fromkeys(spelt[known] for known in found)]
    return f" Did you mean {' or '.join(shown)}?" if shown else ""


def _shown(name, labels):
    label = labels.get(name)
    return f"{name} ({quoted(label)})" if label else name
