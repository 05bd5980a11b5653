from odoo import fields
from odoo.tests import tagged

from ..gateway.audit import ingest
from ..gateway.auth import credentials
from ..gateway.oauth import families
from ..gateway.sync import sessions
from .audit_common import REPLICA, entry, register, session
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

    def test_no_limit_has_to_be_typed(self):
        """Odoo alone would store an emptied number as 0, and here that means: no limit, or forever."""
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_no_limit_is_typed", login=self.admin.login)
        self.settings.invalidate_recordset()
        self.assertEqual((self.settings.rate_limit_minute, self.settings.audit_retention_days), (0, 30))

    def test_a_tool_is_connected_and_nothing_is_stored_before(self):
        self.settings.enabled = True
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_connect_a_tool", login=self.admin.login)
        connections = self.env["mcp.connection"].search([("name", "in", ("Tour", "Abandoned"))])
        self.assertEqual(connections.mapped("name"), ["Tour"])
        self.assertEqual((connections.user_id, connections.scope), (self.admin, "read_only"))
        self.assertEqual(len(connections.credential_ids), 1)
        self.assertFalse(self.env["mcp.connect.wizard"].search([]))

    def test_a_client_is_made_by_hand_and_its_secret_rotated(self):
        self.settings.enabled = True
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_custom_client", login=self.admin.login)
        [client] = self.env["mcp.oauth.client"].search([("name", "=", "Tour Client")])
        self.assertEqual(len(client.redirect_uris.splitlines()), 2)

    def test_a_user_narrows_and_ends_an_own_grant(self):
        for person, name in ((self.user, "Own"), (self.admin, "Other")):
            values = {"name": name, "client_id": f"mcp_client_{name}", "kind": "dynamic", "auth_method": "none"}
            client = self.env["mcp.oauth.client"].create({**values, "redirect_uris": "https://app.example.com/cb"})
            connection = self.env["mcp.connection"].create(
                {"name": name, "user_id": person.id, "kind": "oauth", "oauth_client_id": client.id}
            )
            families.issue(connection, "refresh_token", credentials.proof(name), 600, family=name)
        self.start_tour("/odoo/mcp-sessions", "mcp_sidecar_end_a_grant", login=self.user.login)
        self.env.invalidate_all()
        own, other = (self.env["mcp.connection"].search([("name", "=", name)]) for name in ("Own", "Other"))
        self.assertEqual((own.scope, own.scope_narrowed, own.token_count), ("read_only", True, 0))
        self.assertEqual((other.scope, other.token_count), ("full", 1))

    def test_an_administrator_reads_the_log(self):
        connection = self.connect(self.user)[0]
        whose = {"connection": connection.id, "user": self.user.id, "time": fields.Datetime.now().isoformat() + "Z"}
        refused = {"status": "refused", "reason": "rate_limit_minute", "error": "60 requests a minute are allowed."}
        ingest.append(self.env, {"replica": REPLICA, "entries": [entry(**whose), entry(**whose, **refused)]})
        self.start_tour("/odoo/mcp-settings", "mcp_sidecar_read_the_log", login=self.admin.login)

    def test_a_user_ends_an_own_session(self):
        register(self.env)
        own = session(self.connect(self.user)[0])
        other = session(self.connect(self.admin)[0], client="somebody else's")
        sessions.sync(self.env, {"replica": REPLICA, "complete": False, "sessions": [own, other]})
        # what a live sidecar does every few seconds
        self.env.cr.execute("UPDATE mcp_replica SET sessions_seen = sessions_seen + interval '10 minutes'")
        self.start_tour("/odoo/mcp-sessions", "mcp_sidecar_end_a_session", login=self.user.login)
        self.env.invalidate_all()
        active = self.env["mcp.session"].search([]).mapped("session_id")
        self.assertIn(other["session"], active)
        self.assertNotIn(own["session"], active)
