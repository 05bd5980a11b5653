"""Refusals of the authorization server: answered in the form of the contract, and committed with what was written."""

import functools

from ..rpc import faults


class Refused(Exception):
    """A refusal with its OAuth error code, a word for programs, and a sentence for a person."""

    def __init__(self, error, reason, description, connection=None):
        super().__init__(description)
        self.error = error
        self.reason = reason
        self.description = description
        self.connection = connection

    def document(self):
        return {
            "refused": {
                "error": self.error,
                "reason": self.reason,
                "description": self.description,
                "connection": self.connection.id if self.connection else None,
                "user": self.connection.user_id.id if self.connection else None,
            }
        }


_OFF = "OAuth is switched off on this server: connect with an API key that an MCP administrator creates in Odoo."


def step(while_off=False):
    """Decorator of a step of the protocol: refused while a switch is off, and its refusals are answered.

    :param while_off: whether the step is done while OAuth is off too, as revoking a token is; never while the master
        switch is off
    """

    def decorate(function):
        @functools.wraps(function)
        def entry(env, request):
            # sudo: the service account may read nothing; the settings are for the addon to follow
            settings = env["mcp.server.settings"].sudo().search([], limit=1)
            if not settings.enabled:
                raise faults.disabled()
            try:
                if not while_off and not settings.enable_oauth:
                    raise Refused("access_denied", "oauth_disabled", _OFF)
                return function(env, settings, request)
            except Refused as refusal:
                return refusal.document()

        return entry

    return decorate
