"""Remote address of the current request."""

import sys

from odoo.http import Application, request


def remote_address():
    """The peer's IP address, or None where there is no request."""
    if request:
        return request.httprequest.remote_addr
    # Odoo hides the request from the models while it dispatches XML-RPC (`odoo.http.borrow_request`), so it is looked
    # for where it was made. An own controller could not help: without a database in the session, Odoo takes none.
    frame = sys._getframe()
    while frame is not None and frame.f_code is not Application.__call__.__code__:
        frame = frame.f_back
    httprequest = frame and frame.f_locals.get("httprequest")
    return httprequest.remote_addr if httprequest else None
