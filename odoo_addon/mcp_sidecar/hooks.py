from .gateway.rpc import log_filter


def post_load():
    """Log filter: each process that loads the addon keeps the arguments of gateway methods out of its log."""
    log_filter.install()


def uninstall_hook(env):
    """Removes what the ORM doesn't know of."""
    env.cr.execute("DROP FUNCTION IF EXISTS mcp_sidecar_resolve")
    # with its trigger, which would not be in the way: the table is dropped, not emptied
    env.cr.execute("DROP FUNCTION IF EXISTS mcp_audit_guard CASCADE")
