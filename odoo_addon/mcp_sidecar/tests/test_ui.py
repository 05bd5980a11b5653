from odoo.tests import tagged

from .common import McpHttpCase


@tagged("-at_install", "post_install")
class TestUi(McpHttpCase):
    """In a real browser; skipped where there is none."""

    def test_the_switch_works_beside_an_invalid_field(self):
        self.settings.enabled = False
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_switch_beside_an_invalid_field", login=self.admin.login)
        self.settings.invalidate_recordset()
        self.assertTrue(self.settings.enabled)
        self.assertEqual(self.settings.rate_limit_minute, 60)

    def test_a_tool_is_connected_and_nothing_is_stored_before(self):
        self.settings.enabled = True
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_connect_a_tool", login=self.admin.login)
        connections = self.env["mcp.connection"].search([("name", "in", ("Tour", "Abandoned"))])
        self.assertEqual(connections.mapped("name"), ["Tour"])
        self.assertEqual((connections.user_id, connections.scope), (self.admin, "read_only"))
        self.assertEqual(len(connections.credential_ids), 1)
        self.assertFalse(self.env["mcp.connect.wizard"].search([]))
