"""HTTP to this machine."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

# A machine-wide HTTP proxy must not see requests to this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_status(url: str, *, timeout: float = 10) -> int | None:
    """The status of a GET request; None if nothing answers."""
    try:
        with DIRECT.open(url, timeout=timeout) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None
