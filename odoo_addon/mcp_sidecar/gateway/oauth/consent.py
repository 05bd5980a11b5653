"""Consent: what a person is asked, and what becomes of the answer.

An answer counts only where the person gives it: in a browser session of their own, on the page that asks. The way back
leads to the sidecar of the request and nowhere else; the secret in it is known to this browser only.
"""

from odoo import fields
from odoo.exceptions import AccessError, ConcurrencyError, UserError
from odoo.http import request as http_request
from odoo.tools import SQL

from ..audit import acts
from ..auth import credentials
from ..policy import call_rules
from ..rpc import faults
from . import redirect_uris, requests, scopes, users

PATH = "/mcp_sidecar/consent"
DECISIONS = {"allow": "approved", "deny": "denied"}


class NotAllowed(UserError):
    http_status = 403


class NotKnown(UserError):
    http_status = 404


class Expired(UserError):
    http_status = 410


class SwitchedOff(UserError):
    http_status = 503


# === The question ===


def values(env, handle):
    """What the page shows of a request; raises a sentence where there is nothing to decide."""
    asked = _open_request(env, handle)
    settings = _settings(env)
    connection = _connection(asked, env.user)
    scope_asked = asked.scope_asked or settings.oauth_default_scope
    widest = scopes.READ_ONLY if asked.scope_asked == scopes.READ_ONLY or connection.scope_capped else scopes.FULL
    return {
        "client_name": asked.client_id.name,
        "client_id": asked.client_id.client_id,
        "client_kind": asked.client_id.kind,
        "redirect_host": redirect_uris.host(asked.redirect_uri),
        "redirect_kind": redirect_uris.kind(asked.redirect_uri),
        "verified": _is_verified(asked),
        "scope_asked": asked.scope_asked or False,
        "scope_default": scopes.narrower(scope_asked, widest),
        "scope_widest": widest,
        "access_days": max(1, settings.refresh_token_timeout // 86400),
        "allowed_before": connection.granted_at if connection.active else False,
        "status": asked.status,
        "issuer": asked.issuer,
    }


def _is_verified(asked):
    """Whether it is certain whose application it is: an administrator made it, or the host of its document says so."""
    if redirect_uris.kind(asked.redirect_uri) != "https":
        return False
    if asked.client_id.kind == "manual":
        return True
    own_host = redirect_uris.host(asked.client_id.client_id) if asked.client_id.kind == "document" else None
    return own_host == redirect_uris.host(asked.redirect_uri)


def _settings(env):
    # sudo: a user who decides may not read the settings
    return env["mcp.server.settings"].sudo().search([], limit=1)


def _open_request(env, handle):
    """The request that a handle names, provided that this person may decide on it now."""
    settings = _settings(env)
    if not settings.enabled:
        raise SwitchedOff(env._("The MCP server is switched off: ask an MCP administrator to turn it on."))
    if not settings.enable_oauth:
        raise SwitchedOff(env._("AI tools can't log in by browser here: ask an MCP administrator for an API key."))
    if not users.may_connect(env.user):
        raise NotAllowed(
            env._(
                "Your account may not connect AI tools. Ask an administrator to give you the role MCP User, or use "
                "another account."
            )
        )
    asked = requests.find(env, credentials.proof(handle)) if isinstance(handle, str) else None
    if not asked or (asked.user_id and asked.user_id != env.user):
        raise NotKnown(env._("This login is not known here: start again from your AI tool."))
    if asked.expires_at <= fields.Datetime.now():
        raise Expired(env._("This login took too long and has expired: start again from your AI tool."))
    if not asked.client_id.active:
        raise NotAllowed(env._("This AI tool was archived in Odoo: ask an MCP administrator to restore it."))
    if _connection(asked, env.user).filtered(lambda connection: not connection.active):
        raise NotAllowed(
            env._("The connection of this AI tool was revoked: ask an MCP administrator to reactivate it in Odoo.")
        )
    return asked


def _connection(asked, user):
    # sudo: a user may not search all connections
    connections = asked.env["mcp.connection"].sudo().with_context(active_test=False)
    return connections.search([("oauth_client_id", "=", asked.client_id.id), ("user_id", "=", user.id)], limit=1)


# === The answer ===


def decide(env, handle, decision, scope):
    """Notes the answer of the person who is logged in; answers where the browser goes on."""
    _require_own_page(env)
    if decision not in DECISIONS or scope not in (scopes.FULL, scopes.READ_ONLY):
        raise UserError(env._("Choose Allow or Deny, and what the AI tool may do."))
    asked = _open_request(env, handle)
    approval = credentials.random_text()
    if asked.status == "pending":
        _decide(env, asked, decision, scope, approval)
    else:
        # a second click: the outcome is that of the first one, with a secret of its own
        same_outcome = SQL("status = %s AND user_id = %s", asked.status, env.uid)
        if not requests.change(asked, {"approval_digest": _digest(approval)}, same_outcome):
            raise ConcurrencyError("The authorization request was changed at the same time")
    return f"{asked.issuer}/oauth/resume?request={handle}&approval={approval}"


def _decide(env, asked, decision, scope, approval):
    allowed = decision == "allow"
    granted = scopes.narrower(scope, asked.scope_asked)
    connection = _granted(env, asked, granted) if allowed else env["mcp.connection"]
    decided = {
        "status": DECISIONS[decision],
        "user_id": env.uid,
        "scope_granted": granted if allowed else None,
        "connection_id": connection.id or None,
        "approval_digest": _digest(approval),
        "decided_at": fields.Datetime.now(),
    }
    if not requests.change(asked, decided, SQL("status = 'pending' AND expires_at > %s", fields.Datetime.now())):
        # Odoo does all of it again, and finds what the other click has stored
        raise ConcurrencyError("The authorization request was decided at the same time")
    acts.record(env, f"odoo/oauth_{decision}", connection, client=asked.client_id.name)


def _granted(env, asked, granted):
    """The connection of that client and person, allowed as much as was chosen."""
    connection = _connection(asked, env.user)
    marks = {"granted_at": fields.Datetime.now()}
    if asked.scope_asked == scopes.READ_ONLY:
        # it asks for little now: what it was allowed before is not taken away, its new tokens only read
        if not connection:
            marks |= {"scope": scopes.READ_ONLY, "scope_narrowed": False}
    else:
        narrowed = granted == scopes.READ_ONLY
        marks |= {"scope": scopes.narrower(granted, connection.scope_capped and scopes.READ_ONLY)}
        marks["scope_narrowed"] = narrowed
    if connection:
        connection.write(marks)
        return connection
    return connection._create_for_client(asked.client_id, env.user, marks)


def _digest(text):
    return credentials.digest(credentials.proof(text))


def _require_own_page(env):
    """Refuses every way but the page itself: RPC, server actions, an AI tool's call."""
    call_rules.refuse_in_call(env["mcp.oauth.request"], faults.access_denied("mcp.oauth.request", "write", _REFUSAL))
    if env.su or not is_own_page(env):
        raise AccessError(env._("Whether an AI tool is allowed is decided by the person, on the page that asks."))


_REFUSAL = "No AI tool may allow itself or another one: a person decides on the page that asks."


def is_own_page(env):
    """Whether this is a browser session of that user, on the page of consent."""
    return bool(http_request and http_request.session.uid == env.uid and http_request.httprequest.path == PATH)
