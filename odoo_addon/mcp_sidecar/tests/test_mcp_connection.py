from datetime import timedelta

from odoo import SUPERUSER_ID, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..exceptions import GatewayError
from ..gateway.auth import credentials
from .common import McpCase, McpHttpCase


@tagged("-at_install", "post_install")
class TestConnection(McpCase):
    def assertUnauthenticated(self, key, reason):
        with self.assertRaises(GatewayError) as caught:
            self.resolve(key)
        self.assertEqual((caught.exception.code, caught.exception.data), ("unauthenticated", {"reason": reason}))

    # === Who may create and rotate ===

    def test_create_api_key_answers_a_key_that_resolves(self):
        connections = self.env["mcp.connection"].with_user(self.admin)
        key = connections.create_api_key("Claude", self.admin.id, "read_only")
        self.assertEqual(credentials.kind_of(key), "api_key")
        found = self.resolve(key)
        connection = self.env["mcp.connection"].browse(found.connection_id)
        self.assertEqual(
            (connection.name, connection.user_id, connection.kind, connection.scope, connection.status),
            ("Claude", self.admin, "api_key", "read_only", "awaiting"),
        )
        self.assertEqual(found.credential_id, connection.credential_ids.id)
        self.assertEqual((found.user_id, found.scope), (self.admin.id, "read_only"))

    def test_a_key_for_another_user_takes_a_settings_administrator(self):
        self.env["mcp.connection"].with_user(self.system).create_api_key("Own", self.system.id, "full")
        self.env["mcp.connection"].with_user(self.system).create_api_key("Other", self.user.id, "full")
        with self.assertRaises(AccessError):
            self.env["mcp.connection"].with_user(self.admin).create_api_key("Other", self.user.id, "full")
        with self.assertRaises(AccessError):
            self.env["mcp.connection"].with_user(self.admin).create({"name": "Other", "user_id": self.user.id})

    def test_creating_takes_an_mcp_administrator(self):
        for person in (self.user, self.employee, self.portal, self.settings_admin, self.service):
            with self.assertRaises(AccessError):
                self.env["mcp.connection"].with_user(person).create_api_key("Own", person.id, "full")

    def test_a_refused_creation_leaves_nothing(self):
        before = self.env["mcp.connection"].search_count([])
        for args in (
            ("", self.user.id, "full"),
            ("  ", self.user.id, "full"),
            ("x", self.user.id, "root"),
            ("x", 2**30, "full"),
            (None, self.user.id, "full"),
            ("x", self.user.id, None),
            ("x", self.user.id, ["full"]),
            ("x", True, "full"),
            ("x", [self.user.id], "full"),
            ("x", str(self.user.id), "full"),
            ("x", {}, "full"),
            (["x"], self.user.id, "full"),
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.env["mcp.connection"].create_api_key(*args)
        self.assertEqual(self.env["mcp.connection"].search_count([]), before)

    def test_a_user_rotates_their_own_key_only(self):
        mine, key = self.connect(self.user)
        others, other_key = self.connect(self.admin)
        new_key = mine.with_user(self.user).rotate_api_key()
        self.assertUnauthenticated(key, "unknown")
        self.assertEqual(self.resolve(new_key).connection_id, mine.id)
        self.assertEqual(len(mine.credential_ids), 1)
        with self.assertRaises(AccessError):
            others.with_user(self.user).rotate_api_key()
        with self.assertRaises(AccessError):
            mine.with_user(self.admin).rotate_api_key()
        with self.assertRaises(AccessError):
            mine.with_user(self.employee).rotate_api_key()
        self.assertTrue(others.with_user(self.system).rotate_api_key())
        self.assertUnauthenticated(other_key, "unknown")

    def test_the_rotate_button_shows_the_key_and_stores_it_nowhere(self):
        connection, _key = self.connect(self.user)
        action = connection.with_user(self.user).action_rotate_key()
        self.assertEqual((action["res_model"], action["target"]), ("mcp.credential.show", "new"))
        key = action["context"]["default_key"]
        self.assertEqual(self.resolve(key).connection_id, connection.id)
        self.assertFalse(self.env["mcp.credential.show"]._auto)
        self.env.cr.execute(
            "SELECT row_to_json(c)::text FROM mcp_connection c UNION ALL"
            " SELECT row_to_json(c)::text FROM mcp_credential c"
        )
        rows = " ".join(row[0] for row in self.env.cr.fetchall())
        self.assertNotIn(key, rows)
        self.assertNotIn(credentials.proof(key), rows)

    def test_only_active_internal_people_can_be_acted_as(self):
        archived = self._person("mcp_test_archived", "base.group_user")
        archived.active = False
        in_service = self._person("mcp_test_in_service", "base.group_user")
        self.slip_into_service(in_service)
        root = self.env["res.users"].browse(SUPERUSER_ID)
        for person in (archived, self.portal, self.service, in_service, root, self.env.ref("base.public_user")):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                self.connect(person)
        self.assertTrue(self.connect(self.employee))

    # === What can't be changed ===

    def test_user_and_kind_are_fixed(self):
        connection, _key = self.connect(self.user)
        with self.assertRaises(UserError):
            connection.user_id = self.admin
        with self.assertRaises(UserError):
            connection.kind = "oauth"
        connection.write({"user_id": self.user.id, "kind": "api_key", "name": "Same"})
        self.assertEqual(connection.name, "Same")

    def test_allowed_tools_are_names(self):
        connection, key = self.connect(self.user)
        connection.allowed_tools = "search_read\n\n  get_record \n"
        self.assertEqual(self.resolve(key).allowed_tools, ["search_read", "get_record"])
        connection.allowed_tools = False
        self.assertEqual(self.resolve(key).allowed_tools, [])
        for bad in ("search read", "Search", "a" * 41, "search_read, get_record"):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                connection.allowed_tools = bad

    # === Revoking ===

    def test_revoked_is_refused_and_reactivated_is_let_in_again(self):
        connection, key = self.connect(self.user)
        connection.with_user(self.admin).action_revoke()
        self.assertEqual(connection.status, "revoked")
        self.assertUnauthenticated(key, "revoked")
        connection.with_user(self.admin).action_reactivate()
        self.assertEqual(self.resolve(key).connection_id, connection.id)
        for action in ("action_revoke", "action_reactivate"):
            with self.assertRaises(AccessError):
                getattr(connection.with_user(self.user), action)()

    def test_a_connection_of_an_archived_user_stays_revoked(self):
        connection, _key = self.connect(self.user)
        connection.action_revoke()
        self.user.active = False
        with self.assertRaises(ValidationError):
            connection.action_reactivate()

    def test_archiving_is_revoking(self):
        connection, key = self.connect(self.user)
        connection.action_archive()
        self.assertUnauthenticated(key, "revoked")

    def test_deleting_kills_the_credential(self):
        connection, key = self.connect(self.user)
        connection.with_user(self.admin).unlink()
        self.assertUnauthenticated(key, "unknown")

    def test_rotating_while_revoked_does_not_reactivate(self):
        connection, key = self.connect(self.user)
        connection.action_revoke()
        new_key = connection.rotate_api_key()
        self.assertUnauthenticated(key, "unknown")
        self.assertUnauthenticated(new_key, "revoked")

    # === The state of the user ===

    def test_the_user_is_judged_each_time(self):
        _connection, key = self.connect(self.employee)
        self.employee.active = False
        self.assertUnauthenticated(key, "user")
        self.employee.active = True
        self.assertTrue(self.resolve(key))
        self.employee.group_ids = self.env.ref("mcp_sidecar.group_service")
        self.assertUnauthenticated(key, "user")
        self.employee.group_ids = self.env.ref("base.group_user")
        self.assertTrue(self.resolve(key))
        self.slip_into_service(self.employee)
        self.assertUnauthenticated(key, "user")
        self.employee.group_ids = self.env.ref("base.group_portal")
        self.assertUnauthenticated(key, "user")

    def test_a_group_that_implies_the_service_group_counts(self):
        _connection, key = self.connect(self.employee)
        group = self.env["res.groups"].create({"name": "Robots"})
        self.employee.group_ids += group
        self.assertTrue(self.resolve(key))
        self.env.flush_all()
        # by SQL, as the ORM refuses to make a person a service account
        self.env.cr.execute(
            "INSERT INTO res_groups_implied_rel (gid, hid) VALUES (%s, %s)",
            [group.id, self.env.ref("mcp_sidecar.group_service").id],
        )
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()
        self.assertUnauthenticated(key, "user")

    def test_user_1_is_never_resolved(self):
        connection, key = self.connect(self.user)
        self.env.flush_all()
        self.env.cr.execute("UPDATE mcp_connection SET user_id = %s WHERE id = %s", (SUPERUSER_ID, connection.id))
        self.env.cr.execute("UPDATE res_users SET active = true WHERE id = %s", (SUPERUSER_ID,))
        self.assertUnauthenticated(key, "user")

    def test_an_expired_credential_is_refused(self):
        connection, key = self.connect(self.user)
        now = fields.Datetime.now()
        connection.credential_ids.expires_at = now + timedelta(minutes=1)
        self.assertTrue(self.resolve(key))
        connection.credential_ids.expires_at = now - timedelta(seconds=1)
        self.assertUnauthenticated(key, "expired")

    def test_what_is_no_proof_is_unknown(self):
        for proof in ("", None, "0" * 64, "0" * 63, 7, ["0" * 64], "' OR 1=1 --"):
            with self.assertRaises(GatewayError) as caught:
                self.env["mcp.credential"]._resolve(proof)
            self.assertEqual(caught.exception.data, {"reason": "unknown"})

    def test_resolving_is_one_query(self):
        _connection, key = self.connect(self.user)
        self.resolve(key)
        with self.assertQueryCount(1):
            self.resolve(key)

    # === Status ===

    def test_status_follows_use(self):
        now = fields.Datetime.now()
        unused, young, old, revoked = (self.connect(self.user, name=f"Status {n}")[0] for n in range(4))
        young.last_used = now - timedelta(days=6)
        (old | revoked).last_used = now - timedelta(days=8)
        revoked.action_revoke()
        expected = {unused: "awaiting", young: "connected", old: "idle", revoked: "revoked"}
        ours = unused | young | old | revoked
        search = self.env["mcp.connection"].with_context(active_test=False).search
        for connection, status in expected.items():
            self.assertEqual(connection.status, status)
            found = search([("status", "=", status), ("id", "in", ours.ids)])
            self.assertEqual(found, connection, status)
        self.assertEqual(search([("status", "!=", "revoked"), ("id", "in", ours.ids)]), ours - revoked)
        self.assertEqual(search([("status", "in", ["idle", "awaiting"]), ("id", "in", ours.ids)]), unused | old)
        self.assertTrue(old.silence.startswith("8 days"))

    def test_asking_for_a_status_finds_revoked_ones(self):
        here, gone = self.connect(self.user)[0], self.connect(self.user)[0]
        gone.action_revoke()
        connections, ours = self.env["mcp.connection"].with_user(self.admin), ("id", "in", (here | gone).ids)
        self.assertEqual(connections.search([("status", "=", "revoked"), ours]), gone)
        self.assertEqual(connections.search([("status", "in", ["revoked", "awaiting"]), ours]), here | gone)
        self.assertEqual(connections.search([("status", "!=", "revoked"), ours]), here)
        self.assertEqual(connections.search_count([("status", "=", "revoked"), ours]), 1)
        self.assertEqual(connections.search([ours]), here, "others go on hiding archived ones")

    def test_connections_of_users_that_are_refused_are_marked_and_found(self):
        names = ("fine", "archived", "portal")
        people = {name: self._person(f"mcp_test_was_{name}", "base.group_user") for name in names}
        ours = {name: self.connect(person)[0] for name, person in people.items()}
        ours["revoked"] = self.connect(people["archived"])[0]
        ours["revoked"].action_revoke()
        every = self.env["mcp.connection"].union(*ours.values())
        every.last_used = fields.Datetime.now()
        before = self.settings.connection_count
        people["archived"].active = False
        people["portal"].group_ids = self.env.ref("base.group_portal")
        every.invalidate_recordset()
        marked = {name: connection.with_user(self.admin).user_warning for name, connection in ours.items()}
        self.assertEqual(
            marked, {"fine": False, "archived": "User refused", "portal": "User refused", "revoked": False}
        )
        self.assertEqual(ours["portal"].status, "connected")
        search = self.env["mcp.connection"].with_user(self.admin).search
        refused = search([("user_refused", "=", True), ("id", "in", every.ids)])
        self.assertEqual(refused, ours["archived"] | ours["portal"])
        self.assertEqual(search([("user_refused", "=", False), ("id", "in", every.ids)]), ours["fine"])
        self.settings.invalidate_recordset()
        self.assertEqual(self.settings.connection_count, before - 2)

    def test_the_settings_say_from_when_on_a_connection_is_idle(self):
        connection, _key = self.connect(self.user)
        connection.last_used = fields.Datetime.now() - timedelta(days=2)
        idle = [("status", "=", "idle"), ("id", "=", connection.id)]
        for days, status in ((1, "idle"), (3, "connected")):
            self.settings.idle_after_days = days
            connection.invalidate_recordset()
            # whoever may not read the settings is told as well
            self.assertEqual(connection.with_user(self.user).status, status)
            self.assertEqual(self.env["mcp.connection"].with_user(self.user).search_count(idle), status == "idle")

    def test_lists_can_be_grouped_and_sorted_by_status(self):
        names = ("awaiting", "connected", "idle", "revoked")
        ours = {name: self.connect(self.user, name=name)[0] for name in names}
        ours["connected"].last_used = fields.Datetime.now()
        ours["idle"].last_used = fields.Datetime.now() - timedelta(days=30)
        ours["revoked"].action_revoke()
        connections = self.env["mcp.connection"].with_user(self.user).with_context(active_test=False)
        description = connections.fields_get(["status"])["status"]
        self.assertTrue(description["groupable"] and description["sortable"])
        groups = connections._read_group([], ["status"], ["id:recordset"], order="status")
        self.assertEqual([(status, found.mapped("name")) for status, found in groups], [(n, [n]) for n in names])
        self.assertEqual(connections.search([], order="status desc").mapped("name"), list(reversed(names)))

    def test_touch_writes_once_a_minute(self):
        connection, _key = self.connect(self.user)
        noted = self.notes()
        connection._touch()
        first = connection.last_used
        self.assertTrue(first)
        self.assertEqual(connection.status, "connected")
        recent = first - timedelta(seconds=50)
        connection.last_used = recent
        connection._touch()
        self.assertEqual(connection.last_used, recent)
        connection.last_used = first - timedelta(seconds=70)
        connection._touch()
        self.assertGreaterEqual(connection.last_used, first)
        self.assertEqual(noted, [])

    def test_what_is_counted_is_not_written(self):
        connection, _key = self.connect(self.admin)
        for name, value in (
            ("request_count", 7),
            ("refusal_count", 0),
            ("last_used", "2026-01-01 00:00:00"),
            ("last_ip", "::1"),
            ("last_client", "x"),
        ):
            for person in (self.admin, self.system):
                with self.assertRaises(UserError):
                    connection.with_user(person).write({name: value})
                with self.assertRaises(UserError):
                    values = {"name": "New", "user_id": person.id, name: value}
                    self.env["mcp.connection"].with_user(person).create(values)

    # === What a user reads ===

    def test_a_user_reads_the_own_connection_as_a_whole(self):
        connection, _key = self.connect(self.user)
        connection.notes = "Watch this one"
        for rows in (
            connection.with_user(self.user).read(),
            self.env["mcp.connection"].with_user(self.user).search_read([("id", "=", connection.id)]),
        ):
            self.assertEqual(rows[0]["name"], "Test tool")
            self.assertFalse({"notes", "credential_ids"} & rows[0].keys())
        self.assertEqual(connection.with_user(self.admin).read(["notes"])[0]["notes"], "Watch this one")
        for names in (["notes"], ["credential_ids"]):
            with self.assertRaises(AccessError):
                connection.with_user(self.user).read(names)
        with self.assertRaises(AccessError):
            self.env["mcp.connection"].with_user(self.user).search([("notes", "ilike", "watch")])

    # === Notes to the sidecars ===

    def test_what_matters_is_noted(self):
        connection, _key = self.connect(self.user)
        noted = self.notes()

        def assertNoted(expected, change):
            noted.clear()
            change()
            self.assertEqual(("connection", connection.id) in noted, expected)

        assertNoted(False, lambda: connection.write({"notes": "x"}))
        for vals in ({"scope": "read_only"}, {"name": "New"}, {"allowed_tools": "search_read"}):
            assertNoted(True, lambda vals=vals: connection.write(vals))
        assertNoted(True, connection.action_revoke)
        assertNoted(True, connection.action_reactivate)
        assertNoted(True, connection.rotate_api_key)
        for vals in (
            {"login": "mcp_test_renamed"},
            {"lang": "en_US"},
            {"tz": "Asia/Tokyo"},
            {"name": "Renamed"},
            {"group_ids": [(4, self.env.ref("base.group_partner_manager").id)]},
            {"active": False},
        ):
            assertNoted(True, lambda vals=vals: self.user.write(vals))
        assertNoted(True, lambda: self.user.write({"active": True}))
        assertNoted(True, lambda: self.user.partner_id.write({"tz": "Europe/Berlin"}))
        assertNoted(False, lambda: self.user.partner_id.write({"phone": "1"}))
        assertNoted(False, lambda: self.user.write({"signature": "<p>x</p>"}))
        assertNoted(False, lambda: self.employee.write({"login": "mcp_test_unconnected"}))
        group = self.env["res.groups"].create({"name": "Noted"})
        assertNoted(True, lambda: group.write({"user_ids": [(4, self.user.id)]}))
        assertNoted(True, lambda: group.write({"implied_ids": [(4, self.env.ref("base.group_partner_manager").id)]}))
        assertNoted(False, lambda: group.write({"comment": "x"}))
        assertNoted(True, group.unlink)

    def test_deletions_are_noted(self):
        connection, _key = self.connect(self.user)
        noted = self.notes()
        connection.unlink()
        self.assertIn(("connection", connection.id), noted)
        person = self._person("mcp_test_leaver", "base.group_user")
        connection, key = self.connect(person)
        noted.clear()
        person.unlink()
        self.assertIn(("connection", connection.id), noted)
        self.assertUnauthenticated(key, "unknown")


@tagged("-at_install", "post_install")
class TestConnectionRpc(McpHttpCase):
    def test_a_script_creates_revokes_and_rotates(self):
        key = self.rpc(self.system, "mcp.connection", "create_api_key", "Script", self.user.id, "read_only")
        found = self.resolve(key)
        self.assertEqual((found.user_id, found.scope), (self.user.id, "read_only"))
        self.assertIs(self.rpc(self.system, "mcp.connection", "action_revoke", [found.connection_id]), True)
        with self.assertRaises(GatewayError):
            self.resolve(key)
        self.assertIs(self.rpc(self.system, "mcp.connection", "action_reactivate", [found.connection_id]), True)
        self.assertTrue(self.resolve(key))
        action = self.rpc(self.user, "mcp.connection", "action_rotate_key", [found.connection_id])
        self.assertEqual(self.resolve(action["context"]["default_key"]).connection_id, found.connection_id)
