"""Log filter for proofs and secrets: at level debug Odoo logs the arguments of each method called by RPC."""

import logging

from odoo.service.model import Params

GATEWAY = "mcp.gateway"


def _without_arguments(record):
    """A filter that lets each record through, those of the gateway's methods without what they were given."""
    if isinstance(record.args, tuple) and any(getattr(arg, "_name", None) == GATEWAY for arg in record.args):
        record.args = tuple("…" if isinstance(arg, Params) else arg for arg in record.args)
    return True


def install():
    logging.getLogger("odoo.service.model").addFilter(_without_arguments)
