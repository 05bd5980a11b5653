"""Grants of the token endpoint: tokens for a code, for a refresh token, and for a client that acts by itself."""

import uuid

from odoo import fields
from odoo.exceptions import ConcurrencyError
from odoo.tools import SQL

from ..auth import credentials
from . import addresses, clients, families, redirect_uris, requests, scopes, users
from .refused import Refused, step

_AGAIN = "log in again from the AI tool."
_OTHER_RESOURCE = "The resource is not the one of the authorization request."


def _invalid_grant(reason, sentence, connection=None):
    return Refused("invalid_grant", reason, sentence, connection)


def _require_usable(connection):
    """Refuses a connection that was revoked, and one whose user may no longer connect AI tools."""
    if not connection.active:
        message = "This connection was revoked in Odoo: an MCP administrator can reactivate it."
        raise _invalid_grant("revoked", message, connection)
    if not users.may_connect(connection.user_id):
        message = "The Odoo user of this grant may not connect AI tools: an MCP administrator can allow it."
        raise _invalid_grant("user", message, connection)


# === Authorization code ===


@step()
def exchange_code(env, settings, request):
    client = clients.authenticated(env, request["client"])
    code = requests.find_code(env, request["code"])
    if not code:
        raise _invalid_grant("unknown", f"This authorization code is not known: {_AGAIN}")
    if code.client_id != client:
        raise _invalid_grant("client", "This authorization code was issued to another client.", code.connection_id)
    if code.status != "issued":
        raise _reused_code(env, code)
    _check_code(code, request)
    _require_usable(code.connection_id)
    family = uuid.uuid4().hex
    if not requests.change(code, {"status": "exchanged", "family": family}, SQL("status = 'issued'")):
        raise ConcurrencyError("The code was exchanged at the same time")
    client._touch()
    # what the connection may do is looked at with each call; this login has asked for no more
    scope = scopes.READ_ONLY if code.scope_asked == scopes.READ_ONLY else False
    return _issue_pair(settings, code.connection_id, request, scope, scope, family, code.resource)


def _reused_code(env, code):
    """RFC 6749, 4.1.2: the code may have been stolen, so that what came of it is revoked."""
    families.revoke(env, code.connection_id, code.family)
    message = f"This authorization code was used before, so that all tokens that came of it are revoked: {_AGAIN}"
    return _invalid_grant("reused", message, code.connection_id)


def _check_code(code, request):
    connection = code.connection_id
    if code.code_expires_at <= fields.Datetime.now():
        raise _invalid_grant("expired", f"This authorization code has expired: {_AGAIN}", connection)
    if request["redirect_uri"] is not None and not redirect_uris.matches(code.redirect_uri, request["redirect_uri"]):
        message = "The redirect URI is not the one of the authorization request."
        raise _invalid_grant("redirect_uri", message, connection)
    if not clients.same(code.code_challenge, request["code_challenge"]):
        message = "The code verifier does not match the code challenge of the authorization request."
        raise _invalid_grant("code_verifier", message, connection)
    if request["resource"] not in (None, code.resource):
        raise Refused("invalid_target", "resource", _OTHER_RESOURCE, connection)


def _issue_pair(settings, connection, request, access_scope, refresh_scope, family, audience):
    """An access token and the refresh token that follows it."""
    shared = {"family": family, "audience": audience}
    families.issue(
        connection, "refresh_token", request["refresh"], settings.refresh_token_timeout, scope=refresh_scope, **shared
    )
    access = families.issue(
        connection, "access_token", request["access"], settings.access_token_timeout, scope=access_scope, **shared
    )
    return families.granted(access, settings.access_token_timeout)


# === Refresh token ===


@step()
def refresh(env, settings, request):
    client = clients.authenticated(env, request["client"])
    token = families.find(env, request["token"], "refresh_token")
    if not token:
        raise _invalid_grant("unknown", f"This refresh token is not known: {_AGAIN}")
    connection = token.connection_id
    if connection.oauth_client_id != client:
        raise _invalid_grant("client", "This refresh token was issued to another client.", connection)
    if token.used_at:
        return _again(env, settings, token, request)
    if token.expires_at <= fields.Datetime.now():
        raise _invalid_grant("expired", f"This refresh token has expired: {_AGAIN}", connection)
    if request["resource"] not in (None, token.audience):
        raise Refused("invalid_target", "resource", _OTHER_RESOURCE, connection)
    _require_usable(connection)
    if not token._use_once(credentials.digest(request["refresh"])):
        raise ConcurrencyError("The refresh token was used at the same time")
    client._touch()
    scope = scopes.READ_ONLY if scopes.asked(request["scope"]) == scopes.READ_ONLY else token.scope
    return _issue_pair(settings, connection, request, scope, token.scope, token.family, token.audience)


def _again(env, settings, token, request):
    """The same answer for a refresh that is repeated within the grace; any other reuse revokes the family."""
    connection = token.connection_id
    access = families.find(env, request["access"], "access_token")
    if _is_repeated(env, settings, token, request) and access and access.family == token.family:
        _require_usable(connection)
        return families.granted(access)
    families.revoke(env, connection, token.family)
    message = (
        "This refresh token was used before, so that all tokens that came of the same login are revoked: " + _AGAIN
    )
    raise _invalid_grant("reused", message, connection)


def _is_repeated(env, settings, token, request):
    elapsed = (fields.Datetime.now() - token.used_at).total_seconds()
    if not settings.refresh_token_grace or elapsed > settings.refresh_token_grace:
        return False
    if not clients.same(token.successor_digest, credentials.digest(request["refresh"])):
        return False
    successor = families.find(env, request["refresh"], "refresh_token")
    return bool(successor) and not successor.used_at


# === Client credentials ===


@step()
def client_credentials(env, settings, request):
    client = clients.authenticated(env, request["client"])
    if "client_credentials" not in client.grant_types.split() or not client.client_credentials_user_id:
        message = "This client may not use the grant client_credentials: an administrator creates one that may in Odoo."
        raise Refused("unauthorized_client", "grant_type", message)
    connection = client._connection_of(client.client_credentials_user_id)
    _require_usable(connection)
    resource = request["resource"] or addresses.default_resource(settings)
    if not resource or not addresses.is_resource(env, settings, resource):
        raise Refused("invalid_target", "resource", "The resource is not the MCP endpoint of this server.", connection)
    client._touch()
    scope = scopes.READ_ONLY if scopes.asked(request["scope"]) == scopes.READ_ONLY else False
    lifetime = settings.access_token_timeout
    token = families.issue(connection, "access_token", request["access"], lifetime, scope=scope, audience=resource)
    return families.granted(token, lifetime)
