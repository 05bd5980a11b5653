"""Context handles: opaque tokens for the context in which a wizard is created and used, kept in Odoo.

A wizard lives on what the button that opened it left in the context, such as the deliveries that it is about. Calls
give no context of their own, so they name a handle: it is bound to connection, user and model, and lasts 15 minutes.
"""

import contextlib
import json
import re
import secrets
from datetime import date, datetime

from odoo import fields

from .. import transaction
from ..rpc import faults

KEY = "handle"
_OWNER = "_mcp_handle_owner"
# What each call says for itself, and what only concerns how Odoo loads and installs.
_OWN_KEYS = frozenset({"lang", "tz", "uid", "allowed_company_ids", "active_test"})
_TECHNICAL = re.compile(r"bin_size.*|prefetch_.*|install_mode|import_file|mcp_.*|_.*")
# The web client drops these of the action before, which concern its own model.
_OF_ITS_MODEL = re.compile(r"(?:default_|search_default_|show_).+|.+_view_ref|group_by|active_ids?|orderedBy")
_OPERATIONS = frozenset({"create", "call"})


@contextlib.contextmanager
def owned_by(cr, principal):
    """Keeps for whom the block runs, so that handles are given to them."""
    with transaction.scoped_value(cr, _OWNER, principal):
        yield


def issue(env, model_name, context):
    """A handle for that model in that context, or None where the context can't be kept."""
    try:
        kept = {key: value for key, value in context.items() if _is_kept(key)}
        kept = json.loads(json.dumps(kept, default=_plain))
    except (TypeError, ValueError):
        return None
    token = f"h_{secrets.token_urlsafe(16)}"
    env["mcp.handle"]._issue(token, vars(env.cr)[_OWNER], model_name, kept)
    return token


def _is_kept(key):
    return isinstance(key, str) and key not in _OWN_KEYS and not _TECHNICAL.fullmatch(key)


def _plain(value):
    if isinstance(value, datetime):
        return fields.Datetime.to_string(value)
    if isinstance(value, date):
        return fields.Date.to_string(value)
    raise TypeError(type(value))


def inherited_context(context):
    """Of the context that a button was pressed in, what the action that it answers goes on with."""
    return {key: value for key, value in context.items() if _is_kept(key) and not _OF_ITS_MODEL.fullmatch(key)}


def step_environment(env, principal, request, step):
    """The environment of a step: with the context of the handle that the call names, if it names one."""
    token = request["context"].get(KEY)
    if token is None:
        return env
    found = env["mcp.handle"]._find(token, principal) if isinstance(token, str) else None
    if found is None:
        raise faults.invalid_context(KEY, "This handle is not known or older than 15 minutes: press the button again.")
    model_name, context = found
    if step["op"] not in _OPERATIONS or step["model"] != model_name:
        message = f"This handle is for creating a record of {model_name} and calling its methods."
        raise faults.invalid_context(KEY, message)
    return env(context={**context, **env.context})
