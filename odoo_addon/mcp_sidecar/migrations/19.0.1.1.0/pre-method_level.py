def migrate(cr, version):
    """Gives each connection the level of methods that it had in effect, before Odoo would give all the default.

    A connection that only reads had none in effect: it gets what a new one has, and calls nothing all the same.
    """
    cr.execute("ALTER TABLE mcp_connection ADD COLUMN IF NOT EXISTS method_level varchar")
    cr.execute(
        r"""
        UPDATE mcp_connection
           SET method_level = CASE
               WHEN allowed_models ~ '\S' THEN CASE WHEN allow_execute_method THEN 'any' ELSE 'none' END
               WHEN scope = 'full' THEN 'any'
               ELSE 'buttons'
           END
         WHERE method_level IS NULL
        """
    )
