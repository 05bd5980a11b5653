"""The peer's address behind XML-RPC, which is found in a frame of Odoo's dispatcher."""

from odoo import release
from odoo.http import Application
from odoo.tests import BaseCase, tagged

from ..gateway.rpc import remote_address

# The version whose dispatcher the walk over frames was checked against: another one means reading `odoo.http` again.
CHECKED_WITH = "19.0"


@tagged("-at_install", "post_install")
class TestRemoteAddress(BaseCase):
    def test_odoo_is_of_the_version_that_was_checked(self):
        self.assertEqual(release.series, CHECKED_WITH)
        self.assertIn("httprequest", Application.__call__.__code__.co_varnames)

    def test_there_is_none_outside_of_a_request(self):
        self.assertIsNone(remote_address.remote_address())
