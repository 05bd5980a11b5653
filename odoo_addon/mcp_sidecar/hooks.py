def uninstall_hook(env):
    """Removes what the ORM doesn't know of."""
    env.cr.execute("DROP FUNCTION IF EXISTS mcp_sidecar_resolve")
