"""Lookup of selection labels: what people see instead of the values, in each language that the caller may read."""

from ..quoting import quoted


def values_called(model, field, text):
    """The values that the text means without being one of them: labels, in any case, and values in another case."""
    if not isinstance(text, str) or not text.strip():
        return []
    wanted = _folded(text)
    found = [value for value in field.get_values(model.env) if _folded(value) == wanted]
    found = found or [value for value, label in _labels(model, field) if _folded(label) == wanted]
    return list(dict.fromkeys(found))


def values_matching(model, field, text):
    """The values whose label holds the text."""
    wanted = _folded(text)
    return list(dict.fromkeys(value for value, label in _labels(model, field) if wanted in _folded(label)))


def _labels(model, field):
    """Each value with its label in the language of the call, in the user's own and in English."""
    env = model.env
    languages = dict.fromkeys(filter(None, (env.lang, env.user.lang, "en_US")))
    return [
        (value, str(label))
        for lang in languages
        for value, label in field._description_selection(env(context={**env.context, "lang": lang}))
    ]


def sentence(text, found):
    """What the text means, as the beginning of a sentence."""
    return f"{quoted(text)} stands for {' or '.join(quoted(value) for value in found)}"


def _folded(text):
    return " ".join(str(text).split()).casefold()
