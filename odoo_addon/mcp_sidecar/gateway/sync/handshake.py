"""Handshake with a sidecar, and the changes that it polls for afterwards."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from odoo import fields, release
from odoo.tools import SQL, config

from ..rpc import remote_address
from ..rpc.contract import CONTRACT
from ..values import outputs
from . import outbox_cursor, public_urls

SETTINGS = (
    "enabled",
    "version",
    "rate_limit_minute",
    "rate_limit_day",
    "access_token_timeout",
    "refresh_token_timeout",
    "refresh_token_grace",
    "allow_dynamic_registration",
    "enable_event_streaming",
    "enable_report_generation",
    "audit_retention_days",
    "log_payloads",
    "settings_max_age",
    "enable_oauth",
    "oauth_aliases",
    "oauth_default_scope",
)


# === Hello ===


def hello(env, request):
    source = env["mcp.event"]._source()
    return {
        "contract": CONTRACT,
        "addon_version": _addon_version(env),
        "odoo_version": release.series,
        "workers": config["workers"],
        "database": env.cr.dbname,
        "database_uuid": source.database_uuid,
        "web_url": env["ir.config_parameter"]._get_param("web.base.url"),
        "cursor": outbox_cursor.encode_cursor(source),
        "settings": settings(env),
        **_registered(env, request),
        "shared_keys": _shared_keys(env),
        "now": _now(),
    }


def _shared_keys(env):
    """What the sidecars of this database derive the same codes and tokens from, whichever of them is asked."""
    key = env["mcp.server.settings"]._oauth_shared_key()
    return {"oauth": key} if key else {}


def _addon_version(env):
    # sudo: the service account may read nothing; the version of this addon is part of the handshake
    return (
        env["ir.module.module"].sudo().search_fetch([("name", "=", "mcp_sidecar")], ["latest_version"]).latest_version
    )


def _registered(env, request):
    address = remote_address.remote_address()
    refusal = _wake_refusal(env, request, address)
    has_room = env["mcp.replica"]._register_replica(
        replica=request["replica"].lower(),
        version=request["version"],
        public_url=public_urls.normalized(request["public_url"]),
        wake_url=None if refusal else request["wake_url"],
        wake_secret=None if refusal else request["wake_secret"],
        address=address,
        contract=request["contract"],
    )
    if not has_room:
        return {
            "wake": "There are 16 sidecars already: this one gets no wake-ups.",
            "public_url_state": "pending",
        }
    state = public_urls.announced(env, request["replica"].lower(), request["public_url"])
    return {"wake": refusal or "accepted", "public_url_state": state}


def _wake_refusal(env, request, address):
    """Why a sidecar gets no wake-ups, or None. Without the check, Odoo could be made to post anywhere."""
    if not request["wake_url"] or not request["wake_secret"]:
        return "No wake-ups were asked for."
    try:
        url = urlsplit(request["wake_url"])
        host = url.hostname
        # libraries disagree about what stands before an @ and behind a backslash
        plain = not {"@", "\\"} & set(url.netloc)
        valid = url.scheme in ("http", "https") and host and url.port != 0 and plain
    except ValueError:
        valid = False
    if not valid:
        return "The wake-up URL is not a plain http or https URL."
    if _is_peer(host, address) or host in _allowed_hosts(env):
        return None
    return f"{host} is neither where the hello came from nor on the list of wake-up hosts."


def _is_peer(host, address):
    try:
        there = ip_address(address or "")
        there = getattr(there, "ipv4_mapped", None) or there
        return there.is_loopback if host == "localhost" else ip_address(host) == there
    except ValueError:
        return False


def _allowed_hosts(env):
    # sudo: the administrator's list is for the addon to follow, not for the service account to read
    listed = env["mcp.server.settings"].sudo().search([], limit=1)._wake_host_list()
    return {host.lower() for host in listed}


# === Changes ===


def changes(env, request):
    """Everything after a cursor, in the snapshot that the next cursor stands for."""
    source = env["mcp.event"]._source()
    seen = outbox_cursor.decode_cursor(request["cursor"], source)
    events = env["mcp.event"]._since(seen) if seen else []
    kinds = {kind for kind, _ref in events}
    answer = {
        "cursor": outbox_cursor.encode_cursor(source),
        "reset": seen is None,
        "settings": settings(env) if seen is None or "settings" in kinds else None,
        "connections": sorted(ref for kind, ref in events if kind == "connection" and ref),
        "sessions": env["mcp.session"]._ended_of([ref for kind, ref in events if kind == "session"]),
        "schema": seen is None or "schema" in kinds,
        "check": env["mcp.connection.check"]._pending() if seen is None or "check" in kinds else None,
        "now": _now(),
    }
    env["mcp.replica"]._mark_seen(request["replica"].lower())
    return answer


def settings(env):
    columns = SQL(", ").join(SQL.identifier(name) for name in SETTINGS)
    found = env.execute_query_dict(SQL("SELECT %s FROM mcp_server_settings LIMIT 1", columns))
    # without a row nothing is allowed, as where the switch is off
    if not found:
        return dict.fromkeys(SETTINGS, 0) | {
            "enabled": False,
            "enable_oauth": False,
            "oauth_aliases": False,
            "oauth_default_scope": "read_only",
            "tz": "UTC",
            "previous_public_urls": [],
            "offers_client_credentials": False,
        }
    known = {name: False if value is None else value for name, value in found[0].items()}
    return known | {
        "tz": env["mcp.server.settings"]._company_tz(),
        "previous_public_urls": env["mcp.server.settings"]._previous_origins(),
        "offers_client_credentials": env["mcp.oauth.client"]._offers_client_credentials(),
    }


def _now():
    return outputs.instant(fields.Datetime.now())
