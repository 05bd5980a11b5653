"""Authorization requests: from the redirect of a client to its code, one conditional UPDATE a step."""

import re

from odoo import fields
from odoo.tools import SQL

from ..auth import credentials
from . import addresses, clients, redirect_uris, scopes, users
from .refused import Refused, step

REQUEST_SECONDS = 600
CODE_SECONDS = 60

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

_NOT_CONFIRMED = "The address of this sidecar is not confirmed: an MCP administrator confirms it in Server Settings."


def _all(env):
    # sudo: the service account may read nothing, nor may a user who decides
    return env["mcp.oauth.request"].sudo()


def find(env, request_proof):
    """The request with that proof, or none."""
    return _all(env).search([("request_digest", "=", credentials.digest(request_proof) or "")], limit=1)


def find_code(env, code_proof):
    """The request whose code has that proof, or none."""
    return _all(env).search([("code_digest", "=", credentials.digest(code_proof) or "")], limit=1)


def change(request, values, condition):
    """Changes a request where the condition still holds; answers whether it did."""
    request._mcp_refuse_to_tools("write")
    request.env.flush_all()
    columns = SQL(", ").join(SQL("%s = %s", SQL.identifier(name), value) for name, value in values.items())
    request.env.cr.execute(SQL("UPDATE mcp_oauth_request SET %s WHERE id = %s AND %s", columns, request.id, condition))
    changed = request.env.cr.rowcount == 1
    request.invalidate_recordset(flush=False)
    return changed


# === Begin ===


@step()
def begin(env, settings, request):
    if not addresses.is_issuer(env, settings, request["issuer"]):
        raise Refused("invalid_request", "issuer", _NOT_CONFIRMED)
    if request["resource"] != addresses.resource_of(request["issuer"]):
        raise Refused("invalid_target", "resource", "The resource is not the MCP endpoint of this server.")
    client = _client(env, request)
    if not redirect_uris.is_registered(client.redirect_uris, request["redirect_uri"]):
        message = "This redirect URI is not one that the client has registered."
        raise Refused("invalid_request", "redirect_uri", message)
    if not _CHALLENGE.fullmatch(request["code_challenge"]):
        raise Refused("invalid_request", "code_challenge", "The code challenge is not one of the method S256.")
    _all(env).create(
        {
            "request_digest": credentials.digest(request["request"]),
            "browser_digest": credentials.digest(request["browser"]),
            "client_id": client.id,
            "redirect_uri": request["redirect_uri"],
            # an empty text is a state too, and has to come back
            "state": request["state"],
            "code_challenge": request["code_challenge"],
            "scope_asked": scopes.asked(request["scope"]),
            "resource": request["resource"],
            "issuer": request["issuer"],
            "ip": request["ip"],
            "expires_at": fields.Datetime.add(fields.Datetime.now(), seconds=REQUEST_SECONDS),
        }
    )
    return {"expires_in": REQUEST_SECONDS}


def _client(env, request):
    if request["document"]:
        client = clients.store_document(env, request["client_id"], request["document"])
    else:
        client = clients.find(env, request["client_id"])
    clients.require_known(client)
    if "authorization_code" not in client.grant_types.split():
        message = "This client may not log in by browser: an administrator creates one that may in Odoo."
        raise Refused("unauthorized_client", "grant_type", message)
    return client


# === Resume ===

_STATELESS = {
    "redirect_uri": None,
    "client_state": None,
    "client_name": None,
    "issuer": None,
    "user": None,
    "connection": None,
}


@step()
def resume(env, settings, request):
    found = find(env, request["request"])
    if not found or not clients.same(found.browser_digest, credentials.digest(request["browser"])):
        return {"state": "unknown", **_STATELESS}
    state = _state(found, request)
    if state == "unknown":
        return {"state": state, **_STATELESS}
    return {
        "state": state,
        "redirect_uri": found.redirect_uri,
        "client_state": _client_state(found),
        "client_name": found.client_id.name,
        "issuer": found.issuer,
        "user": found.user_id.id or None,
        "connection": found.connection_id.id or None,
    }


def _client_state(request):
    # SQL: the ORM makes no difference between an empty text and none
    request.env.cr.execute("SELECT state FROM mcp_oauth_request WHERE id = %s", [request.id])
    return request.env.cr.fetchone()[0]


def _state(request, shown):
    """What becomes of a request that its browser goes on with."""
    if request.status == "pending":
        return "pending" if request.expires_at > fields.Datetime.now() else "expired"
    if not clients.same(request.approval_digest, credentials.digest(shown["approval"])):
        return "unknown"
    if request.status == "exchanged":
        return "used"
    if request.status == "issued":
        return _state_of_issued(request, shown)
    if request.expires_at <= fields.Datetime.now():
        return "expired"
    if request.status == "denied" or not _is_usable(request):
        return "denied"
    return _issue_code(request, shown)


def _is_usable(request):
    return request.client_id.active and request.connection_id.active and users.may_connect(request.user_id)


def _issue_code(request, shown):
    now = fields.Datetime.now()
    values = {
        "status": "issued",
        "code_digest": credentials.digest(shown["code"]),
        "code_expires_at": fields.Datetime.add(now, seconds=CODE_SECONDS),
    }
    issued = change(request, values, SQL("status = 'approved' AND expires_at > %s", now))
    return "approved" if issued else _state_of_issued(request, shown)


def _state_of_issued(request, shown):
    """The same code again, for a page that is loaded once more."""
    if request.status != "issued":
        return "used"
    if not clients.same(request.code_digest, credentials.digest(shown["code"])):
        return "unknown"
    return "approved" if request.code_expires_at > fields.Datetime.now() else "expired"
