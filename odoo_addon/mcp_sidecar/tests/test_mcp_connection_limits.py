from psycopg2 import IntegrityError

from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..gateway.auth import identity
from ..gateway.sync import handshake
from .common import McpCase


@tagged("-at_install", "post_install")
class TestLimits(McpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings.write({"rate_limit_minute": 60, "rate_limit_day": 10000})

    def told(self, key):
        """What the sidecar hears of a connection's limits."""
        document = identity.connection_document(self.env, self.resolve(key))["connection"]
        return document["rate_limit_minute"], document["rate_limit_day"]

    def test_a_new_connection_follows_the_settings(self):
        connection, key = self.connect(self.user)
        self.assertEqual((connection.rate_limit_minute, connection.rate_limit_day), (-1, -1))
        self.assertEqual(self.told(key), (None, None))

    def test_an_own_limit_and_no_limit(self):
        connection, key = self.connect(self.user)
        connection.write({"rate_limit_minute": 5, "rate_limit_day": 0})
        self.assertEqual(self.told(key), (5, 0))

    def test_what_an_import_leaves_empty_is_the_default(self):
        connection, key = self.connect(self.user)
        for empty in (False, None):
            connection.write({"rate_limit_minute": 5, "rate_limit_day": 0})
            connection.write({"rate_limit_minute": empty, "rate_limit_day": empty})
            self.assertEqual(self.told(key), (None, None))
        values = {"name": "Imported", "user_id": self.user.id, "rate_limit_minute": False, "rate_limit_day": 0}
        imported = self.env["mcp.connection"].create(values)
        self.assertEqual((imported.rate_limit_minute, imported.rate_limit_day), (-1, 0))

    def test_limits_have_bounds(self):
        connection, _key = self.connect(self.user)
        for values in ({"rate_limit_minute": 1_000_001}, {"rate_limit_day": 1_000_000_001}, {"rate_limit_day": -2}):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                connection.write(values)

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_what_means_nothing(self):
        connection, _key = self.connect(self.user)
        self.env.flush_all()
        with self.assertRaises(IntegrityError), self.env.cr.savepoint():
            self.env.cr.execute("UPDATE mcp_connection SET rate_limit_day = -2 WHERE id = %s", [connection.id])

    def test_a_limit_is_noted_at_once(self):
        connection, _key = self.connect(self.user)
        for values in ({"rate_limit_minute": 7}, {"rate_limit_day": 7}, {"allowed_ips": "::1"}, {"blocked_ips": "::1"}):
            noted = self.notes()
            connection.write(values)
            self.assertIn(("connection", connection.id), noted)

    def test_a_mode_is_written_as_its_number(self):
        connection, key = self.connect(self.user)
        mine = connection.with_user(self.admin)
        for values, told in (
            ({"rate_limit_minute_mode": "none"}, (0, None)),
            ({"rate_limit_minute_mode": "default", "rate_limit_day_mode": "none"}, (None, 0)),
            ({"rate_limit_minute_mode": "own", "rate_limit_day_mode": "own"}, (60, 10000)),
            ({"rate_limit_minute_mode": "own", "rate_limit_minute": 7}, (7, 10000)),
            ({"rate_limit_day_mode": "own", "rate_limit_day": 8, "rate_limit_minute_mode": "none"}, (0, 8)),
            ({"rate_limit_day_mode": "default"}, (0, None)),
        ):
            with self.subTest(values=values):
                self.assertTrue(mine.write(values))
                self.assertEqual(self.told(key), told)
                self.assertEqual(mine.rate_limit_minute_mode, _mode(mine.rate_limit_minute))
                self.assertEqual(mine.rate_limit_day_mode, _mode(mine.rate_limit_day))
        values = {"name": "New", "user_id": self.admin.id, "rate_limit_minute_mode": "none"}
        made = self.env["mcp.connection"].with_user(self.admin).create(values)
        self.assertEqual((made.rate_limit_minute, made.rate_limit_day), (0, -1))
        row = [str(connection.id), "No limit"]
        self.assertTrue(mine.load([".id", "rate_limit_day_mode"], [row])["ids"])
        self.assertEqual(connection.rate_limit_day, 0)

    # === The form ===

    def test_the_form_says_it_in_words(self):
        connection, key = self.connect(self.user)
        with Form(connection.with_user(self.admin)) as form:
            self.assertEqual((form.rate_limit_minute_mode, form.rate_limit_day_mode), ("default", "default"))
            self.assertIn("60 a minute, 10,000 a day", form.default_limits)
            form.rate_limit_minute_mode = "own"
            self.assertEqual(form.rate_limit_minute, 60)
            form.rate_limit_minute = 5
            form.rate_limit_day_mode = "none"
        self.assertEqual(self.told(key), (5, 0))
        with Form(connection.with_user(self.admin)) as form:
            self.assertEqual((form.rate_limit_minute_mode, form.rate_limit_day_mode), ("own", "none"))
            form.rate_limit_minute_mode = "default"
            form.rate_limit_day_mode = "own"
        self.assertEqual(self.told(key), (None, 10000))

    def test_where_the_settings_have_no_limit_an_own_one_begins_with_a_number(self):
        self.settings.rate_limit_minute = 0
        connection, _key = self.connect(self.user)
        self.assertIn("no limit a minute", connection.default_limits)
        with Form(connection.with_user(self.admin)) as form:
            form.rate_limit_minute_mode = "own"
            self.assertEqual(form.rate_limit_minute, 60)

    def test_whose_connection_it_is_reads_its_limits(self):
        connection, _key = self.connect(self.user)
        self.assertTrue(connection.with_user(self.user).default_limits)

    # === The time zone ===

    def test_a_day_ends_where_the_company_is(self):
        partner = self.env.ref("base.main_company").partner_id
        noted = self.notes()
        partner.tz = "America/New_York"
        self.assertIn(("settings", None), noted)
        self.assertEqual(self.settings.company_tz, "America/New_York")
        self.assertEqual(handshake.settings(self.env)["tz"], "America/New_York")
        self.assertEqual(handshake.settings(self.env(user=self.service))["tz"], "America/New_York")
        partner.tz = False
        company = self.env.ref("base.main_company")
        expected = company.resource_calendar_id.tz if "resource_calendar_id" in company else "UTC"
        self.assertEqual(handshake.settings(self.env)["tz"], expected or "UTC")

    def test_other_contacts_move_no_day(self):
        noted = self.notes()
        self.env["res.partner"].create({"name": "x"}).tz = "Europe/Paris"
        self.assertNotIn(("settings", None), noted)


def _mode(limit):
    return "default" if limit < 0 else "own" if limit else "none"
