from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from ..gateway.auth import credentials, identity
from ..gateway.sync import handshake
from .oauth_common import OauthCase
from .test_rpc_contract import cases


@tagged("-at_install", "post_install")
class TestOauthSettings(OauthCase):
    def hello(self, replica="5d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f70"):
        asked = next(case["request"] for method, case in cases() if method == "hello")
        return self.ask("hello", {**asked, "replica": replica})

    # === The shared key ===

    def test_all_replicas_get_the_same_key(self):
        first = self.hello()["shared_keys"]["oauth"]
        second = self.hello("6d1c2a34-9e8b-4c6d-8f10-2b3c4d5e6f71")["shared_keys"]["oauth"]
        self.assertEqual(first, second)
        self.assertRegex(first, r"^[0-9a-f]{64}$")

    def test_no_administrator_reads_or_writes_it(self):
        key = self.hello()["shared_keys"]["oauth"]
        settings = self.settings.with_user(self.system)
        self.assertNotIn(key, repr(settings.read()))
        self.assertNotIn("oauth_key", settings.fields_get())
        for way in (
            lambda: settings.oauth_key,
            lambda: settings.read(["oauth_key"]),
            lambda: settings.search([("oauth_key", "=", key)]),
            lambda: settings.write({"oauth_key": "0" * 64}),
        ):
            with self.assertRaises(AccessError):
                way()
        self.assertNotIn(key, repr(settings.copy_data()))

    # === Previous addresses ===

    def test_previous_addresses_are_origins(self):
        for text in (
            "https://a.example/path",
            "ftp://a.example",
            "a.example",
            "https://a.example?x",
            "https://u@a.example",
        ):
            with self.assertRaises(ValidationError) as caught, self.env.cr.savepoint():
                self.settings.previous_public_urls = f"https://old.example.com\n{text}"
            self.assertIn("line 2", str(caught.exception))
        self.settings.previous_public_urls = (
            " https://OLD.example.com/ \n\nhttp://127.0.0.1:8765\nhttps://old.example.com"
        )
        self.assertEqual(
            self.env["mcp.server.settings"]._previous_origins(), ["https://old.example.com", "http://127.0.0.1:8765"]
        )

    # === What the sidecars are sent ===

    def test_settings_of_the_contract(self):
        self.settings.write({"oauth_aliases": True, "oauth_default_scope": "read_only"})
        self.env.flush_all()
        sent = handshake.settings(self.env)
        names = ("enable_oauth", "oauth_aliases", "oauth_default_scope", "offers_client_credentials")
        self.assertEqual([sent[name] for name in names], [True, True, "read_only", False])
        self.manual(redirect_uris=None, client_credentials_user=self.user)
        self.assertTrue(handshake.settings(self.env)["offers_client_credentials"])

    def test_without_a_row_nothing_is_allowed(self):
        self.env.cr.execute("DELETE FROM mcp_server_settings")
        sent = handshake.settings(self.env)
        self.assertFalse(sent["enabled"] or sent["enable_oauth"] or sent["allow_dynamic_registration"])
        self.assertEqual(handshake._shared_keys(self.env), {})

    def test_switching_off_is_published_for_each_grant(self):
        _access, _refresh, connection = self.log_in()
        noted = self.notes()
        self.settings.enable_oauth = False
        self.assertIn(("connection", connection.id), noted)


@tagged("-at_install", "post_install")
class TestHotPath(OauthCase):
    """What is asked of the database with each call."""

    def test_one_query_once_groups_are_remembered(self):
        access, _refresh, _connection = self.log_in()
        key = self.connect(self.user)[1]
        self.env.flush_all()
        for proof in (access, credentials.proof(key)):
            self.env["mcp.credential"]._resolve(proof)
            with self.assertQueryCount(1):
                self.env["mcp.credential"]._resolve(proof)

    def test_language_and_time_zone_follow_the_user(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        for lang, tz in (("en_US", "Asia/Tokyo"), ("fr_FR", "Europe/Paris"), ("en_US", False)):
            self.settings_admin.write({"lang": lang, "tz": tz})
            found = self.run_one({"op": "session"})
            self.assertEqual((found["user"]["lang"], found["tz"]), (lang, tz or None))
            context = identity._defaults(self.env, self.env["mcp.credential"]._resolve(self.proof))
            self.assertEqual((context["lang"], context.get("tz")), (lang, tz or None))

    def test_a_group_that_is_given_or_taken_counts_with_the_next_call(self):
        access, _refresh, _connection = self.log_in()
        self.leave_mcp(self.user)
        self.assert_dead(access, "user")
        self.join_mcp(self.user)
        self.assertTrue(self.authenticate(access))
        self.slip_into_service(self.user)
        self.assert_dead(access, "user")
