"""Two window actions get ids of the form `<model>_action`; menus go on leading to the same records."""

RENAMED = {"action_mcp_audit_log": "mcp_audit_log_action", "action_mcp_session": "mcp_session_action"}


def migrate(cr, version):
    for old, new in RENAMED.items():
        cr.execute(
            "UPDATE ir_model_data SET name = %s WHERE module = 'mcp_sidecar' AND name = %s",
            [new, old],
        )
