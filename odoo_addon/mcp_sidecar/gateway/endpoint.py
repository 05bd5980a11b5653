"""RPC endpoint decorator: authenticates the caller, decodes the request and encodes the answer.

An abstract model has no access list, so anybody who may call RPC could call it: each method checks the caller first.
Odoo commits what a method that returns has written, so every failure is raised.
"""

import functools
import json

from odoo import api

from .errors import translation
from .rpc import faults, validation
from .rpc.service_account import SERVICE_GROUP

# JSON may hold these two, XML may not.
_NOT_XML = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


def endpoint(shape):
    """Makes a public method out of one that takes a checked request and answers plain data."""

    def decorate(method):
        @api.model
        @functools.wraps(method)
        def entry(self, *args, **kwargs):
            return _dispatch(self, method, shape, args, kwargs)

        return entry

    return decorate


def _dispatch(gateway, method, shape, args, kwargs):
    require_service(gateway.env)
    # the caller's context must not reach the code that runs for another user
    gateway = gateway.with_context({})
    gateway.env.transaction.default_env = gateway.env
    try:
        if len(args) != 1 or kwargs:
            raise faults.bad_request("", "The gateway takes one JSON text.")
        answer = encode(method(gateway, validation.decode(shape, args[0])))
        # pending changes would otherwise be written outside of this `try`, by Odoo's dispatcher
        gateway.env.cr.flush()
    except faults.RETRIED:
        raise
    except Exception as exc:
        raise translation.translate(exc, gateway.env) from exc
    return answer


def require_service(env):
    if not env.user._has_group(SERVICE_GROUP):
        raise faults.not_service()


def encode(answer):
    """The answer as the one text that travels."""
    text = json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _NOT_XML.items():
        if character in text:
            text = text.replace(character, escape)
    return text
