"""Call authorization: checks each request anew, and trusts no claim of the sidecar about it."""

import inspect

from odoo.exceptions import AccessError
from odoo.service.model import get_public_method

from ...exceptions import GatewayError
from .. import transaction
from ..auth import method_levels
from ..quoting import quoted
from ..rpc import faults
from . import allowed_models, alternatives, denied_models

READ_OPS = frozenset({"search_read", "name_search", "search_count", "read", "read_group", "traverse", "session"})
WRITE_OPS = READ_OPS | {"create", "write", "unlink"}
OPS = {"read": READ_OPS, "write": WRITE_OPS, "run": WRITE_OPS}

# Methods that read and are of use to an AI tool. Others may read as well; `@api.readonly` is no such list, as it only
# says that a method may run on a database replica. The read-only savepoint stands beside it.
READING_METHODS = frozenset(
    {
        "default_get",
        "fields_get",
        "formatted_read_group",
        "get_external_id",
        "get_field_translations",
        "get_metadata",
        "has_access",
        "name_search",
        "onchange",
        "read",
        "search",
        "search_count",
        "search_read",
    }
)

# Public by their name, yet made for code: they answer records of another environment or touch the cache. Odoo marks
# most of them private; this list holds where an override has lost the mark.
DENIED_METHODS = frozenset(
    {
        "browse",
        "concat",
        "ensure_one",
        "exists",
        "fetch",
        "filtered",
        "filtered_domain",
        "flush_model",
        "flush_recordset",
        "grouped",
        "init",
        "invalidate_model",
        "invalidate_recordset",
        "is_transient",
        "lock_for_update",
        "mapped",
        "modified",
        "new",
        "sorted",
        "sudo",
        "try_lock_for_update",
        "union",
        "update",
        "with_company",
        "with_context",
        "with_env",
        "with_prefetch",
        "with_user",
    }
)

# Public as well, and each of them checks a password or hands out what a person can log in with.
LOGIN_METHODS = frozenset(
    {
        "action_reset_password",
        "authenticate",
        "change_password",
        "generate_access_token",
        "reset_password",
        "signup",
        "signup_get_auth_param",
    }
)

ADDON = "mcp_sidecar"

_NO_METHODS = (
    "This connection may call no methods: its Method Level is None. Its other tools read, create, change and delete "
    "records; for more, an administrator changes the Method Level of the connection in Odoo."
)


def check_call(principal, request):
    """Refuses what the connection itself forbids."""
    if request["mode"] != "read" and principal.scope == "read_only":
        raise faults.read_only()
    if principal.allowed_tools and request["tool"] not in principal.allowed_tools:
        raise faults.tool_denied(request["tool"])
    if request["mode"] == "run" and principal.method_level == method_levels.NONE:
        raise faults.tool_denied(request["tool"], _NO_METHODS, level=principal.method_level)
    if principal.allowed_models:
        _check_models(principal, request)


def _check_models(principal, request):
    """Refuses what leads past the allowed models before anything runs, or is repeated from an earlier call."""
    for step in request["steps"]:
        if step["op"] != "session" and step["model"] not in principal.allowed_models:
            raise faults.model_denied(step["model"])
        if step["op"] == "call" and principal.method_level == method_levels.NONE:
            message = "This connection may use some models only, and no methods of these."
            raise faults.method_denied(step["model"], step["method"], message)


def check_step(step, mode):
    """Refuses a step that its call's mode doesn't cover."""
    op = step["op"]
    if op in OPS[mode]:
        return
    model = step.get("model")
    if op != "call":
        raise faults.method_denied(model, op, f"A call in mode {mode} may not {op}.")
    method = step["method"]
    if mode != "run" and method not in READING_METHODS and not method.startswith("_"):
        message = f"The method {quoted(method)} of {quoted(model)} is not one that a call in mode {mode} may use."
        raise faults.method_denied(model, method, message)


def require_model(env, name, operation=None):
    """The model with that name, provided that the user may do the operation on it."""
    model = _existing_model(env, name)
    if operation and not model.has_access(operation):
        raise faults.access_denied(name, operation, _denial(env, name, operation))
    if operation not in (None, "read"):
        refuse_own_model(model, operation)
    return model


def _denial(env, name, operation):
    if name in denied_models.MODELS:
        return denied_models.refusal_message(name)
    other = alternatives.of_model(env, name) if operation == "read" else ""
    return f"You may not read records of {name}.{other}" if other else None


def refuse_own_model(model, operation):
    """Refuses to touch this addon's models: an AI tool must not change what limits it."""
    if model._original_module == ADDON:
        raise own_denied(model, operation)


def own_denied(model, operation):
    message = f"{model._name} belongs to the MCP server itself: change it in Odoo."
    return faults.access_denied(model._name, operation, message)


def refuse_in_call(model, refusal):
    """Raises the refusal where an AI tool's call got here, be it by a server action, an import or a wizard."""
    if in_call(model):
        raise refusal


def in_call(model):
    """Whether it is an AI tool's call that got here."""
    return transaction.in_call(model.env.cr)


def refuse_credentials(model):
    """Refuses passwords and keys to an AI tool: it would be as free as its user, and stay so when it is revoked."""
    message = "No AI tool may use, set or make passwords and API keys: do it in Odoo."
    refuse_in_call(model, faults.access_denied(model._name, "write", message))


def _existing_model(env, name):
    # an abstract model has no records, and no access list that would protect its methods
    if name not in env.registry or env.registry[name]._abstract:
        raise faults.unknown_model(name)
    return env[name]


def public_method(model, name):
    """A method that anybody may call by RPC."""
    if name.startswith("_") or name in DENIED_METHODS:
        raise faults.method_denied(model._name, name)
    if name in LOGIN_METHODS:
        message = f"{name} of {model._name} leads to passwords or keys, which no AI tool may have: do it in Odoo."
        raise faults.method_denied(model._name, name, message)
    try:
        method = get_public_method(model, name)
    except AccessError as exc:
        raise faults.method_denied(model._name, name) from exc
    except AttributeError as exc:
        message = f"The model {model._name} has no method {quoted(name)}." + alternatives.of_method(
            name, _guessed(model)
        )
        raise faults.method_denied(model._name, name, message) from exc
    if not inspect.isfunction(method):
        raise faults.method_denied(model._name, name)
    if allowed_models.is_restricted(model.env.cr) and hasattr(model.env.registry["base"], name):
        # Odoo's own ones name what is behind a relation with sudo; the operations of a step check where they lead
        message = f"A connection with allowed models reads and writes with its other tools, not by calling {name}."
        raise faults.method_denied(model._name, name, message)
    return method


def _guessed(model):
    """Methods that a misspelt name may have meant: of Odoo's own ones, which all models have, only those that read or
    that are in its menus. The others write, and there are tools for that.
    """
    base = model.env.registry["base"]
    names = _public_names(model)
    return [name for name in names if name in READING_METHODS or name.startswith("action_") or not hasattr(base, name)]


def _public_names(model):
    functions = inspect.getmembers(type(model), inspect.isfunction)
    return [name for name, _function in functions if not name.startswith("_") and _is_public(model, name)]


def _is_public(model, name):
    try:
        return bool(public_method(model, name))
    except GatewayError:
        return False
