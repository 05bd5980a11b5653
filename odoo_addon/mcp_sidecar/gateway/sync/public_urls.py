"""Trust on first use for the public URL: the first that a sidecar announces, then only one that is confirmed.

People paste it beside their key, so that the service key of a sidecar must not suffice to change it.
"""

import logging
from urllib.parse import urlsplit

_logger = logging.getLogger(__name__)


def normalized(url):
    """An origin in its one form, or None where it is no plain http or https URL."""
    try:
        parts = urlsplit((url or "").strip())
        port = parts.port
        # libraries disagree about what stands before an @ and behind a backslash
        plain = not {"@", "\\", " "} & set(parts.netloc) and parts.netloc.isprintable()
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not plain:
        return None
    if parts.query or parts.fragment or not parts.path.isprintable():
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def origin(url):
    """An origin in its one form, or None for anything else: what has a path is none."""
    url = normalized(url)
    return url if url and not urlsplit(url).path else None


def announced(env, replica, url):
    """What becomes of the address that a sidecar announces: ``confirmed``, ``pending`` or ``refused``."""
    url = normalized(url)
    if not url:
        return "refused"
    # sudo: the service account may read nothing; the address is the addon's to keep
    settings = env["mcp.server.settings"].sudo().search([], limit=1)
    if not settings:
        return "pending"
    if not settings.public_url:
        # SQL, as the service account may not write settings, and sidecars need no notice of this one
        env.cr.execute(
            "UPDATE mcp_server_settings SET public_url = %s WHERE id = %s AND public_url IS NULL", [url, settings.id]
        )
        settings.invalidate_recordset(["public_url"], flush=False)
        _logger.info("The public URL of the MCP server is %s, as announced by sidecar %s", url, replica)
    if url == normalized(settings.public_url):
        return "confirmed"
    return "refused" if url in settings._refused_urls() else "pending"
