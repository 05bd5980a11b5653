"""Clients of the authorization server: look-up, registration, metadata documents, and who proves to be which."""

import hmac
import re
from datetime import UTC

from odoo import fields
from odoo.tools import SQL

from ..auth import credentials
from ..rpc import faults
from . import redirect_uris
from .refused import Refused, step

_CLIENT_ID = re.compile(r"mcp_client_[0-9A-Za-z]{22}")
# What a client may register for; the others take an administrator.
_GRANT_TYPES = ("authorization_code", "refresh_token")

_UNKNOWN = "This client is not known here: remove the server from the AI tool and add it again."
_ARCHIVED = "This client was archived in Odoo: an MCP administrator can restore it."
_WITH_SECRET = "This client authenticates by client_secret_basic or client_secret_post."
_REGISTRATION_OFF = (
    "Dynamic registration is switched off. Ask an MCP administrator to turn it on in Server Settings, or to create a "
    "client for you."
)

_STORE_DOCUMENT = """
    INSERT INTO mcp_oauth_client (
        name, client_id, kind, auth_method, redirect_uris, grant_types, client_uri, document_expires, active,
        create_date, write_date
    )
    VALUES (
        %(name)s, %(client_id)s, 'document', 'none', %(redirect_uris)s, %(grant_types)s, %(client_uri)s, %(expires)s,
        TRUE, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
    )
    ON CONFLICT (client_id) DO UPDATE
       SET name = EXCLUDED.name, redirect_uris = EXCLUDED.redirect_uris, client_uri = EXCLUDED.client_uri,
           document_expires = EXCLUDED.document_expires, write_date = EXCLUDED.write_date
     WHERE mcp_oauth_client.kind = 'document'
"""


def _all(env):
    # sudo: the service account may read nothing; archived clients are known as such
    return env["mcp.oauth.client"].sudo().with_context(active_test=False)


def find(env, client_id):
    return _all(env).search([("client_id", "=", client_id)], limit=1)


# === Look-up and registration ===


@step(while_off=True)
def look_up(env, settings, request):
    client = find(env, request["client_id"])
    return {"client": _document(client) if client else None}


def _document(client):
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": client.kind,
        "auth_method": client.auth_method,
        "redirect_uris": (client.redirect_uris or "").splitlines(),
        "grant_types": client.grant_types.split(),
        "active": client.active,
    }


@step()
def register(env, settings, request):
    if not _CLIENT_ID.fullmatch(request["client_id"]):
        raise faults.bad_request("client_id", "client_id has to be mcp_client_ and 22 letters and digits.")
    if not settings.allow_dynamic_registration:
        raise Refused("access_denied", "registration_disabled", _REGISTRATION_OFF)
    _require_accepted(request["redirect_uris"])
    if (request["auth_method"] == "none") != (request["secret"] is None):
        raise Refused("invalid_client_metadata", "secret", "A client has a secret unless its method is none.")
    client = _all(env).create(
        {
            "name": _name(request["name"]),
            "client_id": request["client_id"],
            "kind": "dynamic",
            "auth_method": request["auth_method"],
            "secret_digest": credentials.digest(request["secret"]) or False,
            "redirect_uris": "\n".join(dict.fromkeys(request["redirect_uris"])),
            "grant_types": " ".join(_GRANT_TYPES),
            "client_uri": request["client_uri"],
            "software_id": request["software_id"],
        }
    )
    return {"registered": {"issued_at": unix_time(client.create_date)}}


def _require_accepted(uris):
    if not uris:
        raise Refused("invalid_redirect_uri", "redirect_uri", "A client needs a redirect URI.")
    problems = [sentence for sentence in map(redirect_uris.problem, uris) if sentence]
    if problems:
        raise Refused("invalid_redirect_uri", "redirect_uri", " ".join(problems)[:1000])


def _name(text):
    """A name on one line, since it is shown to a person who decides."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "AI tool"


def store_document(env, client_id, document):
    """The client that a metadata document describes, as it was fetched now, with those addresses that are accepted."""
    accepted = [uri for uri in document["redirect_uris"] if not redirect_uris.problem(uri)]
    if not accepted:
        _require_accepted(document["redirect_uris"])
    _all(env)._mcp_refuse_to_tools("write")
    values = {
        "name": _name(document["name"]),
        "client_id": client_id,
        "redirect_uris": "\n".join(dict.fromkeys(accepted)),
        "grant_types": " ".join(_GRANT_TYPES),
        "client_uri": document["client_uri"],
        "expires": fields.Datetime.add(fields.Datetime.now(), seconds=document["expires_in"]),
    }
    # SQL, as of two logins that bring the same document at once neither may fail
    env.cr.execute(SQL(_STORE_DOCUMENT, **values))
    env["mcp.oauth.client"].invalidate_model(flush=False)
    client = find(env, client_id)
    if client.kind != "document":
        raise Refused("invalid_client", "unknown", _UNKNOWN)
    return client


# === Who proves to be which client ===


def require_known(client):
    if not client:
        raise Refused("invalid_client", "unknown", _UNKNOWN)
    if not client.active:
        raise Refused("invalid_client", "archived", _ARCHIVED)
    return client


def authenticated(env, ref):
    """The client that a reference names, provided that it has proved to be it."""
    client = require_known(find(env, ref["client_id"]))
    if client.auth_method == "none":
        # some clients send a made-up secret with every id: it proves nothing, and PKCE does
        return client
    if ref["auth_method"] == "none" or ref["secret"] is None:
        raise Refused("invalid_client", "method", _WITH_SECRET)
    if not same(client.secret_digest, credentials.digest(ref["secret"])):
        raise Refused("invalid_client", "secret", "The client secret is not the right one.")
    return client


def same(stored, shown):
    """Whether two digests are the same, compared in constant time; what is missing is the same as nothing."""
    return bool(stored) and bool(shown) and hmac.compare_digest(stored, shown)


def unix_time(instant):
    return int(fields.Datetime.to_datetime(instant).replace(tzinfo=UTC).timestamp())
