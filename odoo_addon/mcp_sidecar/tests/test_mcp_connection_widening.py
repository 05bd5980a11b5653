from odoo.exceptions import AccessError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .common import McpCase, McpHttpCase

NARROW = {
    "scope": "read_only",
    "allowed_tools": "search_read\nget_record",
    "allowed_models": "res.partner\nres.country",
    "method_level": "none",
}
# Each of these lets the connection above do more.
WIDER = (
    {"scope": "full"},
    {"allowed_tools": False},
    {"allowed_tools": " \n"},
    {"allowed_tools": "search_read\ncreate_record"},
    {"allowed_models": ""},
    {"allowed_models": "res.partner\nres.country\nres.users"},
    {"method_level": "buttons"},
    {"name": "Renamed", "scope": "full"},
)
# And each of these doesn't.
NO_WIDER = (
    {"scope": "read_only", "method_level": "none"},
    {"allowed_tools": "get_record"},
    {"allowed_tools": "get_record\n\n search_read "},
    {"allowed_models": "res.country"},
    {"rate_limit_minute": 0, "rate_limit_day": 7, "allowed_ips": False, "blocked_ips": "::1", "name": "Renamed"},
    {"active": False},
)


@tagged("-at_install", "post_install")
class TestWidening(McpCase):
    def narrow(self, user, **values):
        connection, _key = self.connect(user)
        connection.write({**NARROW, **values})
        return connection

    def test_another_users_connection_is_widened_by_a_settings_administrator_only(self):
        for values in WIDER:
            with self.subTest(values=values):
                connection = self.narrow(self.user)
                with self.assertRaises(AccessError), self.env.cr.savepoint():
                    connection.with_user(self.admin).write(values)
                connection.invalidate_recordset()
                self.assertEqual({name: connection[name] for name in NARROW}, NARROW)
                self.assertTrue(connection.with_user(self.system).write(values))

    def test_an_administrator_widens_their_own(self):
        for values in WIDER:
            self.assertTrue(self.narrow(self.admin).with_user(self.admin).write(values))

    def test_one_of_another_user_among_several_is_enough(self):
        both = self.narrow(self.admin) | self.narrow(self.user)
        with self.assertRaises(AccessError):
            both.with_user(self.admin).write({"scope": "full"})

    def test_taking_away_is_open_to_each_administrator(self):
        for values in NO_WIDER:
            with self.subTest(values=values):
                self.assertTrue(self.narrow(self.user).with_user(self.admin).write(values))
        connection, _key = self.connect(self.user)
        connection.method_level = "any"
        self.assertTrue(connection.with_user(self.admin).write(NARROW))

    # === The form ===

    def test_the_form_locks_what_can_only_be_widened(self):
        connection = self.narrow(self.user)
        with Form(connection.with_user(self.admin)) as form:
            for name, value in (("scope", "full"), ("method_level", "buttons")):
                with self.assertRaises(AssertionError):
                    form[name] = value
            form.allowed_models = "res.partner"
        self.assertEqual(connection.allowed_models, "res.partner")
        for person, own in ((self.system, connection), (self.admin, self.narrow(self.admin))):
            with Form(own.with_user(person)) as form:
                form.scope = "full"
                form.method_level = "buttons"
            self.assertEqual((own.scope, own.method_level), ("full", "buttons"))

    def test_a_choice_in_the_open_form_can_be_taken_back(self):
        connection, _key = self.connect(self.user)
        with Form(connection.with_user(self.admin)) as form:
            form.scope = "read_only"
            form.scope = "full"
            form.scope = "read_only"
        self.assertEqual(connection.scope, "read_only")
        self.assertTrue(connection.with_user(self.admin).scope_locked)


@tagged("-at_install", "post_install")
class TestWideningRpc(McpHttpCase):
    @mute_logger("odoo.http")
    def test_it_is_refused_over_rpc(self):
        connection, _key = self.connect(self.user, scope="read_only")
        with self.assertRaisesRegex(Exception, "takes a Settings administrator or that user"):
            self.rpc(self.admin, "mcp.connection", "write", [connection.id], {"scope": "full"})
        answer = self.rpc(self.admin, "mcp.connection", "load", [".id", "scope"], [[str(connection.id), "Full Access"]])
        self.assertFalse(answer["ids"])
        connection.invalidate_recordset()
        self.assertEqual(connection.scope, "read_only")
