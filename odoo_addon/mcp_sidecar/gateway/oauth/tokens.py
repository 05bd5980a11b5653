"""Tokens that were issued: revocation (RFC 7009) and introspection (RFC 7662), for their own client only."""

from odoo import fields

from . import clients, families, scopes, users
from .refused import Refused, step

_KINDS = ("access_token", "refresh_token")


def _own_token(env, client, proof):
    """The token with that proof, provided that it is one of this client."""
    token = families.find(env, proof, *_KINDS)
    return token if token.connection_id.oauth_client_id == client else token.browse()


@step(while_off=True)
def revoke(env, settings, request):
    client = clients.authenticated(env, request["client"])
    token = _own_token(env, client, request["token"])
    if not token:
        return {"revoked": False, "connection": None, "user": None}
    connection = token.connection_id
    families.end(token)
    return {"revoked": True, "connection": connection.id, "user": connection.user_id.id}


@step(while_off=True)
def introspect(env, settings, request):
    client = clients.authenticated(env, request["client"])
    if client.auth_method == "none":
        raise Refused("invalid_client", "method", "Introspection is for clients with a secret.")
    token = _own_token(env, client, request["token"])
    if not token or not settings.enable_oauth or not _is_alive(token):
        return {"active": False}
    user = token.connection_id.user_id
    return {
        "active": True,
        "scope": scopes.names(families.scope_of(token)),
        "client_id": client.client_id,
        "username": user.login,
        "exp": clients.unix_time(token.expires_at),
        "iat": clients.unix_time(token.create_date),
        "aud": token.audience,
        "sub": str(user.id),
    }


def _is_alive(token):
    connection = token.connection_id
    return (
        token.expires_at > fields.Datetime.now()
        and not token.used_at
        and connection.active
        and users.may_connect(connection.user_id)
    )
