"""Redirect URIs: which are accepted, which of them match, and what a person is shown of them.

https anywhere, http on this machine only (RFC 8252), and schemes of one's own (``cursor://``, ``com.example.app:/``). A
text that two libraries could read in two ways is refused: a code must go where it was checked to go.
"""

import re
from urllib.parse import urlsplit

from ..quoting import quoted

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})
_LONGEST = 2000
# They run code, open files or show what they carry.
_DENIED_SCHEMES = frozenset(
    [
        "about",
        "blob",
        "chrome",
        "chrome-extension",
        "content",
        "data",
        "file",
        "filesystem",
        "ftp",
        "ftps",
        "intent",
        "jar",
        "javascript",
        "mailto",
        "moz-extension",
        "ms-appx",
        "resource",
        "sms",
        "tel",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    ]
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
# RFC 3986 and nothing else: no space, control character, quote, backslash or letter beyond ASCII
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?", re.IGNORECASE)
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]+\]")
_AUTHORITY = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(:\d{1,5})?")
_PRIVATE_AUTHORITY = re.compile(r"[A-Za-z0-9._~-]*")
_DOT_SEGMENT = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


def problem(uri):
    """Why a redirect URI is not accepted, as a sentence, or None where it is."""
    reason = _reason(uri)
    return f"{quoted(uri)} is not accepted: {reason}." if reason else None


def _reason(uri):
    if len(uri) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    if not _CHARACTERS.fullmatch(uri):
        return "it has a character that no address has"
    scheme, colon, _rest = uri.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        return "it is no absolute address"
    if scheme.lower() in _DENIED_SCHEMES:
        return "this scheme runs code, opens files or is no way back to an application"
    if "#" in uri:
        return "it has a fragment"
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "it is no address"
    if "@" in parts.netloc:
        return "it names a user before the host"
    if any(_DOT_SEGMENT.fullmatch(segment) for segment in parts.path.split("/")):
        return "its path leads upwards"
    if scheme.lower() in ("http", "https"):
        return _web_reason(parts, port)
    return _private_reason(parts)


def _web_reason(parts, port):
    host = _host_of(parts)
    if not _AUTHORITY.fullmatch(parts.netloc) or not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        return "it names no host"
    if port == 0:
        return "its port is 0"
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        return "http is for 127.0.0.1, [::1] and localhost only: use https"
    return None


def _private_reason(parts):
    if not _PRIVATE_AUTHORITY.fullmatch(parts.netloc):
        return "what stands behind its scheme is no name"
    if not parts.netloc and not parts.path.startswith("/"):
        return "a scheme of one's own is followed by a slash"
    return None


def _host_of(parts):
    """Host as it stands there, in small letters, an IPv6 address in its brackets."""
    host = parts.netloc.lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def kind(uri):
    """Where a redirect URI leads: ``https``, ``loopback`` or ``private``."""
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return "https"
    return "loopback" if parts.scheme == "http" and _host_of(parts) in LOOPBACK_HOSTS else "private"


def host(uri):
    """What a person is shown of a redirect URI: its host, of a private scheme the scheme with its host."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return parts.netloc.lower()
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def matches(registered, shown):
    """Whether an address is the registered one: to the letter, except for the port of this machine."""
    if registered == shown:
        return True
    if problem(registered) or problem(shown) or kind(registered) != "loopback" or kind(shown) != "loopback":
        return False
    return _without_port(registered) == _without_port(shown)


def _without_port(uri):
    parts = urlsplit(uri)
    return parts._replace(netloc=_host_of(parts))


def is_registered(lines, shown):
    """Whether an address is accepted and one of those of a text, one a line."""
    return not problem(shown) and any(matches(line, shown) for line in (lines or "").splitlines())
