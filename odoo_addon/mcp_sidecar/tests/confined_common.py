"""What the tests of allowed models share: connections that may use some models only."""

from ..gateway.auth import credentials
from ..gateway.policy import allowed_models
from .gateway_common import GatewayCase, search, write


class ConfinedCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.belgium = cls.env.ref("base.be")
        cls.tag = cls.env["res.partner.category"].create({"name": "mcp-tag"})
        cls.partner = cls.env["res.partner"].create(
            {"name": "mcp-one", "ref": "mcp", "country_id": cls.belgium.id, "category_id": [(4, cls.tag.id)]}
        )
        cls.child = cls.env["res.partner"].create({"name": "mcp-two", "ref": "mcp", "parent_id": cls.partner.id})
        cls.mine = [["ref", "=", "mcp"]]
        cls.confined = cls.proof_for("res.partner")

    @classmethod
    def proof_for(cls, *models, user=None, **values):
        """The proof of a new connection with these allowed models."""
        connections = cls.env["mcp.connection"]
        connection = connections._create_for_api_key("Confined", (user or cls.settings_admin).id, "full")
        proof = credentials.proof(connection._issue_api_key())
        connection.write({"allowed_models": "\n".join(models), **values})
        cls.env.flush_all()
        return proof

    def tearDown(self):
        # whatever a call did, it left nothing behind
        self.assertFalse(allowed_models.is_restricted(self.env.cr))
        super().tearDown()

    def assert_denied(self, model, *steps, proof=None, **changes):
        """The call is refused and names the model, and nothing else of it."""
        fault = self.fault(*steps, proof=proof or self.confined, **changes)
        self.assert_fault(fault, "model_denied", model=model)
        # a path repeats where in its arguments the caller named it
        self.assertEqual(set(fault.data) - {"path"}, {"model"})
        return fault

    def assert_each_denied(self, model, steps, **changes):
        for step in steps:
            with self.subTest(step):
                self.assert_denied(model, step, **changes)

    def read_one(self, record, fields, proof=None):
        """The row of a record, and what was left out of it."""
        step = search(record._name, [["id", "=", record.id]], fields)
        result = self.run_one(step, proof=proof or self.confined)
        return result["records"][0], result["skipped_fields"]

    def change(self, record, **values):
        return write(record._name, record.ids, **values)
