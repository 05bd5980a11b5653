"""What the addon's tests share: people of every kind, connections with their keys, and a record of what is noted."""

from odoo.tests import HttpCase, TransactionCase, new_test_user

from ..gateway.auth import credentials


class McpCommon:
    """People, keys and notes; mixed into Odoo's test cases."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context=dict(cls.env.context, no_reset_password=True, tracking_disable=True))
        cls.settings = cls.env.ref("mcp_sidecar.settings")
        cls.service = cls.env.ref("mcp_sidecar.user_service")
        cls.portal = cls._person("mcp_test_portal", "base.group_portal")
        cls.employee = cls._person("mcp_test_employee", "base.group_user")
        cls.user = cls._person("mcp_test_user", "mcp_sidecar.group_user")
        cls.admin = cls._person("mcp_test_admin", "mcp_sidecar.group_admin")
        cls.system = cls._person("mcp_test_system", "mcp_sidecar.group_admin,base.group_system")
        cls.settings_admin = cls._person("mcp_test_settings", "base.group_system")

    @classmethod
    def _person(cls, login, groups):
        return new_test_user(cls.env, login=login, groups=groups, name=login)

    def connect(self, user, scope="full", name="Test tool"):
        """A connection of a user, and its key."""
        connections = self.env["mcp.connection"]
        connection = connections._create_for_api_key(name, user.id, scope)
        return connection, connection._issue_api_key()

    def slip_into_service(self, person):
        """Puts a person into the service group as only SQL can: what keeps such a person out must hold all the same."""
        self.env.flush_all()
        group = self.env.ref("mcp_sidecar.group_service")
        self.env.cr.execute("INSERT INTO res_groups_users_rel (uid, gid) VALUES (%s, %s)", [person.id, group.id])
        self.env.invalidate_all()
        self.env.registry.clear_cache()

    def resolve(self, key):
        return self.env["mcp.credential"]._resolve(credentials.proof(key))

    def notes(self):
        """The list to which, from now on, each event's kind and reference are added."""
        noted = []
        self.patch(type(self.env["mcp.event"]), "_publish", lambda self, kind, ref=None: noted.append((kind, ref)))
        return noted


class McpCase(McpCommon, TransactionCase):
    pass


class McpHttpCase(McpCommon, HttpCase):
    """Calls made the way others make them: XML-RPC with a password, which is the login of the test's people."""

    def rpc(self, user, model, method, *args, password=None, **kwargs):
        # new_test_user pads short logins only, and these are long enough
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, password or user.login, model, method, args, kwargs
        )
