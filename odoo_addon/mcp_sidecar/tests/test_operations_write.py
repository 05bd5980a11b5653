"""Writing and calling: what is taken, what is refused, and how it is said."""

import base64

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..gateway.policy import call_rules
from .gateway_common import GatewayCase, call, create, search, write


def unlink(model, ids):
    return {"op": "unlink", "model": model, "ids": list(ids)}


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class WritesCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner = cls.env["res.partner"].create({"name": "mcp-one"})
        cls.tags = cls.env["res.partner.category"].create([{"name": "mcp-a"}, {"name": "mcp-b"}])

    def put(self, step, **changes):
        return self.run_one(step, mode="write", **changes)

    def not_put(self, step, **changes):
        with mute_logger("odoo.sql_db"):
            return self.fault(step, mode="write", **changes)


@tagged("-at_install", "post_install")
class TestExecutorWrites(WritesCase):
    def test_create_write_and_delete(self):
        result = self.put(create("res.partner", {"name": "mcp-x"}, {"name": "mcp-y"}))
        self.assertEqual([row["display_name"] for row in result["records"]], ["mcp-x", "mcp-y"])
        ids = [row["id"] for row in result["records"]]
        result = self.put(write("res.partner", ids, phone="+32 2 290 34 90", ref=None))
        self.assertEqual([row["id"] for row in result["records"]], ids)
        self.assertEqual(set(self.env["res.partner"].browse(ids).mapped("phone")), {"+32 2 290 34 90"})
        self.assertEqual(self.put(unlink("res.partner", ids))["deleted"], ids)
        self.assertFalse(self.env["res.partner"].browse(ids).exists())

    def test_several_steps_are_one_transaction(self):
        fault = self.fault(create("res.partner", {"name": "mcp-x"}), unlink("res.partner", [999999999]), mode="write")
        self.assert_fault(fault, "not_found", model="res.partner", ids=[999999999])
        self.assertFalse(self.env["res.partner"].search_count([("name", "=", "mcp-x")]))

    def test_records_that_are_not_there(self):
        for step in (
            write("res.partner", [999999999, self.partner.id], name="x"),
            unlink("res.partner", [999999999]),
            call("res.partner", "action_archive", [999999999]),
        ):
            fault = self.fault(step, mode="run")
            self.assert_fault(fault, "not_found", model="res.partner", ids=[999999999])
        self.assertEqual(fault.message, "No record of res.partner with the id 999999999 exists or may be seen.")

    # === Values ===

    def test_values_in_their_form(self):
        belgium = self.env.ref("base.be")
        values = {
            "name": "mcp-values 😀",
            "color": 3.0,
            "partner_latitude": 2,
            "active": True,
            "type": "invoice",
            "country_id": {"id": belgium.id, "name": "whatever"},
            "category_id": self.tags.ids,
            "comment": "<p>x</p>",
            "image_1920": PIXEL,
        }
        result = self.put(create("res.partner", values))
        partner = self.env["res.partner"].browse(result["records"][0]["id"])
        self.assertEqual(
            (partner.name, partner.color, partner.partner_latitude, partner.type, partner.country_id),
            ("mcp-values 😀", 3, 2.0, "invoice", belgium),
        )
        self.assertEqual(partner.category_id, self.tags)
        self.assertTrue(base64.b64decode(partner.image_1920))
        self.put(write("res.partner", partner.ids, country_id=None, category_id=[], image_1920=None, color=0))
        self.assertFalse(partner.country_id or partner.category_id or partner.image_1920 or partner.color)

    def test_instants_are_stored_in_utc(self):
        forms = {
            "2026-11-22T13:30:00Z": "2026-11-22 13:30:00",
            "2026-11-22T13:30:00.250+02:00": "2026-11-22 11:30:00",
            "2026-11-22 13:30:00": "2026-11-22 13:30:00",
            "2026-11-22T13:30": "2026-11-22 13:30:00",
        }
        server = {"name": "x", "model_id": self.env.ref("base.model_res_partner").id, "state": "code"}
        for given, stored in forms.items():
            result = self.put(create("ir.cron", {**server, "nextcall": given}))
            cron = self.env["ir.cron"].browse(result["records"][0]["id"])
            self.assertEqual(str(cron.nextcall), stored)
        for given in ("2026-11-22", "tomorrow", "2026-13-22T00:00:00Z", 5, "2026-11-22T25:00:00Z", True):
            fault = self.not_put(create("ir.cron", {**server, "nextcall": given}))
            self.assert_fault(fault, "invalid_value", model="ir.cron", field="nextcall", value=given)

    def test_values_that_do_not_fit(self):
        cases = {
            "name": [5, ["x"], {"en_US": "x"}, True],
            "color": ["3", 1.5, True, 2**31, [1]],
            "partner_latitude": ["1.5", True, "x", 10**400],
            "active": [1, 0, "true"],
            "type": ["home", 5, True, ["contact"]],
            "country_id": ["Belgium", True, 0, -1, {"name": "Belgium"}, 999999999, [1]],
            "image_1920": ["not base64!", 5, {"size": 5}],
        }
        for field, values in cases.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    fault = self.not_put(write("res.partner", self.partner.ids, **{field: value}))
                    self.assert_fault(fault, "invalid_value", model="res.partner", field=field)

    def test_numbers_that_odoo_can_not_round(self):
        for value in (1e308, -1e308, 1.1e290):
            fault = self.not_put(write("res.partner", self.partner.ids, partner_latitude=value))
            self.assert_fault(fault, "invalid_value", model="res.partner", field="partner_latitude")
        message = "res.partner.partner_latitude takes a number between -1e+290 and 1e+290."
        self.assertEqual(fault.message, message)
        self.put(write("res.partner", self.partner.ids, partner_latitude=1e290))
        self.assertGreater(self.partner.partner_latitude, 9e289)

    def test_instants_and_dates_that_odoo_can_not_tell(self):
        cron = self.env.ref("base.autovacuum_job")
        for value in ("0001-01-01T00:00:00Z", "1000-01-01T00:00:00+02:00", "9999-12-31T00:00:00Z"):
            fault = self.not_put(write("ir.cron", cron.ids, nextcall=value))
            self.assert_fault(fault, "invalid_value", model="ir.cron", field="nextcall", value=value)
        self.assertEqual(fault.message, "ir.cron.nextcall takes an instant from 1000-01-01 to 9999-12-30.")
        for value in ("0999-12-31T23:30:00-01:00", "9999-12-31T00:30:00+01:00"):
            self.put(write("ir.cron", cron.ids, nextcall=value))
        self.assertEqual(str(cron.nextcall), "9999-12-30 23:30:00")
        rate = create(
            "res.currency.rate", {"currency_id": self.env.ref("base.EUR").id, "name": "0999-12-31", "rate": 2}
        )
        fault = self.not_put(rate)
        self.assert_fault(fault, "invalid_value", field="name", value="0999-12-31")
        self.assertEqual(fault.message, "res.currency.rate.name takes a date from 1000-01-01 on.")

    def test_the_contracts_own_sentence_for_a_selection(self):
        fault = self.not_put(write("res.partner", self.partner.ids, type="home"))
        self.assert_fault(fault, "invalid_value", model="res.partner", field="type", value="home")
        self.assertEqual(fault.message, '"home" is not a value of res.partner.type.')

    def test_dates(self):
        rates = self.env.ref("base.EUR")
        rate = {"currency_id": rates.id, "company_id": self.env["res.company"].create({"name": "R"}).root_id.id}
        self.settings_admin.company_ids += self.env["res.company"].browse(rate["company_id"])
        result = self.put(create("res.currency.rate", {**rate, "name": "2020-02-29", "rate": 2}))
        self.assertEqual(str(self.env["res.currency.rate"].browse(result["records"][0]["id"]).name), "2020-02-29")
        for value in ("2021-02-29", "29/02/2020", "20200229", "2020-02-29T00:00:00Z", 5, ["2020-02-29"]):
            fault = self.not_put(create("res.currency.rate", {**rate, "name": value, "rate": 2}))
            self.assert_fault(fault, "invalid_value", field="name")

    def test_fields_that_are_not_for_writing(self):
        cases = [
            ({"nmae": "x"}, "unknown_field", "nmae"),
            ({"id": 5}, "invalid_value", "id"),
            ({"create_uid": 1}, "invalid_value", "create_uid"),
            ({"write_date": "2020-01-01T00:00:00Z"}, "invalid_value", "write_date"),
            ({"display_name": "x"}, "invalid_value", "display_name"),
            ({"child_ids": [[0, 0, {"nmae": "x"}]]}, "unknown_field", "nmae"),
        ]
        for values, code, field in cases:
            fault = self.not_put(write("res.partner", self.partner.ids, **values))
            self.assert_fault(fault, code, model="res.partner", field=field)
        self.patch(self.env["res.partner"]._fields["ref"], "groups", "base.group_portal")
        fault = self.not_put(write("res.partner", self.partner.ids, ref="x"))
        self.assert_fault(fault, "access_denied", model="res.partner", field="ref", operation="write")

    def test_odoos_own_checks_are_told(self):
        fault = self.not_put(create("res.partner", {"name": "a", "parent_id": self.partner.id, "type": "contact"}, {}))
        self.assertEqual(fault.code, "invalid")
        child = self.env["res.partner"].create({"name": "c", "parent_id": self.partner.id})
        fault = self.not_put(write("res.partner", self.partner.ids, parent_id=child.id))
        self.assertEqual(fault.code, "invalid")
        self.assertIn("recursive", fault.message.lower())

    def test_a_record_in_use_can_not_be_deleted(self):
        state = self.env.ref("base.state_us_1")
        self.partner.write({"state_id": state.id, "country_id": state.country_id.id})
        fault = self.not_put(unlink("res.country.state", state.ids))
        self.assertEqual(fault.code, "invalid")
        self.assertNotIn("DETAIL", fault.message)
        self.assertTrue(state.exists())

    # === Access ===

    def test_models_that_may_not_be_written(self):
        cases = [
            (create("ir.cron", {"name": "x"}), "create", "You may not create records of ir.cron."),
            (write("res.country", [self.env.ref("base.be").id], name="x"), "write", None),
            (unlink("res.country", [self.env.ref("base.be").id]), "unlink", None),
        ]
        for step, operation, message in cases:
            fault = self.not_put(step, proof=self.user_proof)
            self.assert_fault(fault, "access_denied", model=step["model"], operation=operation)
            self.assertEqual(fault.message, message or fault.message)

    def test_record_rules_hold(self):
        rule = {"name": "mcp", "model_id": self.env.ref("base.model_res_partner_category").id}
        self.env["ir.rule"].create({**rule, "domain_force": "[('name', '!=', 'mcp-a')]", "perm_read": False})
        fault = self.not_put(write("res.partner.category", self.tags.ids, color=2))
        self.assert_fault(fault, "access_denied", model="res.partner.category", operation="write")
        self.put(write("res.partner.category", self.tags[1].ids, color=2))

    def test_the_servers_own_models_are_out_of_reach(self):
        self.settings_admin.group_ids += self.env.ref("mcp_sidecar.group_admin")
        settings = self.settings.ids
        self.assertTrue(self.run_one(search("mcp.server.settings", fields=["enabled"]))["records"])
        for step in (
            write("mcp.server.settings", settings, enabled=False),
            create("mcp.connection", {"name": "x"}),
            call("mcp.connection", "create_api_key", [], "x"),
            call("mcp.server.settings", "write", settings, {"enabled": False}),
        ):
            self.assert_fault(self.fault(step, mode="run"), "access_denied", model=step["model"])
        self.assert_fault(self.fault(call("mcp.gateway", "hello", [], "{}"), mode="run"), "unknown_model")

    # === Commands ===

    def test_commands(self):
        first, second = self.tags
        step = write("res.partner", self.partner.ids, category_id=[[4, first.id], [0, 0, {"name": "mcp-c"}]])
        self.put(step)
        self.assertEqual(self.partner.category_id.mapped("name"), ["mcp-a", "mcp-c"])
        self.put(write("res.partner", self.partner.ids, category_id=[[6, 0, second.ids]]))
        self.assertEqual(self.partner.category_id, second)
        self.put(write("res.partner", self.partner.ids, category_id=[[1, second.id, {"color": 4}], [3, second.id, 0]]))
        self.assertEqual((self.partner.category_id.ids, second.color), ([], 4))
        self.put(write("res.partner", self.partner.ids, category_id=self.tags.ids))
        self.put(write("res.partner", self.partner.ids, category_id=[[5]]))
        self.assertFalse(self.partner.category_id)
        self.put(write("res.partner", self.partner.ids, child_ids=[[0, "virtual_1", {"name": "c"}]]))
        self.put(write("res.partner", self.partner.ids, child_ids=[[2, self.partner.child_ids.id]]))
        self.assertFalse(self.partner.child_ids)

    def test_commands_in_a_wrong_form(self):
        for value in (
            ["6", 0, [1]],
            [["6", 0, [1]]],
            [6, 0, [1]],
            [[6, 0, 1]],
            [[6, 0, ["1"]]],
            [[4, "1"]],
            [[4]],
            [[0, 0]],
            [[0, 0, [1]]],
            [[1, 0, {"name": "x"}]],
            [[7, 0, 0]],
            [[True, 0, 0]],
            [[4, 1, 0, 0]],
            ["a"],
            [{}],
            5,
            "1",
            {},
        ):
            with self.subTest(value=value):
                fault = self.not_put(write("res.partner", self.partner.ids, category_id=value))
                self.assert_fault(fault, "invalid_command", model="res.partner", field="category_id")
        fault = self.not_put(write("res.partner", self.partner.ids, category_id=["6", 0, [1]]))
        self.assertEqual(fault.message, "category_id takes a list of commands such as [6, 0, [ids]] or a list of ids.")

    def test_an_empty_list_never_deletes_lines(self):
        child = self.env["res.partner"].create({"name": "c", "parent_id": self.partner.id})
        fault = self.not_put(write("res.partner", self.partner.ids, child_ids=[]))
        self.assert_fault(fault, "invalid_command", field="child_ids")
        self.assertTrue(child.exists())
        self.put(create("res.partner", {"name": "no children", "child_ids": []}))


@tagged("-at_install", "post_install")
class TestExecutorCalls(WritesCase):
    def test_methods_run_as_the_person(self):
        answer = self.run_one(call("res.partner", "action_archive", self.partner.ids), mode="run")
        named = {"id": self.partner.id, "display_name": self.partner.name}
        self.assertEqual(answer, {"result": None, "changed": [{**named, "active": False}], "records": [named]})
        self.assertFalse(self.partner.active)
        self.assertEqual(self.partner.write_uid, self.settings_admin)

    def test_answers_are_plain(self):
        result = self.run_one(call("res.partner", "copy", self.partner.ids), mode="run")["result"]
        self.assertEqual(result["model"], "res.partner")
        self.assertTrue(self.env["res.partner"].browse(result["ids"]).exists())
        result = self.run_one(call("res.partner", "name_create", [], "mcp-new"), mode="run")["result"]
        self.assertEqual(result[1], "mcp-new")

    def test_reading_methods_are_part_of_every_mode(self):
        for mode in ("read", "write", "run"):
            result = self.run_one(call("res.partner", "default_get", [], ["type", "active"]), mode=mode)["result"]
            self.assertEqual(result, {"type": "contact", "active": True})
            result = self.run_one(call("res.partner", "has_access", self.partner.ids, "write"), mode=mode)["result"]
            self.assertIs(result, True)
            self.assertTrue(self.run_one(call("res.partner", "name_search", [], "mcp-one"), mode=mode)["result"])
            fields = self.run_one(call("res.partner", "fields_get", [], ["name"], ["type"]), mode=mode)["result"]
            self.assertEqual(fields["name"]["type"], "char")
            onchange = call("res.partner", "onchange", [], {}, [], {"type": {}})
            self.assertEqual(self.run_one(onchange, mode=mode)["result"]["value"]["type"], "contact")

    def test_the_list_of_reading_methods_names_methods_that_are_there(self):
        for name in call_rules.READING_METHODS:
            self.assertTrue(call_rules.public_method(self.env["res.partner"], name))

    def test_private_methods_are_refused(self):
        names = ["_write", "__init__", "init", "sudo", "with_user", "with_context", "with_env", "browse", "mapped"]
        names += ["filtered", "fetch", "search_fetch", "env", "pool", "ids", "id", "_fields", "nothing", "name"]
        names += sorted(call_rules.DENIED_METHODS)
        for name in names:
            for mode in ("read", "write", "run"):
                with self.subTest(name=name, mode=mode):
                    fault = self.fault(call("res.partner", name, self.partner.ids), mode=mode)
                    self.assert_fault(fault, "method_denied", model="res.partner", method=name)
        fault = self.fault(call("res.partner", "_write", [1]), mode="run")
        self.assertEqual(fault.message, 'The method "_write" of res.partner is private.')

    def test_arguments_that_do_not_fit_are_told(self):
        for step in (
            call("res.partner", "copy", self.partner.ids, {}, 1, 2),
            call("res.partner", "copy", self.partner.ids, nope=1),
            call("res.partner", "name_create"),
        ):
            self.assert_fault(self.fault(step, mode="run"), "bad_request", at="steps.0.args")
        fault = self.fault(call("res.partner", "name_create", self.partner.ids, "x"), mode="run")
        self.assert_fault(fault, "bad_request", at="steps.0.ids")

    def test_methods_of_records_need_records(self):
        for name in ("action_archive", "copy", "write", "read", "get_metadata"):
            fault = self.fault(call("res.partner", name), mode="run")
            self.assert_fault(fault, "bad_request", at="steps.0.ids")
            self.assertEqual(fault.message, f"{name} of res.partner needs records: give their ids.")
        self.assertIs(self.run_one(call("res.partner", "has_access", [], "write"), mode="run")["result"], True)

    def test_a_misspelt_method_is_told_what_it_may_have_been(self):
        fault = self.fault(call("res.partner", "serch_read"), mode="run")
        self.assert_fault(fault, "method_denied", model="res.partner", method="serch_read")
        said = 'The model res.partner has no method "serch_read". Did you mean search_read'
        self.assertEqual(fault.message[: len(said)], said)
        # only what may be called is named
        for name, hidden in (("browze", "browse"), ("sudoo", "sudo"), ("chek_acces_", "_check_access")):
            fault = self.fault(call("res.partner", name), mode="run")
            self.assertEqual(fault.code, "method_denied")
            self.assertNotIn(hidden, fault.message.partition("Did you mean")[2])

    def test_mistakes_that_odoo_finds_in_the_arguments(self):
        cases = {
            "read of res.partner: Invalid field 'nme' on 'res.partner' (sent in fields[0]).": call(
                "res.partner", "read", self.partner.ids, ["nme"]
            ),
            "search_read of res.partner: Domain() invalid argument type for domain: "
            "\"[('name', '=', 'x')]\" (sent in domain).": call(
                "res.partner", "search_read", [], "[('name', '=', 'x')]", ["name"]
            ),
            "formatted_read_group of res.partner: "
            "Aggregate method is mandatory for 'color' (sent in aggregates[0]).": call(
                "res.partner", "formatted_read_group", [], [], ["country_id"], ["color"]
            ),
            'get_field_translations of res.partner: "nope" is not known (sent in field_name).': call(
                "res.partner", "get_field_translations", self.partner.ids, "nope"
            ),
        }
        for message, step in cases.items():
            with self.subTest(message):
                fault = self.fault(step, mode="run")
                self.assert_fault(fault, "bad_request", at="steps.0.args")
                self.assertEqual(fault.message, message)
        fault = self.fault(call("res.partner", "create", [], {"nme": 1}), mode="run")
        self.assert_fault(fault, "unknown_field", model="res.partner", field="nme")

    def test_what_methods_sort_by_is_checked_first(self):
        fault = self.fault(call("res.partner", "search", [], [], order="nope"), mode="run")
        self.assert_fault(fault, "unknown_field", model="res.partner", field="nope")

    def test_what_odoo_finds_is_told_in_one_bounded_line(self):
        fault = self.fault(call("res.partner", "read", self.partner.ids, ["x\n" * 1000]), mode="run")
        self.assert_fault(fault, "bad_request", at="steps.0.args")
        self.assertLess(len(fault.message), 400)
        self.assertNotIn("\n", fault.message)

    def test_faults_of_code_are_not_told(self):
        partner = type(self.env["res.partner"])
        read = partner.read

        def broken(records, *args, **kwargs):
            raise ValueError("inner")

        def misusing(records, *args, **kwargs):
            return records.search([("inner", "=", 1)])

        def handing_on(records, *args, **kwargs):
            return read(records, *args, **kwargs)

        misusing.__code__ = misusing.__code__.replace(co_name="read")
        handing_on.__code__ = handing_on.__code__.replace(co_name="read")
        step = call("res.partner", "read", self.partner.ids, ["nme"])
        for override in (broken, misusing):
            with self.subTest(override), mute_logger("odoo.addons.mcp_sidecar.gateway.rpc.faults"):
                self.patch(partner, "read", override)
                fault = self.fault(step, mode="run")
                self.assertEqual(fault.code, "internal")
                self.assertNotIn("inner", fault.message)
        self.patch(partner, "read", handing_on)
        self.assertEqual(self.fault(step, mode="run").code, "bad_request")

    def test_faults_of_computing_code_are_not_told(self):
        step = call("res.partner", "read", self.partner.ids, ["display_name"])
        # one goes wrong itself, the other is found wrong by the ORM
        for compute in (lambda records: records.mapped("inner"), lambda records: None):
            with self.subTest(compute), mute_logger("odoo.addons.mcp_sidecar.gateway.rpc.faults"):
                self.patch(type(self.env["res.partner"]), "_compute_display_name", compute)
                self.env.invalidate_all()
                self.assertEqual(self.fault(step, mode="run").code, "internal")

    def test_models_without_read_access_have_no_methods(self):
        fault = self.fault(call("ir.cron", "method_direct_trigger", [1]), mode="run", proof=self.user_proof)
        self.assert_fault(fault, "access_denied", model="ir.cron", operation="read")
        fault = self.fault(call("mail.thread" if "mail.thread" in self.env else "base", "copy", [1]), mode="run")
        self.assertEqual(fault.code, "unknown_model")

    def test_a_refusal_of_odoo_inside_a_method(self):
        fault = self.fault(call("res.partner", "copy", self.partner.ids), mode="run", proof=self.user_proof)
        self.assert_fault(fault, "access_denied", model="res.partner")
