"""Reading what larger applications keep, on a database that has them (`deploy/dev test-addon --modules full`)."""

from odoo.tests import tagged

from .gateway_common import GatewayCase


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestMoreModules(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss = cls.env.ref("base.user_admin")
        cls.boss_proof = cls.proof_of(cls.boss)

    def test_the_database_has_demo_data_of_each_application(self):
        for model in ("account.move", "stock.quant", "purchase.order", "crm.lead", "project.task", "hr.employee"):
            with self.subTest(model=model):
                step = {"op": "search_count", "model": model, "domain": []}
                self.assertGreater(self.run_one(step, proof=self.boss_proof)["count"], 0)
