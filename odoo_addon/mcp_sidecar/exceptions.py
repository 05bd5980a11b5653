"""What the gateway raises: one exception, so that Odoo rolls back and the sidecar reads the fault."""

import json
import logging

from odoo.exceptions import AccessError, UserError

from .gateway import quoting, redaction


class GatewayError(UserError):
    """A refusal or failure with a code that the sidecar understands.

    Odoo's XML-RPC answers a ``UserError`` with its text, so the text is the JSON of code, message and data. The
    attributes hold the same three for callers inside Odoo.
    """

    # Odoo would log each text as a warning, with the values that a refusal names or a dry run answers.
    loglevel = logging.DEBUG

    # Faults that hold the field that they are about.
    _OF_FIELDS = ("invalid_value", "invalid_command", "unknown_field", "access_denied")

    def __init__(self, code, message, **data):
        self.code = code
        # the text may hold a secret that code raised, or many lines
        self.message = quoting.line(redaction.redact(message))
        self.data = data
        # ASCII only: some of what JSON may hold, XML may not
        super().__init__(json.dumps({"code": code, "message": self.message, "data": data}, default=str))

    def _field(self):
        """The field that the refusal is about, unless it is some text that is no name."""
        field = self.data.get("field") if self.code in self._OF_FIELDS else None
        return field if isinstance(field, str) and field.isidentifier() and len(field) <= quoting.MAX_QUOTED else None

    def within(self, place):
        """The same refusal of something inside of that place, which its message then names with the path to it."""
        inner = self.data.get("path") or self._field()
        path = f"{place}{'.' if place.isidentifier() or place.endswith(']') else ': '}{inner}" if inner else place
        said = self.message.removesuffix(_about(self.data["path"])) if "path" in self.data else self.message
        said = said if said.endswith((".", "!", "?", "…")) else f"{said}."
        return GatewayError(self.code, said + _about(path), **{**self.data, "path": path})


def _about(path):
    return f" This is about {path}."


class ModelDenied(AccessError):
    """Code that ran for a call came to a model that its connection may not use."""

    def __init__(self, model):
        self.model = model
        super().__init__(f"This connection may not use the model {quoting.quoted(model)}.")
