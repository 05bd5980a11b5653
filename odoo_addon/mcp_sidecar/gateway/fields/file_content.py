"""Base64 decoding: content of binary fields on its way in, in the forms that callers send."""

import base64
import binascii
import re

from ..quoting import quoted
from ..rpc import faults

# RFC 2397, as browsers and models write the content of a file.
_DATA_URI = re.compile(r"data:[\w.+-]*/?[\w.+-]*(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_OTHER = re.compile(r"[^A-Za-z0-9+/=]")
# RFC 4648, section 5
_URL_SAFE = str.maketrans("-_", "+/")


def checked(model, field, value):
    """The content as the field takes it: base64 of the usual alphabet, but for a file's bytes themselves."""
    if not isinstance(value, str):
        raise _refused(model, field, value, "it is no text")
    text = _normal(model, field, value)
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise _refused(model, field, value, f"it has {len(text.rstrip('='))} characters, which is no length") from exc
    # the one binary field that Odoo takes as it is stored
    return content if (model._name, field.name) == ("ir.attachment", "raw") else text


def _normal(model, field, value):
    if value[:5].lower() == "data:":
        head = _DATA_URI.match(value)
        if not head:
            raise _refused(model, field, value, "its data URI does not say base64")
        value = value[head.end() :]
    text = _SPACE.sub("", value).translate(_URL_SAFE)
    body = text.rstrip("=")
    if wrong := _OTHER.search(body) or ("=" in body and re.search("=", body)):
        raise _refused(model, field, value, f"the character {quoted(wrong[0])} does not belong to it")
    return body + "=" * (-len(body) % 4)


def _refused(model, field, value, why):
    message = f"{model._name}.{field.name} takes content in base64: {why}."
    return faults.invalid_value(model._name, field.name, value, message)
