def migrate(cr, version):
    """Drops the function that resolved proofs before: a plain query does it now."""
    cr.execute("DROP FUNCTION IF EXISTS mcp_sidecar_resolve")
