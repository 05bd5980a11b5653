"""What a misspelt name may have meant."""

import difflib

from .quoting import quoted

# More than these are noise.
_MOST = 3
# No name is longer, and comparing costs the product of two lengths.
_LONGEST = 200


def hint(wanted, names, labels=None):
    """A sentence with the names most like the wanted one, to be set behind a refusal; empty where none is.

    :param labels: what people call each name, by name
    """
    if len(wanted) > _LONGEST:
        return ""
    labels = labels or {}
    spelt = {}
    for name in names:
        for known in (name, labels.get(name) or name):
            spelt.setdefault(known[:_LONGEST].lower(), name)
    found = difflib.get_close_matches(wanted.lower(), spelt, n=_MOST)
    shown = [_shown(name, labels) for name in dict.fromkeys(spelt[known] for known in found)]
    return f" Did you mean {' or '.join(shown)}?" if shown else ""


def _shown(name, labels):
    label = labels.get(name)
    return f"{name} ({quoted(label)})" if label else name
