"""Becoming the person that a call is made for."""

import hashlib

import pytz

from odoo import SUPERUSER_ID

from . import addresses, faults, handles, levels
from .quoting import quoted

CONTEXT_KEYS = ("lang", "tz", "allowed_company_ids", "active_test")


def question(env, proof):
    """What to ask the database along with something else, for `let_in`."""
    return env["mcp.credential"]._question(proof)


def resolve(env, proof):
    """Who a proof stands for right now."""
    return _usable(env["mcp.credential"]._resolve(proof))


def _usable(who):
    if who.user_id == SUPERUSER_ID:
        # Odoo gives this user all rights, so no credential may ever lead to it
        raise faults.GatewayError("unauthenticated", "The connection's user may not be used.", reason="user")
    return who


def let_in(env, proof, ip, answer=None):
    """Who a proof stands for, if its connection may be used from that address."""
    who = resolve(env, proof) if answer is None else _usable(env["mcp.credential"]._resolved(answer))
    if not addresses.admits(who.allowed_ips, who.blocked_ips, ip):
        raise faults.address_denied()
    return who


def become(env, who, context):
    """The environment of that person, made the one that pending changes and computes run in."""
    person = env(user=who.user_id, su=False, context=_defaults(env, who))
    # a handle is for the steps, see `handles`
    context = {key: value for key, value in context.items() if key != handles.KEY}
    if context:
        person = person(context={**person.context, **checked_context(person, context)})
    # else stored computes and nested creates would run as the service account
    person.transaction.default_env = person
    return person


def _defaults(env, who):
    context = {}
    if who.lang and _installed(env, who.lang):
        context["lang"] = who.lang
    if who.tz in pytz.all_timezones_set:
        context["tz"] = who.tz
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


def document(env, who):
    """What the sidecar keeps of a connection."""
    return {
        "connection": {
            "id": who.connection_id,
            "name": who.connection_name,
            "kind": who.kind,
            "scope": who.scope,
            "allowed_tools": list(who.allowed_tools),
            "allowed_models": sorted(who.allowed_models),
            "method_level": who.method_level,
            # for a sidecar that doesn't know levels yet
            "allow_methods": who.method_level != levels.NONE,
            "rate_limit_minute": _limit(who.rate_limit_minute),
            "rate_limit_day": _limit(who.rate_limit_day),
            "allowed_ips": [str(network) for network in who.allowed_ips],
            "blocked_ips": [str(network) for network in who.blocked_ips],
        },
        "user": {
            "id": who.user_id,
            "login": who.login,
            "name": who.user_name,
            "lang": who.lang or None,
            "tz": who.tz or None,
        },
        "schema_key": schema_key(env, who),
        "expires_at": who.expires_at.isoformat(timespec="seconds") + "Z" if who.expires_at else None,
    }


def _limit(value):
    """A connection's own limit (0: none), or None where the default of the settings counts."""
    return None if value is None or value < 0 else value


def schema_key(env, who):
    """The same for those who see the same schema: it depends on groups, allowed models and, for labels, language."""
    groups = sorted(env["res.users"].browse(who.user_id)._get_group_ids())
    return hashlib.sha256(repr((groups, who.lang, sorted(who.allowed_models))).encode()).hexdigest()[:16]
