"""Families of tokens: all that come of one login, issued, looked up and revoked together."""

from odoo import fields

from ..auth import credentials
from . import scopes


def all_tokens(env):
    # sudo: the service account may read nothing
    return env["mcp.credential"].sudo()


def find(env, proof, *kinds):
    """The token with that proof, if it is of one of these kinds."""
    wanted = [("digest", "=", credentials.digest(proof) or ""), ("kind", "in", kinds)]
    return all_tokens(env).search(wanted, limit=1)


def issue(connection, kind, proof, lifetime, **values):
    """Stores a token by its proof; it lives for so many seconds."""
    return all_tokens(connection.env).create(
        {
            "connection_id": connection.id,
            "kind": kind,
            "digest": credentials.digest(proof),
            "expires_at": fields.Datetime.add(fields.Datetime.now(), seconds=lifetime),
            **values,
        }
    )


def revoke(env, connection, family):
    """Deletes all tokens of a login; answers whether there were any. They are refused everywhere at once."""
    tokens = all_tokens(env).search([("connection_id", "=", connection.id), ("family", "=", family)])
    if tokens:
        tokens.unlink()
        connection._publish()
    return bool(tokens)


def end(token):
    """Ends the login that a token came of; a token that came of none, as of client credentials, ends alone."""
    connection = token.connection_id
    if token.family:
        revoke(token.env, connection, token.family)
    else:
        token.unlink()
        connection._publish()


def scope_of(token):
    """What a token is good for: as much as its connection, unless less was asked for."""
    return scopes.narrower(token.connection_id.scope, token.scope)


def granted(token, lifetime=None):
    """The answer for an access token: of a new one with its whole life, else with what is left of it."""
    connection = token.connection_id
    left = lifetime or int((token.expires_at - fields.Datetime.now()).total_seconds())
    return {
        "granted": {
            "scope": scopes.names(scope_of(token)),
            "expires_in": max(left, 0),
            "refresh": bool(token.family),
            "client_name": connection.oauth_client_id.name,
            "connection": connection.id,
            "user": connection.user_id.id,
        }
    }
