"""The scheduled action that deletes stored answers is named after what it does; a name of one's own stays."""

from odoo import SUPERUSER_ID, api

OLD, NEW = "MCP: forget answers of changes", "MCP: delete expired answers of changes"


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    action = env.ref("mcp_sidecar.ir_cron_forget_answers", raise_if_not_found=False)
    if action and action.name == OLD:
        action.name = NEW
