"""Authentication: resolves a proof to a principal, and makes the environment of its user."""

import hashlib

import pytz

from odoo import SUPERUSER_ID

from ..quoting import quoted
from ..rpc import faults
from . import address_rules, context_handles, method_levels

CONTEXT_KEYS = ("lang", "tz", "allowed_company_ids", "active_test")


def principal_query(env, proof):
    """What to ask the database along with something else, for `authenticate`."""
    return env["mcp.credential"]._query(proof)


def resolve(env, proof):
    """Who a proof stands for right now."""
    return _require_usable(env["mcp.credential"]._resolve(proof))


def _require_usable(principal):
    if principal.user_id == SUPERUSER_ID:
        # Odoo gives this user all rights, so no credential may ever lead to it
        raise faults.GatewayError("unauthenticated", "The connection's user may not be used.", reason="user")
    return principal


def authenticate(env, proof, ip, answer=None):
    """Who a proof stands for, if its connection may be used from that address."""
    principal = resolve(env, proof) if answer is None else _require_usable(env["mcp.credential"]._resolved(answer))
    if not address_rules.is_allowed(principal.allowed_ips, principal.blocked_ips, ip):
        raise faults.address_denied()
    return principal


def environment_of(env, principal, context):
    """The environment of that person, made the one that pending changes and computes run in."""
    person = env(user=principal.user_id, su=False, context=_defaults(env, principal))
    # a handle is for the steps, see `context_handles`
    context = {key: value for key, value in context.items() if key != context_handles.KEY}
    if context:
        person = person(context={**person.context, **checked_context(person, context)})
    # else stored computes and nested creates would run as the service account
    person.transaction.default_env = person
    return person


def _defaults(env, principal):
    """Language and time zone of the user, as Odoo's own web client takes them, from Odoo's cache."""
    found = env(user=principal.user_id, su=False, context={})["res.users"].context_get()
    context = {}
    if found.get("lang") and _installed(env, found["lang"]):
        context["lang"] = found["lang"]
    if found.get("tz") in pytz.all_timezones_set:
        context["tz"] = found["tz"]
    return context


def checked_context(person, context):
    """The given context; any key that is not one of four, and any value that is not valid, is refused by name."""
    for key in context:
        if key not in CONTEXT_KEYS:
            raise faults.invalid_context(key)
    return {key: _CHECKS[key](person, value) for key, value in context.items()}


def _installed(env, lang):
    return bool(env["res.lang"]._get_data(code=lang))


def _lang(person, value):
    if not isinstance(value, str) or not _installed(person, value):
        raise faults.invalid_context("lang", f"The language {quoted(value)} is not installed.")
    return value


def _tz(_person, value):
    if not isinstance(value, str) or value not in pytz.all_timezones_set:
        raise faults.invalid_context("tz", f"There is no time zone {quoted(value)}.")
    return value


def _companies(person, value):
    is_list_of_ids = isinstance(value, list) and value and all(type(item) is int for item in value)
    if not is_list_of_ids or not set(value) <= set(person.user._get_company_ids()):
        raise faults.invalid_context("allowed_company_ids", "allowed_company_ids takes ids of the user's companies.")
    return list(dict.fromkeys(value))


def _active_test(_person, value):
    if not isinstance(value, bool):
        raise faults.invalid_context("active_test", "active_test has to be true or false.")
    return value


_CHECKS = {"lang": _lang, "tz": _tz, "allowed_company_ids": _companies, "active_test": _active_test}


def connection_document(env, principal):
    """What the sidecar keeps of a connection."""
    # sudo: the service account may read nothing; whom a connection acts as is part of it
    user = env["res.users"].sudo().browse(principal.user_id)
    return {
        "connection": {
            "id": principal.connection_id,
            "name": principal.connection_name,
            "kind": principal.kind,
            "scope": principal.scope,
            "allowed_tools": list(principal.allowed_tools),
            "allowed_models": sorted(principal.allowed_models),
            "method_level": principal.method_level,
            # for a sidecar that doesn't know levels yet
            "allow_methods": principal.method_level != method_levels.NONE,
            "rate_limit_minute": _limit(principal.rate_limit_minute),
            "rate_limit_day": _limit(principal.rate_limit_day),
            "allowed_ips": [str(network) for network in principal.allowed_ips],
            "blocked_ips": [str(network) for network in principal.blocked_ips],
            "upgradable": principal.upgradable,
        },
        "user": {
            "id": principal.user_id,
            "login": user.login,
            "name": user.name,
            "lang": user.lang or None,
            "tz": user.tz or None,
        },
        "schema_key": schema_key(user, principal),
        "audience": principal.audience,
        "expires_at": principal.expires_at.isoformat(timespec="seconds") + "Z" if principal.expires_at else None,
    }


def _limit(value):
    """A connection's own limit (0: none), or None where the default of the settings counts."""
    return None if value is None or value < 0 else value


def schema_key(user, principal):
    """The same for those who see the same schema: it depends on groups, allowed models and, for labels, language."""
    seen = (sorted(user._get_group_ids()), user.lang, sorted(principal.allowed_models))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
