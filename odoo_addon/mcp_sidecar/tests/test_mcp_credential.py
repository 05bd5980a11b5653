from xmlrpc.client import Fault

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.auth import credentials
from .common import McpCase, McpHttpCase


@tagged("-at_install", "post_install")
class TestDigest(McpHttpCase):
    """No road leads an administrator to a digest, by any method that RPC reaches."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        connection = cls.env["mcp.connection"].create({"name": "Digest", "user_id": cls.user.id})
        cls.key = connection._issue_api_key()
        cls.connection = connection
        cls.credential = connection.credential_ids
        cls.digest = credentials.digest(credentials.proof(cls.key))

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model", "odoo.orm.models", "py.warnings")
    def test_every_road_is_closed(self):
        one, digest = [self.credential.id], self.digest
        equal = [("digest", "=", digest)]
        across = [("credential_ids.digest", "=", digest)]
        inside = [("credential_ids", "any", equal)]
        roads = (
            ("mcp.credential", "read", one, ["digest"]),
            ("mcp.credential", "web_read", one, {"digest": {}}),
            ("mcp.credential", "search", equal),
            ("mcp.credential", "search", [("digest", "=like", "a%")]),
            ("mcp.credential", "search_count", equal),
            ("mcp.credential", "search_read", equal, ["id"]),
            ("mcp.credential", "search_read", [], ["digest"]),
            ("mcp.credential", "search", [], 0, 0, "digest"),
            ("mcp.credential", "search_read", [], ["id"], 0, 0, "digest desc"),
            ("mcp.credential", "web_search_read", [], {"digest": {}}),
            ("mcp.credential", "web_search_read", equal, {"id": {}}),
            ("mcp.credential", "read_group", [], ["digest"], ["digest"]),
            ("mcp.credential", "read_group", [], ["digest:max"], ["kind"]),
            ("mcp.credential", "formatted_read_group", [], ["digest"], ["__count"]),
            ("mcp.credential", "formatted_read_group", [], ["kind"], ["digest:array_agg"]),
            ("mcp.credential", "formatted_read_group", equal, ["kind"], ["__count"]),
            ("mcp.credential", "web_read_group", [], ["digest"]),
            ("mcp.credential", "export_data", one, ["digest"]),
            ("mcp.credential", "name_search", "", equal),
            ("mcp.credential", "filtered_domain", one, equal),
            ("mcp.credential", "write", one, {"digest": "0" * 64}),
            ("mcp.credential", "mapped", one, "digest"),
            ("mcp.connection", "web_read", [self.connection.id], {"credential_ids": {"fields": {"digest": {}}}}),
            ("mcp.connection", "search", across),
            ("mcp.connection", "search", inside),
            ("mcp.connection", "search_count", across),
            ("mcp.connection", "search_read", inside, ["id"]),
            ("mcp.connection", "name_search", "", across),
        )
        for person in (self.system, self.env.ref("base.user_admin")):
            password = "admin" if person.login == "admin" else None
            for model, method, *args in roads:
                with self.subTest(model=model, method=method, args=args):
                    try:
                        answer = self.rpc(person, model, method, *args, password=password)
                    except Fault as fault:
                        self.assertEqual(fault.faultCode, 4, fault.faultString)
                    else:
                        self.fail(f"answered {answer!r}")

    def test_onchange_and_fields_get_know_no_digest(self):
        fields = self.rpc(self.system, "mcp.credential", "fields_get")
        self.assertNotIn("digest", fields)
        record = self.rpc(self.system, "mcp.credential", "read", [self.credential.id])
        self.assertNotIn("digest", record[0])
        self.assertNotIn(self.digest, repr(record))
        copy = self.credential.sudo().copy_data()
        self.assertNotIn("digest", copy[0])

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model")
    def test_onchange_tells_no_digest(self):
        for values, names, spec in (
            ({"id": self.credential.id}, [], {"digest": {}}),
            ({"connection_id": self.connection.id}, ["connection_id"], {"digest": {}, "connection_id": {}}),
        ):
            with self.assertRaises(Fault):
                self.rpc(self.system, "mcp.credential", "onchange", [self.credential.id], values, names, spec)

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model")
    def test_nobody_makes_or_changes_credentials(self):
        values = {"connection_id": self.connection.id, "kind": "api_key", "digest": "0" * 64}
        for method, args in (
            ("create", [values]),
            ("write", [[self.credential.id], {"expires_at": False}]),
            ("unlink", [[self.credential.id]]),
            ("copy", [[self.credential.id]]),
        ):
            with self.assertRaises(Fault) as caught:
                self.rpc(self.system, "mcp.credential", method, *args)
            self.assertEqual(caught.exception.faultCode, 4)
        # nor through the connection
        command = {"credential_ids": [(0, 0, {"kind": "api_key", "digest": "0" * 64})]}
        with self.assertRaises(Fault) as caught:
            self.rpc(self.system, "mcp.connection", "write", [self.connection.id], command)
        self.assertEqual(caught.exception.faultCode, 4)


@tagged("-at_install", "post_install")
class TestDigestInOdoo(McpCase):
    def test_an_administrators_own_code_can_not_read_it_either(self):
        connection, _key = self.connect(self.user)
        credential = connection.credential_ids.with_user(self.system)
        with self.assertRaises(AccessError):
            credential.mapped("digest")
        with self.assertRaises(AccessError):
            credential.search([], order="digest")

    def test_the_text_of_a_key_is_not_in_the_database(self):
        _connection, key = self.connect(self.user)
        self.env.flush_all()
        self.env.cr.execute("SELECT digest FROM mcp_credential ORDER BY id DESC LIMIT 1")
        stored = self.env.cr.fetchone()[0]
        self.assertEqual(stored, credentials.digest(credentials.proof(key)))
        self.assertNotEqual(stored, credentials.proof(key))
