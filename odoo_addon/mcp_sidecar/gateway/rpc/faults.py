"""Faults of the contract: the error codes, messages and data that a call answers.

Each fault has one constructor here, so that its data are the same wherever it is raised. ``translation`` turns what
Odoo or PostgreSQL raised into one of them.
"""

import json
import logging
import secrets

from odoo.exceptions import ConcurrencyError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ...exceptions import GatewayError
from ..quoting import quoted

_logger = logging.getLogger(__name__)

# Odoo repeats the whole call after one of these, so they must reach it as they are.
RETRIED = (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError)

# A refused value is quoted to its sender, which doesn't need all of it again.
_MAX_VALUE_CHARS = 200
# A condition is shown as a whole, to say where it is.
_MAX_CONDITION_CHARS = 1000

_VERBS = {"read": "read", "create": "create", "write": "change", "unlink": "delete"}


class CommitRefused(Exception):
    """Code that ran inside a call tried to end the transaction."""


# === Constructors ===


def bad_request(at, message):
    return GatewayError("bad_request", message, at=at)


def not_service():
    return GatewayError("not_service", "Only the sidecar's service account may call the gateway.")


def disabled():
    return GatewayError("disabled", "MCP server is disabled by the administrator")


def address_denied():
    return GatewayError("address_denied", "This connection may not be used from this address.")


def read_only():
    return GatewayError("read_only", "This connection may only read.")


def tool_denied(tool, message=None, **data):
    message = message or f"This connection may not use the tool {quoted(tool)}."
    return GatewayError("tool_denied", message, tool=tool, **data)


def method_denied(model, method, message=None, **data):
    message = message or f"The method {quoted(method)} of {model} is private."
    return GatewayError("method_denied", message, model=model, method=method, **data)


def access_denied(model, operation, message=None, **data):
    message = message or f"You may not {_VERBS.get(operation, operation)} records of {model}."
    return GatewayError("access_denied", message, model=model, operation=operation, **data)


def field_denied(model, field, operation):
    message = f"You may not {_VERBS[operation]} the field {field} of {model}."
    return access_denied(model, operation, message, field=field)


def model_denied(model, message=None):
    # the same for a model that doesn't exist
    return GatewayError(
        "model_denied", message or f"This connection may not use the model {quoted(model)}.", model=model
    )


def not_found(model, ids):
    ids = list(ids)
    which = f"id {ids[0]}" if len(ids) == 1 else f"ids {', '.join(map(str, ids))}"
    return GatewayError(
        "not_found", f"No record of {model} with the {which} exists or may be seen.", model=model, ids=ids
    )


def unknown_model(model):
    return GatewayError("unknown_model", f"There is no model {quoted(model)}.", model=model)


def unknown_field(model, field, message=None):
    return GatewayError(
        "unknown_field",
        message or f"The model {model} has no field {quoted(field)}.",
        model=model,
        field=_truncated(field),
    )


def invalid_domain(model, at, message, **data):
    data = {name: _truncated(value) for name, value in data.items()}
    return GatewayError("invalid_domain", message, model=model, at=_truncated(at, _MAX_CONDITION_CHARS), **data)


def invalid_value(model, field, value, message, meant=None):
    """:param meant: what the message says to send instead, if it does: a sidecar then adds no general advice"""
    data = {"meant": _truncated(meant)} if meant else {}
    return GatewayError("invalid_value", message, model=model, field=_truncated(field), value=_truncated(value), **data)


def _truncated(value, longest=_MAX_VALUE_CHARS):
    """What was sent as it is, where it is short; else the beginning of its text."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return value if len(text) <= longest else text[:longest] + "…"


def invalid_command(model, field, message=None, meant=None):
    """:param meant: as of ``invalid_value``"""
    message = message or f"{field} takes a list of commands such as [6, 0, [ids]] or a list of ids."
    data = {"meant": _truncated(meant)} if meant else {}
    return GatewayError("invalid_command", message, model=model, field=field, **data)


def invalid_context(key, message=None):
    return GatewayError(
        "invalid_context", message or f"The context key {quoted(key)} is not accepted.", key=_truncated(key)
    )


def invalid(message):
    return GatewayError("invalid", message)


def deadline(deadline_ms):
    return GatewayError("deadline", f"The call did not finish within {deadline_ms} ms.", deadline_ms=deadline_ms)


def unavailable():
    return GatewayError("unavailable", "Odoo's database is not available now, and nothing was changed.")


def internal(exc):
    """A fault that the caller has no part in: all of it goes to the log, and the answer names the place there."""
    error_id = secrets.token_hex(6)
    _logger.error("MCP gateway error %s", error_id, exc_info=exc)
    return GatewayError("internal", "Odoo failed to carry out the call.", error_id=error_id)
