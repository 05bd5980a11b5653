"""Service account of the sidecar, with least privilege: it calls the gateway, and does nothing else.

It has no right on any model, yet Odoo lets everybody change the own profile with sudo: that is refused here. An
administrator can still edit the account.
"""

from odoo.exceptions import AccessError

SERVICE_GROUP = "mcp_sidecar.group_service"


def is_acting(env):
    """Whether it is the service account itself that got here, with sudo or without."""
    return bool(env.uid) and env.user._has_group(SERVICE_GROUP)


def refuse(model):
    """Refuses a change that the service account makes, its own profile included."""
    if is_acting(model.env):
        raise AccessError(
            model.env._(
                "The service account of the MCP sidecar can change nothing in Odoo, its own profile included: an "
                "administrator edits it."
            )
        )
