"""Users that AI tools may log in as."""

GROUP = "mcp_sidecar.group_user"


def may_connect(user):
    """Whether an AI tool may act as that user by OAuth: an active internal user who may connect AI tools."""
    # sudo: groups and archived users are judged for every caller
    user = user.sudo()
    return user._mcp_may_be_acted_as() and user._has_group(GROUP)
