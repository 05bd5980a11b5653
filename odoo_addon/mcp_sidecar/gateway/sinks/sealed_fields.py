"""Fields that hold a secret, read by an evaluated text: it gets a seal for a token, and nothing for any other secret.

`models/base.py` refuses what is asked for by its name. A template or a server action reads a field of a record instead,
from the cache and with sudo, where only the field itself is asked.
"""

import functools

from ..policy import secret_fields
from . import evaluated_code, token_seals

# More than the names say: the texts of mails carry tokens that were meant for others.
_MORE = {
    "ir.config_parameter": frozenset({"value"}),
    "mail.mail": frozenset({"body", "body_content", "body_html"}),
}
_BEARER = "access_token"


def seal_model(model):
    """Puts a check into each field of the model that may hold a secret."""
    for field in model._fields.values():
        if field.type in secret_fields.TYPES and not is_sealed(field) and _may_hold_secret(model, field):
            field.__class__ = _sealed(type(field))


def is_sealed(field):
    return hasattr(type(field), "_mcp_sealed")


def hides(model, field):
    """Whether an evaluated text asks for that field by its name, be it with sudo: a search would answer bit by bit."""
    cr = model.env.cr
    return (
        is_sealed(field)
        and evaluated_code.applies(cr)
        and not secret_fields.is_reading_allowed(cr)
        and evaluated_code.is_evaluating(cr)
    )


def _may_hold_secret(model, field):
    return secret_fields.is_name(field.name) or field.name in _MORE.get(model._name, ())


def _shown(record, field, value):
    if record._name == "ir.config_parameter":
        return "" if secret_fields.is_parameter(record.key) else value
    if field.name == _BEARER and record.ids:
        return token_seals.seal(record.env, value, record)
    return type(value)()


@functools.cache
def _sealed(kind):
    """The class of a field with the check in it: of one base and no slots, else a field could not become one."""

    def get(self, record, owner=None):
        value = kind.__get__(self, record, owner)
        if record is None or not value or not evaluated_code.applies(record.env.cr):
            return value
        return _shown(record, self, value) if evaluated_code.is_evaluating(record.env.cr) else value

    return type(f"Sealed{kind.__name__}", (kind,), {"__slots__": (), "__get__": get, "_mcp_sealed": True})
