from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..gateway.auth import credentials
from ..wizards import oauth_snippets, snippets
from .common import McpCase

CALLBACK = "https://app.example.com/callback"


@tagged("-at_install", "post_install")
class TestWizardOauth(McpCase):
    """The two ways of connecting a tool that use OAuth."""

    def wizard(self, person, **values):
        wizard = Form(self.env["mcp.connect.wizard"].with_user(person))
        for name, value in ({"auth_method": "oauth_client", "name": "n8n", "redirect_uris": CALLBACK} | values).items():
            setattr(wizard, name, value)
        return wizard.save()

    def create_client(self, person, **values):
        """What the wizard answers, and the client that it made."""
        known = self.env["mcp.oauth.client"].search([])
        record = self.wizard(person, **values)
        action = record.action_save()
        self.assertFalse(record.exists())
        [client] = self.env["mcp.oauth.client"].search([]) - known
        return action["context"], client

    # === Custom client ===

    def test_a_confidential_client(self):
        context, client = self.create_client(self.admin, redirect_uris=f" {CALLBACK}\n\nhttp://localhost:8080/callback")
        self.assertEqual((client.kind, client.auth_method), ("manual", "client_secret_basic"))
        self.assertEqual(client.redirect_uris.splitlines(), [CALLBACK, "http://localhost:8080/callback"])
        self.assertEqual(context["default_client_id"], client.client_id)
        digest = credentials.digest(credentials.proof(context["default_secret"]))
        self.env.cr.execute("SELECT secret_digest FROM mcp_oauth_client WHERE id = %s", [client.id])
        self.assertEqual(self.env.cr.fetchone(), (digest,))
        # each user who logs in gets a connection; no user has
        self.assertFalse(client.connection_ids)

    def test_a_public_client_has_no_secret(self):
        context, client = self.create_client(self.admin, client_type="public")
        self.assertEqual((client.auth_method, context["default_secret"]), ("none", False))
        self.assertNotIn("client_credentials", client.grant_types)

    def test_addresses_that_are_none_are_refused(self):
        for wrong in (
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example.com/cb",
            f"{CALLBACK}#x",
            "x",
            "/cb",
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.create_client(self.admin, redirect_uris=f"{CALLBACK}\n{wrong}")
        with self.assertRaises(AssertionError):
            self.wizard(self.admin, redirect_uris=False)

    def test_a_client_that_works_without_a_login(self):
        context, client = self.create_client(
            self.system, client_credentials=True, user_id=self.user, redirect_uris=False
        )
        self.assertEqual(client.client_credentials_user_id, self.user)
        self.assertEqual(client.connection_ids.user_id, self.user)
        self.assertEqual((context["default_acts_as"], context["default_logs_in"]), (self.user.name, False))
        self.assertEqual(client.connection_ids.scope, "full")
        _context, client = self.create_client(self.system, client_credentials=True, scope="read_only")
        self.assertEqual(client.connection_ids.scope, "read_only")

    def test_acting_as_another_user_takes_a_settings_administrator(self):
        values = {
            "auth_method": "oauth_client",
            "name": "n8n",
            "client_type": "confidential",
            "client_credentials": True,
            "user_id": self.user.id,
        }
        with self.assertRaises(AccessError):
            self.env["mcp.connect.wizard"].with_user(self.admin).create(values).action_save()
        # a box that was ticked before the type was changed counts for nothing
        _context, client = self.create_client(self.admin, client_credentials=True, client_type="public")
        self.assertFalse(client.client_credentials_user_id)

    def test_only_mcp_administrators_create_clients(self):
        with self.assertRaises(AccessError):
            self.env["mcp.connect.wizard"].with_user(self.user).create({"name": "x", "auth_method": "oauth_client"})

    # === The last page ===

    def last_page(self, context):
        return Form(self.env["mcp.oauth.client.show"].with_user(self.admin).with_context(**context))

    def test_the_last_page_shows_the_secret_once(self):
        context, client = self.create_client(self.admin)
        page = self.last_page(context)
        self.assertEqual((page.client_id, page.secret), (client.client_id, context["default_secret"]))
        for name in ("values", "claude_ai"):
            self.assertIn(page.secret, page[name], name)
        # in a command it would stay in the history of the shell
        self.assertNotIn(page.secret, page.claude_code)
        for name in oauth_snippets.of_client("", "", ""):
            self.assertIn(client.client_id, page[name], name)
        with self.assertRaises(UserError):
            page.save()
        self.assertFalse(self.env.registry["mcp.oauth.client.show"]._auto)

    def test_a_public_client_is_shown_without_a_secret(self):
        context, _client = self.create_client(self.admin, client_type="public")
        page = self.last_page(context)
        self.assertFalse(page.secret)
        self.assertNotIn("Secret", page["values"])
        self.assertNotIn("--client-secret", page.claude_code)

    def test_without_a_sidecar_no_host_that_exists_is_shown(self):
        self.env["mcp.replica"].search([]).unlink()
        self.settings.public_url = False
        context, _client = self.create_client(self.admin)
        page = self.last_page(context)
        self.assertEqual(page.endpoint_url, snippets.EXAMPLE_URL)
        self.assertIn("https://YOUR-SIDECAR.invalid/oauth/token", page["values"])

    def test_a_rotated_secret_is_another_one(self):
        context, client = self.create_client(self.admin)
        action = client.with_user(self.admin).action_rotate_secret()
        self.assertEqual(action["res_model"], "mcp.oauth.client.show")
        page = self.last_page(action["context"])
        self.assertTrue(page.rotated)
        self.assertNotEqual(page.secret, context["default_secret"])

    # === Browser login ===

    def test_the_browser_login_shows_the_url_in_each_snippet(self):
        self.settings.public_url = "https://odoo.example.com"
        wizard = Form(self.env["mcp.connect.wizard"].with_user(self.admin))
        wizard.auth_method = "browser"
        self.assertEqual(wizard.endpoint_url, "https://odoo.example.com/odoo/mcp")
        for name in oauth_snippets.of_url(""):
            self.assertIn(wizard.endpoint_url, wizard[f"browser_{name}"], name)
            self.assertNotIn("Authorization", wizard[f"browser_{name}"], name)

    def test_what_is_turned_off_is_said(self):
        for name, field in (("enable_oauth", "oauth_enabled"), ("allow_dynamic_registration", "registration_enabled")):
            for value in (True, False):
                self.settings[name] = value
                self.assertIs(Form(self.env["mcp.connect.wizard"].with_user(self.admin))[field], value)

    def test_each_snippet_has_a_page(self):
        arch = etree.fromstring(self.env["mcp.connect.wizard"].get_view(view_type="form")["arch"])
        shown = {field.get("name") for field in arch.iter("field") if field.get("widget") == "mcp_snippet"}
        self.assertEqual(shown, {f"browser_{name}" for name in oauth_snippets.of_url("")})


@tagged("-at_install", "post_install")
class TestGrantsOfUser(McpCase):
    """What users see of AI tools that they have allowed, and how they end them."""

    def grant(self, person, name):
        client = self.env["mcp.oauth.client"].create(
            {
                "name": name,
                "client_id": f"mcp_client_{name}",
                "kind": "dynamic",
                "auth_method": "none",
                "redirect_uris": CALLBACK,
            }
        )
        values = {"name": name, "user_id": person.id, "kind": "oauth", "oauth_client_id": client.id}
        return self.env["mcp.connection"].create(values)

    def test_the_preferences_show_the_own_ones(self):
        own, other = self.grant(self.user, "Own"), self.grant(self.admin, "Other")
        key, _text = self.connect(self.user)
        me = self.user.with_user(self.user)
        self.assertEqual(me.mcp_grant_ids, own)
        self.assertEqual(me.read(["mcp_grant_ids"])[0]["mcp_grant_ids"], own.ids)
        self.assertNotIn(key, me.mcp_grant_ids)
        self.assertEqual(self.admin.with_user(self.admin).mcp_grant_ids, other)
        with self.assertRaises(AccessError):
            other.with_user(self.user).action_end_grant()

    def test_of_other_users_nothing_is_seen(self):
        self.grant(self.admin, "Other")
        self.assertFalse(self.admin.with_user(self.user).mcp_grant_ids)
        with self.assertRaises(AccessError):
            self.admin.with_user(self.employee).mcp_grant_ids  # noqa: B018

    def test_who_may_not_connect_tools_has_no_such_page(self):
        view = self.env.ref("base.view_users_form_simple_modif")
        for person, shown in ((self.user, True), (self.employee, False)):
            arch = etree.fromstring(self.env["res.users"].with_user(person).get_view(view.id, "form")["arch"])
            self.assertEqual(bool(arch.xpath("//page[@name='mcp_grants']")), shown, person.login)
            self.assertEqual(bool(arch.xpath("//field[@name='mcp_grant_ids']")), shown, person.login)

    def test_the_list_finds_dynamic_registrations(self):
        own = self.grant(self.user, "Own")
        found = self.env["mcp.connection"].search([("oauth_client_id.kind", "=", "dynamic")])
        self.assertIn(own, found)
        self.assertNotIn(self.connect(self.user)[0], found)

    def test_a_client_is_revoked_for_all_and_its_connections_are_shown(self):
        own = self.grant(self.user, "Own")
        client = own.oauth_client_id.with_user(self.admin)
        action = client.action_open_connections()
        self.assertEqual(self.env["mcp.connection"].search(action["domain"]), own)
        client.action_revoke()
        self.assertFalse(client.active)
        client.action_reactivate()
        self.assertTrue(client.active)
        for name in ("action_revoke", "action_reactivate", "action_rotate_secret"):
            with self.assertRaises(UserError):
                getattr(own.oauth_client_id.with_user(self.user), name)()
