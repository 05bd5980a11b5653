"""Writing and calling with a list of allowed models."""

from odoo.exceptions import AccessError
from odoo.tests import tagged

from .confined_common import ConfinedCase
from .gateway_common import call, create, request, search, write


@tagged("-at_install", "post_install")
class TestAllowedModelsWrites(ConfinedCase):
    def test_what_is_allowed_is_as_ever(self):
        """Odoo's own code goes on with sudo, whatever it looks up for a new record."""
        line = [0, 0, {"name": "mcp-line", "is_company": True}]
        made = self.run_one(
            create("res.partner", {"name": "mcp", "child_ids": [line]}), proof=self.confined, mode="write"
        )
        partner = self.env["res.partner"].browse(made["records"][0]["id"])
        self.assertEqual(made["records"][0]["display_name"], "mcp")
        self.assertEqual(partner.child_ids.name, "mcp-line")
        update = [1, partner.child_ids.id, {"name": "mcp-renamed"}]
        step = self.change(partner, child_ids=[update], parent_id=self.partner.id, email="a@example.com")
        self.execute(step, proof=self.confined, mode="write")
        self.assertEqual((partner.child_ids.name, partner.parent_id), ("mcp-renamed", self.partner))
        unlink = {"op": "unlink", "model": "res.partner", "ids": partner.child_ids.ids}
        self.execute(unlink, proof=self.confined, mode="write")
        self.assertFalse(partner.child_ids)

    def test_the_model_of_a_step(self):
        for model in ("res.country", "no.such.model"):
            steps = [
                create(model, {"name": "x"}),
                write(model, [1], name="x"),
                {"op": "unlink", "model": model, "ids": [1]},
            ]
            self.assert_each_denied(model, steps, mode="write")

    def test_relations(self):
        for country in (self.belgium.id, 999999999):
            # one that is there and one that isn't look alike
            values = {"country_id": country}
            nested = {"name": "x", "child_ids": [[0, 0, {"name": "y", **values}]]}
            update = [[1, self.child.id, values]]
            steps = [
                create("res.partner", {"name": "x", **values}),
                self.change(self.partner, **values),
                create("res.partner", nested),
                self.change(self.partner, child_ids=update),
            ]
            self.assert_each_denied("res.country", steps, mode="write")

    def test_commands(self):
        tag = self.tag.id
        commands = [[0, 0, {"name": "x"}]], [[1, tag, {"name": "x"}]], [[2, tag]], [[3, tag]], [[4, tag]], [[5]]
        for value in (*commands, [[6, 0, [tag]]], [tag], []):
            self.assert_each_denied(
                "res.partner.category", [self.change(self.partner, category_id=value)], mode="write"
            )
        self.assertEqual((self.partner.category_id, self.tag.name), (self.tag, "mcp-tag"))

    def test_what_a_record_is_built_on(self):
        proof = self.proof_for("res.users", user=self.system)
        steps = [self.change(self.user, name="x"), self.change(self.user, partner_id=self.partner.id)]
        steps += [create("res.users", {"login": "mcp_new", "name": "x"})]
        self.assert_each_denied("res.partner", steps, proof=proof, mode="write")
        self.assertEqual(self.user.name, "mcp_test_user")

    def test_a_name_that_is_made_of_another_model_is_not_answered(self):
        proof = self.proof_for("res.users", user=self.system)
        result = self.run_one(self.change(self.user, signature="x"), proof=proof, mode="write")
        self.assertEqual(result["records"], [{"id": self.user.id, "display_name": None}])

    def test_a_refusal_that_odoo_words_anew(self):
        def write(partners, vals):
            try:
                partners.env["res.country"].check_access("read")
            except AccessError as exc:
                raise AccessError(str(exc))  # noqa: B904, as Odoo does

        self.patch(self.env.registry["res.partner"], "write", write)
        self.assert_denied("res.country", self.change(self.partner, name="x"), mode="write")

    def test_code_that_writes_as_the_user(self):
        """What the steps don't show, Odoo's access check does."""

        def write(partners, vals):
            partners.env["res.country"].browse(self.belgium.id).write({"name": "x"})

        self.patch(self.env.registry["res.partner"], "write", write)
        self.assert_denied("res.country", self.change(self.partner, name="x"), mode="write")
        self.assertEqual(self.belgium.name, "Belgium")

    def test_code_that_reads_as_the_user(self):
        def write(partners, vals):
            return partners.env["res.country"].search_count([])

        self.patch(self.env.registry["res.partner"], "write", write)
        self.assert_denied("res.country", self.change(self.partner, name="x"), mode="write")

    def test_references(self):
        menu = self.env["ir.ui.menu"].create({"name": "mcp"})
        action = self.env.ref("base.action_partner_form")
        for value in (f"{action._name},{action.id}", {"model": action._name, "id": 999999999}):
            step = self.change(menu, action=value)
            self.assert_denied(action._name, step, proof=self.proof_for("ir.ui.menu"), mode="write")
        self.execute(step | {"values": {"action": f"{action._name},{action.id}"}}, mode="write")

    def test_an_answer_is_not_repeated_to_a_connection_that_may_do_less(self):
        asked = request(self.confined, create("res.partner", {"name": "mcp"}), mode="write", idempotency_key="k")
        self.ask("execute", asked)
        self.env["mcp.connection"].search([("name", "=", "Confined")]).allowed_models = "res.country"
        self.assert_fault(self.refused(lambda: self.ask("execute", asked)), "model_denied", model="res.partner")


@tagged("-at_install", "post_install")
class TestAllowedModelsCalls(ConfinedCase):
    def test_methods_are_off(self):
        step = call("res.partner", "address_get", self.partner.ids)
        for steps in ([step], [search("res.partner")]):
            fault = self.fault(*steps, proof=self.confined, mode="run", tool="execute_method")
            self.assert_fault(fault, "tool_denied", tool="execute_method")
        for mode in ("read", "write"):
            for method in ("search_read", "default_get", "onchange", "address_get"):
                fault = self.fault(call("res.partner", method), proof=self.confined, mode=mode)
                self.assert_fault(fault, "method_denied", model="res.partner", method=method)
                self.assertIn("no methods", fault.message)

    def test_the_administrator_may_turn_them_on(self):
        proof = self.proof_for("res.partner", method_level="any")
        step = call("res.partner", "address_get", self.partner.ids)
        self.assertIn("contact", self.run_one(step, proof=proof, mode="run")["result"])
        for model in ("res.country", "no.such.model"):
            self.assert_denied(model, call(model, "address_get", [1]), proof=proof, mode="run")

    def test_odoos_own_methods_stay_off(self):
        """They name what is behind a relation, or take values that nobody has looked at."""
        proof = self.proof_for("res.partner", method_level="any")
        methods = [
            "read",
            "search_read",
            "web_read",
            "web_search_read",
            "name_search",
            "formatted_read_group",
            "search",
        ]
        methods += [
            "default_get",
            "onchange",
            "load",
            "copy",
            "get_metadata",
            "export_data",
            "write",
            "create",
            "unlink",
        ]
        methods += ["search_panel_select_range", "web_save", "name_create", "fields_get", "read_progress_bar"]
        for method in methods:
            step = call("res.partner", method, self.partner.ids)
            for mode in ("read", "run"):
                fault = self.fault(step, proof=proof, mode=mode)
                self.assert_fault(fault, "method_denied", model="res.partner", method=method)

    def test_server_code_is_confined_as_far_as_it_runs_as_the_user(self):
        proof = self.proof_for("ir.actions.server", "res.partner", method_level="any")
        values = {"name": "mcp", "model_id": self.env["ir.model"]._get_id("res.partner"), "state": "code"}
        action = self.env["ir.actions.server"].create({**values, "code": "env['res.country'].search([]).name"})
        step = call("ir.actions.server", "run", action.ids)
        self.assert_denied("res.country", step, proof=proof, mode="run")
        action.code = "env['res.partner'].search([], limit=1).name"
        self.execute(step, proof=proof, mode="run")

    def test_a_method_is_confined_as_far_as_it_runs_as_the_user(self):
        def address_get(partners, adr_pref=None):
            return partners.country_id.name

        self.patch(self.env.registry["res.partner"], "address_get", address_get)
        self.env.flush_all()
        self.env.invalidate_all()
        proof = self.proof_for("res.partner", method_level="any")
        self.assert_denied("res.country", call("res.partner", "address_get", self.partner.ids), proof=proof, mode="run")
