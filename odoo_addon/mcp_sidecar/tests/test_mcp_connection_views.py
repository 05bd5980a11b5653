from ast import literal_eval

from lxml import etree

from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from .common import McpCase

COUNTERS = ("action_open_logs", "action_open_sessions")
CHANGES = ("action_revoke", "action_reactivate")
# What a user may do with an AI tool that they have allowed themselves.
GRANT = ("action_end_grant", "action_limit_to_read_only", "action_allow_full_access")
VIEWS = ("form", "list", "kanban", "search")


@tagged("-at_install", "post_install")
class TestConnectionViews(McpCase):
    """What an administrator and an MCP User get to see of connections."""

    def arch(self, person, view):
        arch = self.env["mcp.connection"].with_user(person).get_view(view_type=view)["arch"]
        return etree.fromstring(arch)

    def buttons(self, person, view):
        return [button.get("name") for button in self.arch(person, view).iter("button")]

    def test_an_administrator_has_all_buttons(self):
        self.assertEqual(
            set(self.buttons(self.admin, "form")),
            {*COUNTERS, *CHANGES, *GRANT, "action_rotate_key", "action_rotate_secret"},
        )
        self.assertEqual(
            self.buttons(self.admin, "list"), ["action_connect_new_tool", "action_revoke", "action_reactivate"]
        )

    def test_a_user_has_no_button_that_fails(self):
        self.assertEqual(self.buttons(self.user, "form"), ["action_rotate_key", *GRANT, *COUNTERS])
        self.assertEqual(self.buttons(self.user, "list"), [])
        self.assertEqual(self.buttons(self.user, "kanban"), [])

    def test_whoever_sees_a_view_can_read_its_fields(self):
        own, _key = self.connect(self.user)
        for person in (self.user, self.admin):
            record = own.with_user(person)
            for view in VIEWS[:3]:
                names = {field.get("name") for field in self.arch(person, view).iter("field")} & set(record._fields)
                self.assertGreater(len(names), 4)
                self.assertTrue(record.read(sorted(names)), view)

    def test_what_changes_traffic_asks_first(self):
        for view in ("form", "list"):
            for button in self.arch(self.admin, view).iter("button"):
                if button.get("name") in (*CHANGES, "action_rotate_key", "action_rotate_secret", "action_end_grant"):
                    self.assertTrue(button.get("confirm"), (view, button.get("name")))

    def test_who_may_hold_key_sees_the_button(self):
        own, _key = self.connect(self.user)
        for person, may in ((self.user, True), (self.admin, False), (self.system, True)):
            self.assertIs(own.with_user(person).may_hold_key, may, person.login)
            # whoever has read it with sudo before
            own.invalidate_recordset()
            self.assertIs(own.with_user(person).sudo().may_hold_key, may, person.login)
            self.assertIs(own.with_user(person).may_hold_key, may, person.login)

    def test_several_are_revoked_and_reactivated_at_once(self):
        connections, keys = self.env["mcp.connection"], []
        for number in range(3):
            connection, key = self.connect(self.user, name=f"Many {number}")
            connections |= connection
            keys.append(key)
        noted = self.notes()
        connections.with_user(self.admin).action_revoke()
        self.assertEqual(set(connections.mapped("status")), {"revoked"})
        self.assertLessEqual({("connection", id_) for id_ in connections.ids}, set(noted))
        connections.with_user(self.admin).action_reactivate()
        self.assertEqual(set(connections.mapped("status")), {"awaiting"})
        self.assertEqual([self.resolve(key).connection_id for key in keys], connections.ids)

    def test_the_form_of_a_user_is_for_reading(self):
        own, _key = self.connect(self.user)
        form = Form(own.with_user(self.user))
        self.assertEqual(form.name, own.name)
        form.name = "x"
        with self.assertRaises(UserError):
            form.save()

    def test_the_search_opens_on_active_ones(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_connection_action")
        self.assertIn('"search_default_active": 1', action["context"])
        self.assertEqual(action["view_mode"], "list,kanban,form")
        filters = {one.get("name") for one in self.arch(self.admin, "search").iter("filter")}
        names = {"active", "api_key", "oauth", "dynamic", "connected", "awaiting", "idle", "revoked", "user_refused"}
        self.assertLessEqual(names | {"group_kind", "group_user", "group_status"}, filters)

    def test_a_refused_user_shows_as_a_red_badge(self):
        for view in ("list", "kanban"):
            fields = {field.get("name"): field for field in self.arch(self.user, view).iter("field")}
            badge = fields["user_warning"]
            self.assertEqual((badge.get("widget"), badge.get("decoration-danger")), ("badge", "user_warning"), view)
            self.assertIn("not user_refused", fields["status"].get("decoration-success"), view)

    def test_the_filter_for_refused_users_works(self):
        connection, _key = self.connect(self.employee)
        self.employee.active = False
        domains = {one.get("name"): one.get("domain") for one in self.arch(self.admin, "search").iter("filter")}
        found = self.env["mcp.connection"].with_user(self.admin).search(literal_eval(domains["user_refused"]))
        self.assertIn(connection, found)

    def test_every_filter_works(self):
        connection, _key = self.connect(self.user, name="Found")
        found = {}
        for one in self.arch(self.user, "search").iter("filter"):
            domain = one.get("domain")
            if domain:
                model = self.env["mcp.connection"].with_user(self.user).with_context(active_test=False)
                found[one.get("name")] = connection in model.search(literal_eval(domain))
        expected = {"active", "api_key", "awaiting", "full", "buttons"}
        self.assertEqual({name for name, hit in found.items() if hit}, expected)
