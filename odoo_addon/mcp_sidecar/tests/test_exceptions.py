import json

from odoo.exceptions import UserError
from odoo.tests import BaseCase, tagged

from ..exceptions import GatewayError


@tagged("-at_install", "post_install")
class TestGatewayError(BaseCase):
    def test_text_is_the_json_of_code_message_and_data(self):
        error = GatewayError("not_found", "Kein Datensatz “5”.", model="res.partner", ids=[5])
        expected = {"code": "not_found", "message": "Kein Datensatz “5”.", "data": {"model": "res.partner", "ids": [5]}}
        self.assertIsInstance(error, UserError)
        self.assertEqual(json.loads(str(error)), expected)
        self.assertEqual(json.loads(error.args[0]), expected)
        self.assertEqual((error.code, error.message, error.data), tuple(expected.values()))
