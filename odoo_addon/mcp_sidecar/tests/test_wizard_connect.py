from datetime import timedelta
from urllib.parse import urlsplit

from lxml import etree

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..models.mcp_replica import ENDPOINT_STATES
from ..wizards import snippets
from .common import McpCase

OLD, NEW = "https://old.example.com", "https://new.example.com"


@tagged("-at_install", "post_install")
class TestWizard(McpCase):
    def wizard(self, person, **values):
        wizard = Form(self.env["mcp.connect.wizard"].with_user(person))
        for name, value in ({"auth_method": "api_key", "name": "Cursor"} | values).items():
            setattr(wizard, name, value)
        return wizard.save()

    def test_nothing_is_stored_before_it_is_saved(self):
        before = self.env["mcp.connection"].search_count([])
        record = self.wizard(self.admin, scope="read_only")
        self.assertEqual(self.env["mcp.connection"].search_count([]), before)
        action = record.action_save()
        connection = self.env["mcp.connection"].search([("name", "=", "Cursor")])
        self.assertEqual((connection.user_id, connection.scope), (self.admin, "read_only"))
        self.assertEqual(self.resolve(action["context"]["default_key"]).connection_id, connection.id)
        self.assertFalse(record.exists())

    def test_a_browser_login_stores_nothing(self):
        wizards = self.env["mcp.connect.wizard"].with_user(self.admin)
        before = self.env["mcp.connection"].search_count([]), self.env["mcp.oauth.client"].search_count([])
        for method in ("browser", False):
            with self.assertRaises(UserError):
                wizards.create({"auth_method": method, "name": "Cursor"}).action_save()
        after = self.env["mcp.connection"].search_count([]), self.env["mcp.oauth.client"].search_count([])
        self.assertEqual(after, before)

    def test_for_whom_a_tool_can_be_connected_is_said_before(self):
        for person, may in ((self.admin, False), (self.system, True)):
            wizard = Form(self.env["mcp.connect.wizard"].with_user(person))
            self.assertEqual((wizard.may_choose_user, wizard.user_id), (may, person))
        self.assertTrue(self.wizard(self.system, user_id=self.user).action_save())
        with self.assertRaises(AssertionError):
            self.wizard(self.admin, user_id=self.user)
        # and whatever the form says, the model refuses
        values = {"auth_method": "api_key", "name": "Cursor", "user_id": self.user.id}
        with self.assertRaises(AccessError):
            self.env["mcp.connect.wizard"].with_user(self.admin).create(values).action_save()

    # === The last page ===

    def last_page(self, connection, key):
        action = self.env["mcp.credential.show"]._action_show(key, connection=connection)
        return Form(self.env["mcp.credential.show"].with_user(self.admin).with_context(**action["context"]))

    def test_the_last_page_has_filled_in_snippets(self):
        connection, key = self.connect(self.admin)
        page = self.last_page(connection, key)
        for name in snippets.filled_in("", ""):
            self.assertIn(key, page[name])
            self.assertIn(page.endpoint_url, page[name])
        self.assertEqual(page.connection_name, connection.name)
        with self.assertRaises(UserError):
            page.save()

    def test_each_snippet_has_a_page_with_a_copy_button(self):
        arch = etree.fromstring(self.env["mcp.credential.show"].get_view(view_type="form")["arch"])
        pages = {page.get("name"): page.findall("field") for page in arch.iter("page")}
        self.assertEqual(set(pages), set(snippets.filled_in("", "")))
        for name, shown in pages.items():
            self.assertEqual([(one.get("name"), one.get("widget")) for one in shown], [(name, "mcp_snippet")])

    # === The address ===

    def announce(self, public_url, replica="5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70", silent=0):
        seen = fields.Datetime.now() - timedelta(seconds=silent)
        values = {"replica": replica, "public_url": public_url, "last_seen": seen}
        return self.env["mcp.replica"].create(values)

    def assertEndpoint(self, url, state):
        self.assertIn(state, dict(ENDPOINT_STATES))
        wizard = Form(self.env["mcp.connect.wizard"].with_user(self.admin))
        self.assertEqual((wizard.endpoint_url, wizard.endpoint_state), (url, state))
        settings = self.settings.with_user(self.admin)
        settings.invalidate_recordset()
        self.assertEqual((settings.endpoint_url, settings.endpoint_state), (url, state))
        page = self.last_page(*self.connect(self.admin))
        self.assertEqual((page.endpoint_url, page.endpoint_state), (url or snippets.EXAMPLE_URL, state))

    def test_the_address_is_what_the_sidecar_announces(self):
        self.env["mcp.replica"].search([]).unlink()
        self.assertEndpoint(False, "none")
        old = self.announce(f"{OLD}/", silent=120)
        self.assertEndpoint(f"{OLD}/odoo/mcp", "lost")
        old.last_seen = fields.Datetime.now()
        self.assertEndpoint(f"{OLD}/odoo/mcp", "one")

    def test_a_key_is_never_shown_beside_a_host_that_exists(self):
        self.env["mcp.replica"].search([]).unlink()
        page = self.last_page(*self.connect(self.admin))
        self.assertTrue(urlsplit(page.endpoint_url).hostname.endswith(".invalid"))
        self.assertIn(page.endpoint_url, page.curl)
        self.assertNotIn("example.com", page.curl)

    def test_of_several_addresses_the_newest_counts(self):
        self.env["mcp.replica"].search([]).unlink()
        old = self.announce(OLD)
        self.announce(f"{OLD}/", replica="a twin")
        self.assertEndpoint(f"{OLD}/odoo/mcp", "one")
        new = self.announce(NEW, replica="b", silent=30)
        self.assertEndpoint(f"{NEW}/odoo/mcp", "several")
        new.last_seen -= timedelta(seconds=60)
        self.assertEndpoint(f"{OLD}/odoo/mcp", "one")
        (old | self.env["mcp.replica"].search([("replica", "=", "a twin")])).unlink()
        self.assertEndpoint(f"{NEW}/odoo/mcp", "lost")
