"""Deny list: models that no AI tool uses, for any connection: `ir.model.access` and `ir.rule` answer a call as if its
user had no right to them.
"""

from odoo.fields import Domain

from .. import transaction

_LIFTED = "_mcp_closed_opened"

# Closed as a whole, to reading too: their records are secrets, or ways to log in. Odoo's own sudo reads them as ever.
MODELS = frozenset(
    {
        # passkeys and second factors, on their way or kept
        "auth.passkey.key",
        "auth.passkey.key.create",
        "auth_totp.device",
        "auth_totp.wizard",
        # external identity providers
        "auth.oauth.provider",
        "res.company.ldap",
        # `database.secret`, which signs links that set passwords, and keys of other services
        "ir.config_parameter",
        # links that set passwords pass through both
        "ir.mail_server",
        "mail.mail",
        # applications that may log in, and logins on their way
        "mcp.oauth.client",
        "mcp.oauth.request",
        # a key of Odoo, shown once
        "res.users.apikeys.description",
        "res.users.apikeys.show",
        "res.users.identitycheck",
    }
)

# The same for some rows: Odoo keeps the mails that it sends about accounts, with links that set passwords.
ROWS = {"mail.message": Domain("model", "not in", ["portal.wizard.user", "res.users"])}


def applies(cr):
    """Whether what runs on this cursor is kept from them."""
    return transaction.in_call(cr) and not vars(cr).get(_LIFTED)


def lifted(cr):
    """For caches that calls and people share."""
    return transaction.scoped_value(cr, _LIFTED, True)


def refusal_message(name):
    return f"No AI tool may use the model {name}, which holds secrets or ways to log in: do it in Odoo."
