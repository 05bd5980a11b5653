from odoo.tests import BaseCase, tagged

from ..gateway.oauth import scopes


@tagged("-at_install", "post_install")
class TestScopes(BaseCase):
    def test_writing_includes_reading_and_unknown_ones_are_ignored(self):
        for wanted, scope in (
            (None, None),
            ([], None),
            (["openid", "profile", "offline_access"], None),
            (["mcp:read"], "read_only"),
            (["mcp:read", "offline_access"], "read_only"),
            (["mcp:write"], "full"),
            (["mcp:write", "mcp:read"], "full"),
            (["MCP:WRITE"], None),
        ):
            self.assertEqual(scopes.asked(wanted), scope, wanted)

    def test_names(self):
        self.assertEqual(scopes.names("full"), ["mcp:read", "mcp:write"])
        self.assertEqual(scopes.names("read_only"), ["mcp:read"])

    def test_the_narrowest_counts(self):
        for given, narrowest in (
            (("full", "read_only"), "read_only"),
            (("read_only", None), "read_only"),
            (("full", False), "full"),
            ((None, None), "full"),
        ):
            self.assertEqual(scopes.narrower(*given), narrowest)
