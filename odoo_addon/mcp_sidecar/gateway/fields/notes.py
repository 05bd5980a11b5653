"""Notes of an answer, beside its records: how the result differs from what a caller may expect."""

# A call over a thousand records has the same few things to say of each.
_MAX_NOTES = 20


class Notes:
    """Sentences, each once."""

    def __init__(self, sentences=()):
        self._sentences = dict.fromkeys(sentences)

    def add(self, sentence):
        self._sentences.setdefault(sentence)

    def read_only(self, model, field):
        self.add(
            f"{field.name} of {model._name} is read-only in Odoo's forms, where its own code sets it; "
            "it was written as sent."
        )

    def added_to(self, answer):
        """The answer, with the notes where there are any."""
        sentences = list(self._sentences)
        if len(sentences) > _MAX_NOTES:
            sentences[_MAX_NOTES:] = [f"And {len(sentences) - _MAX_NOTES} more."]
        return {**answer, "notes": sentences} if sentences else answer
