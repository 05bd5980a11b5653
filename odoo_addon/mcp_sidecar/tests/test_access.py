from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.audit import ingest
from ..gateway.sync import sessions
from .audit_common import REPLICA, entry, session
from .common import McpCase, McpHttpCase

VERBS = ("read", "write", "create", "unlink")
ADMIN = frozenset({"admin", "system"})

# For each model who may do what; people that are not named may do nothing. "own" and "other" are records of the
# MCP user and of somebody else. The Settings administrator without an MCP group is "settings_admin".
MATRIX = {
    "mcp.server.settings": {"read": ADMIN, "write": ADMIN},
    "mcp.connection own": {"read": ADMIN | {"user"}, "write": ADMIN, "create": ADMIN, "unlink": ADMIN},
    "mcp.connection other": {"read": ADMIN, "write": ADMIN, "create": ADMIN, "unlink": ADMIN},
    "mcp.credential": {"read": ADMIN},
    "mcp.oauth.client own": {"read": ADMIN | {"user"}, "write": ADMIN, "unlink": ADMIN},
    "mcp.oauth.client other": {"read": ADMIN, "write": ADMIN, "unlink": ADMIN},
    "mcp.oauth.request": {"read": ADMIN},
    "mcp.replica": {"read": ADMIN},
    "mcp.audit.log own": {"read": ADMIN | {"user"}},
    "mcp.audit.log other": {"read": ADMIN},
    "mcp.audit.checkpoint": {"read": ADMIN},
    "mcp.audit.alarm": {"read": ADMIN, "write": ADMIN},
    "mcp.session own": {"read": ADMIN | {"user"}},
    "mcp.session other": {"read": ADMIN},
    "mcp.event": {},
    "mcp.call": {},
    "mcp.handle": {},
}
# What is written where the table says who may.
DEEDS = {
    "mcp.server.settings": {"enabled": True},
    "mcp.connection own": {"notes": "x"},
    "mcp.connection other": {"notes": "x"},
    "mcp.credential": {"kind": "api_key"},
    "mcp.oauth.client own": {"name": "x"},
    "mcp.oauth.client other": {"name": "x"},
    "mcp.oauth.request": {"status": "approved"},
    "mcp.audit.log own": {"tool": "x"},
    "mcp.audit.log other": {"tool": "x"},
    "mcp.audit.checkpoint": {"sequence": 1},
    "mcp.audit.alarm": {"note": "x"},
    "mcp.session own": {"active": False},
    "mcp.session other": {"active": False},
}
PEOPLE = ("portal", "employee", "user", "admin", "system", "settings_admin", "service")


@tagged("-at_install", "post_install")
class TestAccess(McpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        connections = cls.env["mcp.connection"]
        own = connections.create({"name": "Own", "user_id": cls.user.id})
        other = connections.create({"name": "Other", "user_id": cls.employee.id})
        other._issue_api_key()
        cls.records = {
            "mcp.server.settings": cls.settings,
            "mcp.connection own": own,
            "mcp.connection other": other,
            "mcp.credential": other.credential_ids,
            "mcp.oauth.client own": cls._allowed("Own client", cls.user),
            "mcp.oauth.client other": cls._allowed("Other client", cls.admin),
            "mcp.oauth.request": cls._asked(),
            "mcp.replica": cls.env["mcp.replica"],
            "mcp.audit.log own": cls._logged(own),
            "mcp.audit.log other": cls._logged(other),
            "mcp.audit.checkpoint": cls.env["mcp.audit.checkpoint"].search([("replica", "=", REPLICA)]),
            "mcp.audit.alarm": cls._alarm(),
            "mcp.session own": cls._at_work(own),
            "mcp.session other": cls._at_work(other),
            "mcp.event": cls.env["mcp.event"],
            "mcp.call": cls.env["mcp.call"],
            "mcp.handle": cls.env["mcp.handle"],
        }

    @classmethod
    def _allowed(cls, name, user):
        clients = cls.env["mcp.oauth.client"].with_user(cls.admin)
        client = clients._create_manual(name, "https://tool.example.com/callback")[0].sudo()
        client._connect(user)
        return client

    @classmethod
    def _asked(cls):
        client = cls._allowed("Asking client", cls.settings_admin)
        values = {"client_id": client.id, "redirect_uri": client.redirect_uris, "expires_at": "2026-11-22 13:30:00"}
        return cls.env["mcp.oauth.request"].create({**values, "request_digest": "0" * 64, "browser_digest": "0" * 64})

    @classmethod
    def _logged(cls, connection):
        told = entry(connection=connection.id, user=connection.user_id.id)
        ingest.append(cls.env, {"replica": REPLICA, "entries": [told]})
        return cls.env["mcp.audit.log"].search([("request_id", "=", told["id"])])

    @classmethod
    def _at_work(cls, connection):
        told = session(connection)
        sessions.sync(cls.env, {"replica": REPLICA, "complete": False, "sessions": [told]})
        return cls.env["mcp.session"].search([("session_id", "=", told["session"])])

    @classmethod
    def _alarm(cls):
        alarm = {"id": "0123456789abcdef", "kind": "missing", "sequence": 1, "missing": 1}
        cls.env["mcp.audit.alarm"]._raise(REPLICA, [{**alarm, "time": "2026-11-22T13:30:00Z"}])
        return cls.env["mcp.audit.alarm"].search([("reference", "=", alarm["id"])])

    def test_every_model_of_the_addon_is_in_the_table(self):
        ours = {
            model.model
            for model in self.env["ir.model"].search([("model", "=like", "mcp.%")])
            if "mcp_sidecar" in model.modules.split(", ")
            and not self.env[model.model]._abstract
            and not self.env[model.model]._transient
        }
        self.assertEqual(ours, {name.split()[0] for name in MATRIX})

    def test_matrix_of_rights(self):
        for name, rights in MATRIX.items():
            for principal in PEOPLE:
                record = self.records[name].with_user(getattr(self, principal))
                for verb in VERBS:
                    with self.subTest(model=name, who=principal, verb=verb):
                        self.assertEqual(record.has_access(verb), principal in rights.get(verb, ()))

    def test_matrix_of_deeds(self):
        """The same table, done through the ORM instead of asked."""
        for name, values in DEEDS.items():
            for principal in PEOPLE:
                record = self.records[name].with_user(getattr(self, principal))
                rights = MATRIX[name]
                deeds = {
                    "read": lambda r=record: r.read(["display_name"]),
                    "write": lambda r=record, v=values: r.write(v),
                    "unlink": lambda r=record: r.unlink(),
                }
                for verb, deed in deeds.items():
                    with self.subTest(model=name, who=principal, verb=verb):
                        self.assertDone(deed, principal in rights.get(verb, ()))

    def assertDone(self, deed, allowed):
        savepoint = self.env.cr.savepoint()
        try:
            deed()
            done = True
        except (AccessError, UserError):
            done = False
        finally:
            savepoint.close(rollback=True)
            self.env.invalidate_all()
        self.assertEqual(done, allowed)

    def test_a_user_finds_own_connections_only(self):
        found = self.env["mcp.connection"].with_user(self.user).search([])
        self.assertEqual(found.user_id, self.user)
        self.assertEqual(
            self.env["mcp.connection"].with_user(self.admin).search_count([("user_id", "=", self.employee.id)]), 1
        )

    def test_groups_imply_each_other(self):
        self.assertTrue(self.admin._is_internal())
        self.assertTrue(self.admin.has_group("mcp_sidecar.group_user"))
        self.assertTrue(self.user._is_internal())
        self.assertFalse(self.user.has_group("mcp_sidecar.group_admin"))
        self.assertTrue(self.env.ref("base.user_admin").has_group("mcp_sidecar.group_admin"))
        self.assertFalse(self.env.ref("mcp_sidecar.group_service").implied_ids)

    def test_menus_follow_the_groups(self):
        own = ("mcp_connection_menu", "mcp_audit_log_menu", "mcp_session_menu")
        menus = {
            name: self.env.ref(f"mcp_sidecar.{name}").id
            for name in ("mcp_sidecar_menu_root", "mcp_server_settings_menu", *own)
        }
        for principal, seen in (
            ("employee", set()),
            ("user", {"mcp_sidecar_menu_root", *own}),
            ("admin", set(menus)),
        ):
            visible = self.env["ir.ui.menu"].with_user(getattr(self, principal))._visible_menu_ids()
            self.assertEqual({name for name, menu in menus.items() if menu in visible}, seen, principal)


@tagged("-at_install", "post_install")
class TestPrivateMethods(McpHttpCase):
    @mute_logger("odoo.http")
    def test_private_methods_are_not_reachable(self):
        connection, key = self.connect(self.user)
        for model, method, args in (
            ("mcp.credential", "_resolve", [key]),
            ("mcp.credential", "_issue", [connection.id, "api_key"]),
            ("mcp.connection", "_issue_api_key", [[connection.id]]),
            ("mcp.connection", "_create_for_api_key", ["x", self.user.id, "full"]),
            ("mcp.connection", "_touch", [[connection.id]]),
            ("mcp.replica", "_endpoint", []),
            ("mcp.event", "_publish", ["settings", 1]),
            ("mcp.audit.log", "_store", [[]]),
            ("mcp.audit.log", "_delete_batch", ["x", "2026-01-01"]),
            ("mcp.audit.checkpoint", "_move_tip", ["x", [1, "x"]]),
            ("mcp.session", "_end", [[1]]),
            ("res.users", "_mcp_renew_service_key", [[self.service.id]]),
            ("mcp.credential.show", "_action_show", [key]),
        ):
            with self.subTest(method), self.assertRaisesRegex(Exception, "Private methods"):
                self.rpc(self.system, model, method, *args)
        self.assertTrue(self.resolve(key))
