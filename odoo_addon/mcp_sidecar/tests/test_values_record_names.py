"""Refusals show the right form: the id of what was named, the date that was meant, commands ready to be sent."""

import json
import re

from odoo.tests import freeze_time, tagged

from .gateway_common import GatewayCase, call, create, search, write


class FormsCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["ir.default"].search([]).unlink()
        cls.belgium = cls.env.ref("base.be")
        cls.azure = cls.env["res.partner"].create({"name": "Mcp Azure Interior", "ref": "MCP-AZ", "is_company": True})
        cls.vip, cls.gold = cls.env["res.partner.category"].create([{"name": "Mcp VIP"}, {"name": "Mcp Gold"}])
        cls.partner = cls.env["res.partner"].create({"name": "Mcp Forms", "category_id": [(6, 0, cls.gold.ids)]})
        cls.env.flush_all()

    def refused_value(self, model="res.partner", **values):
        """The refusal of values, which is the same in each way to send them."""
        ways = [create(model, values), create(model, {}, values), call(model, "create", [], [values])]
        if model == "res.partner":
            nested = {"name": "mcp", "child_ids": [[0, 0, {"name": "x", **values}]]}
            ways += [
                write(model, self.partner.ids, **values),
                call(model, "write", self.partner.ids, values),
                create(model, nested),
            ]
        faults = [self.fault(way, mode="run") for way in ways]
        self.assertEqual(
            {fault.code for fault in faults} - {"invalid_value", "invalid_command", "unknown_field"}, set()
        )
        return faults[3] if model == "res.partner" else faults[0]

    def assert_refused(self, said, model="res.partner", **values):
        fault = self.refused_value(model, **values)
        self.assertIn(said, fault.message)
        return fault

    def refused_condition(self, *condition, model="res.partner", **changes):
        fault = self.fault(search(model, [list(condition)]), **changes)
        self.assertEqual(fault.code, "invalid_domain", condition)
        return fault.message

    def found(self, *condition, model="res.partner", **changes):
        return [row["id"] for row in self.run_one(search(model, [list(condition)], ["id"]), **changes)["records"]]


@tagged("-at_install", "post_install")
class TestNamesOfRecords(FormsCase):
    def test_a_name_or_code_is_answered_with_the_id(self):
        belgium, azure = self.belgium.id, self.azure.id
        for value in ("BE", "be", "Belgium", "base.be", str(belgium), f"res.country,{belgium}", {"code": "BE"}):
            with self.subTest(value=value):
                fault = self.assert_refused(f"so send {belgium}.", country_id=value)
                self.assert_fault(fault, "invalid_value", meant=[belgium])
        for value in (
            "Mcp Azure Interior",
            "mcp azure",
            "MCP-AZ",
            {"name": "Mcp Azure Interior"},
            [azure, "Mcp Azure"],
        ):
            with self.subTest(value=value):
                self.assert_refused(f'is "Mcp Azure Interior" (id {azure}), so send {azure}.', parent_id=value)
        self.assert_refused(f"so send {self.env.ref('base.EUR').id}.", "res.company", name="x", currency_id="EUR")
        self.assertEqual(self.partner.country_id.id, False)

    def test_me_is_the_user(self):
        user = self.settings_admin
        for word in ("me", "Me", "uid", "current_user"):
            self.assert_refused(f"so send {user.id}.", user_id=word)
        self.assert_refused(f"so send {user.partner_id.id}.", parent_id="me")
        self.assertIn(f'["user_id", "=", {user.id}]', self.refused_condition("user_id", "=", "me"))
        self.assertIn(f'["create_uid", "in", [{user.id}]]', self.refused_condition("create_uid", "in", ["me"]))

    def test_several_are_named_with_their_ids(self):
        for number in range(7):
            self.env["res.partner"].create({"name": f"Mcp Twin {number % 2}"})
        fault = self.refused_value(parent_id="Mcp Twin")
        self.assertEqual(len(re.findall(r"\(id \d+\)", fault.message)), 5)
        self.assertIn("or others. Send the id of the one that is meant.", fault.message)
        self.assert_refused('No res.partner that this user may see is called "Mcp Nowhere".', parent_id="Mcp Nowhere")
        self.assert_refused('takes an id, or {"id": id}.', parent_id=1.5)
        self.assert_refused("null clears it", parent_id=False)
        self.assert_refused('takes a text, in quotes: "5".', ref=5)
        self.assert_refused("takes a text.", ref=[5])
        self.assert_refused("takes an integer, without quotes: 7.", color="7")

    def test_equal_names_come_with_their_company(self):
        other = self.env["res.company"].create({"name": "Mcp Other Company"})
        self.settings_admin.company_ids += other
        self.env["res.partner"].create({"name": "Mcp Same", "company_id": other.id})
        self.env["res.partner"].create({"name": "Mcp Same"})
        self.env.flush_all()
        step = write("res.partner", self.partner.ids, parent_id="Mcp Same")
        context = {"allowed_company_ids": self.settings_admin.company_ids.ids}
        fault = self.fault(step, mode="write", context=context)
        self.assertIn('"Mcp Same" of "Mcp Other Company" (id', fault.message)

    def test_what_the_user_may_not_read_is_not_named(self):
        rule = {"name": "x", "model_id": self.env["ir.model"]._get_id("res.partner.category"), "domain_force": "[]"}
        hidden = self.env["res.partner.category"].create({"name": "Mcp Hidden"})
        self.env["ir.rule"].create({**rule, "domain_force": f"[('id', '!=', {hidden.id})]"})
        self.env.flush_all()
        for value in (["Mcp Hidden"], [[6, 0, ["Mcp Hidden"]]], [[4, "Mcp Hidden"]]):
            fault = self.refused_value(category_id=value)
            self.assertNotIn(f"{hidden.id}", fault.message.replace("Hidden", ""))
        message = self.refused_condition("category_id.id", "=", "Mcp Hidden")
        self.assertEqual(message, 'Ids are numbers, and "Mcp Hidden" is none.')

    def test_an_id_is_written(self):
        self.run_one(write("res.partner", self.partner.ids, country_id=self.belgium.id), mode="write")
        self.assertEqual(self.partner.country_id, self.belgium)
        self.run_one(write("res.partner", self.partner.ids, country_id={"id": self.belgium.id}), mode="write")

    # === Conditions ===

    def test_a_condition_on_a_name_that_is_none_is_answered_with_the_id(self):
        azure = self.azure.id
        for condition, wanted in [
            (["parent_id", "=", "Mcp Azure"], f'["parent_id", "=", {azure}]'),
            (["parent_id", "!=", "MCP-AZURE INTERIOR"], None),
            (["parent_id", "!=", "mcp azure interior"], f'["parent_id", "!=", {azure}]'),
            (["parent_id", "not in", ["Mcp Azure"]], f'["parent_id", "not in", [{azure}]]'),
            (["parent_id.id", "=", "Mcp Azure Interior"], f'["parent_id.id", "=", {azure}]'),
            (["id", "=", "Mcp Azure Interior"], f'["id", "=", {azure}]'),
            (["category_id", "in", ["mcp vip", "Mcp Gold"]], f'["category_id", "in", [{self.vip.id}, "Mcp Gold"]]'),
            (["child_ids.country_id", "=", "base.be"], f'["child_ids.country_id", "=", {self.belgium.id}]'),
        ]:
            with self.subTest(condition=condition):
                if wanted:
                    self.assertIn(wanted, self.refused_condition(*condition))
                else:
                    self.assertTrue(self.found(*condition))
        inner = self.fault(search("res.partner", [["child_ids", "any", [["parent_id", "=", "Mcp Azure"]]]]))
        self.assertIn(f'["parent_id", "=", {azure}]', inner.message)

    def test_several_that_a_condition_may_mean_are_named(self):
        twins = self.env["res.partner"].create([{"name": "Mcp Twin 1"}, {"name": "Mcp Twin 2"}])
        message = self.refused_condition("parent_id", "=", "Mcp Twin")
        self.assertIn(f'["parent_id", "in", {json.dumps(twins.ids)}]', message)

    def test_a_name_that_is_one_is_searched(self):
        self.partner.parent_id = self.azure
        self.assertEqual(self.found("parent_id", "=", "Mcp Azure Interior"), self.partner.ids)
        self.assertEqual(self.found("category_id", "=", "Mcp Gold"), self.partner.ids)
        self.assertEqual(self.found("category_id", "ilike", "gold"), self.partner.ids)
        self.assertEqual(self.found("parent_id", "=", "Mcp Nowhere"), [])
        self.azure.active = False
        self.assertEqual(self.found("parent_id", "=", "Mcp Azure Interior"), self.partner.ids)


@tagged("-at_install", "post_install")
class TestCommandsRewritten(FormsCase):
    def rewritten(self, value, field="category_id"):
        """The commands that a refusal shows, for a record that is there."""
        fault = self.fault(write("res.partner", self.partner.ids, **{field: value}), mode="write")
        self.assertEqual(fault.code, "invalid_command")
        shown = re.search(r"for what was sent send (\[\[.*?\]\])( to have exactly|\.)", fault.message)
        self.assertTrue(shown, fault.message)
        return json.loads(shown[1])

    def test_tags_by_name(self):
        vip, gold = self.vip.id, self.gold.id
        for value in (
            ["Mcp VIP"],
            "Mcp VIP",
            [[6, 0, ["Mcp VIP"]]],
            [[6, ["mcp vip"]]],
            ["set", ["Mcp VIP"]],
            [{"name": "Mcp VIP"}],
            [str(vip)],
            [{"id": vip, "name": "Mcp VIP"}],
            f"[(6, 0, [{vip}])]",
            f"Command.set([{vip}])",
            {"set": [vip]},
        ):
            with self.subTest(value=value):
                self.assertIn(self.rewritten(value), ([[6, 0, [vip]]], [[4, vip, 0]]))
        self.assertEqual(self.rewritten("Mcp VIP, Mcp Gold"), [[6, 0, [vip, gold]]])
        self.assertEqual(self.rewritten([vip, "Mcp Gold"]), [[6, 0, [vip, gold]]])
        for value in (
            [[4, "Mcp VIP"]],
            [[4, 0, vip]],
            [4, "Mcp VIP"],
            [["add", vip]],
            {"add": ["Mcp VIP"]},
            vip,
            str(vip),
        ):
            with self.subTest(value=value):
                self.assertEqual(self.rewritten(value), [[4, vip, 0]])
        self.assertEqual(self.rewritten([[4, [vip, gold]]]), [[4, vip, 0], [4, gold, 0]])
        self.assertEqual(self.rewritten([[3, "Mcp Gold"]]), [[3, gold, 0]])
        self.assertEqual(self.rewritten([{"op": "remove", "id": gold}]), [[3, gold, 0]])
        self.assertEqual(self.rewritten(["clear"]), [[5, 0, 0]])

    def test_what_is_shown_can_be_sent(self):
        shown = self.rewritten([[4, "Mcp VIP"]])
        self.run_one(write("res.partner", self.partner.ids, category_id=shown), mode="write")
        self.assertEqual(self.partner.category_id, self.vip + self.gold)
        shown = self.rewritten(["Mcp VIP"])
        self.run_one(write("res.partner", self.partner.ids, category_id=shown), mode="write")
        self.assertEqual(self.partner.category_id, self.vip)

    def test_both_meanings_of_a_list_of_names_are_shown(self):
        fault = self.fault(write("res.partner", self.partner.ids, category_id=["Mcp VIP"]), mode="write")
        self.assertIn(f"or [[4, {self.vip.id}, 0]] to keep the others", fault.message)
        self.assertIn(f'"Mcp VIP" is "Mcp VIP" (id {self.vip.id}).', fault.message)
        self.assertEqual(self.partner.category_id, self.gold)

    def test_lines(self):
        line = {"name": "mcp line"}
        for value in (line, [line], [[0, line]], [0, line], [["create", line]], {"create": [line]}, [[0, 0, 0, line]]):
            with self.subTest(value=value):
                self.assertEqual(self.rewritten(value, "child_ids"), [[0, 0, line]])
        child = self.env["res.partner"].create({"name": "mcp child", "parent_id": self.partner.id})
        for value in ([{"id": child.id, **line}], [[1, {"id": child.id, **line}]], [["update", child.id, line]]):
            with self.subTest(value=value):
                self.assertEqual(self.rewritten(value, "child_ids"), [[1, child.id, line]])
        self.assertEqual(self.rewritten([["delete", child.id]], "child_ids"), [[2, child.id, 0]])
        self.assertEqual(self.rewritten([line, {"name": "b"}], "child_ids"), [[0, 0, line], [0, 0, {"name": "b"}]])

    def test_names_of_none_and_of_several(self):
        self.env["res.partner.category"].create([{"name": "Mcp Silver 1"}, {"name": "Mcp Silver 2"}])
        for value in (["Mcp Silver"], [[4, "Mcp Silver"]]):
            message = self.refused_value(category_id=value).message
            self.assertIn('"Mcp Silver" may be "Mcp Silver 1" (id', message)
        message = self.refused_value(category_id=["Mcp Nothing"]).message
        self.assertIn('No res.partner.category that this user may see is called "Mcp Nothing".', message)
        self.assertEqual(self.rewritten([{"name": "Mcp Nothing"}]), [[0, 0, {"name": "Mcp Nothing"}]])

    def test_what_has_no_meaning_gets_the_general_sentence(self):
        for value in (5.5, True, [[9, 9, 9]], [None], [[]], "[[", {}, [[0, 0, "x"]], [[1, 2, 3]]):
            with self.subTest(value=value):
                fault = self.fault(write("res.partner", self.partner.ids, child_ids=value), mode="write")
                self.assert_fault(fault, "invalid_command", meant=None)

    def test_long_commands_are_shown_by_their_first(self):
        fault = self.fault(write("res.partner", self.partner.ids, child_ids=[{"name": "x" * 300}] * 9), mode="write")
        self.assertIn("and the others alike", fault.message)
        self.assertLess(len(fault.message), 1000)


@tagged("-at_install", "post_install")
@freeze_time("2026-11-28 12:00:00")
class TestTimes(FormsCase):
    def next_call(self, value):
        """What is stored of an instant."""
        [cron] = self.env["ir.cron"].search([], limit=1)
        checked = self.run_one(write("ir.cron", cron.ids, nextcall=value), mode="write")
        self.assertEqual(checked["records"][0]["id"], cron.id)
        return str(cron.nextcall)

    def test_forms_of_iso_8601_are_read(self):
        for value in (
            "2026-12-01T09:00:00z",
            "2026-12-01t09:00:00Z",
            "2026-12-01T10:00:00+01:00",
            "2026-12-01T10:00:00+01",
            "2026-12-01 10:00:00 +0100",
            "2026-12-01 09:00:00",
            "2026-12-01 09:00",
            "2026-12-01T09:00:00.000Z",
            "2026-12-01T09:00:00,5Z",
            "2026-12-01T09:00:00.123456789Z",
            "2026-12-01 09:00:00 UTC",
        ):
            with self.subTest(value=value):
                self.assertEqual(self.next_call(value), "2026-12-01 09:00:00")
                since = self.run_one(search("ir.cron", [["nextcall", "=", value]], ["id"]))["records"]
                self.assertEqual(len(since), 1, value)

    def refused_next_call(self, value):
        [cron] = self.env["ir.cron"].search([], limit=1)
        return self.fault(write("ir.cron", cron.ids, nextcall=value), mode="write").message

    def test_an_instant_is_answered_with_its_form(self):
        self.settings_admin.tz = "Europe/Brussels"
        self.env.flush_all()
        for value, wanted in [
            ("today +7d", "2026-12-05T00:00:00+01:00"),
            ("tomorrow", "2026-11-29T00:00:00+01:00"),
            ("in 3 days", "2026-12-01T00:00:00+01:00"),
            ("2026-12-01", "2026-12-01T00:00:00+01:00"),
            ("2026/12/01", "2026-12-01T00:00:00+01:00"),
            ("1 December 2026", "2026-12-01T00:00:00+01:00"),
            ("now", "2026-11-28T12:00:00Z"),
            (1796115600, "2026-12-01T09:00:00Z"),
        ]:
            with self.subTest(value=value):
                self.assertIn(f'send "{wanted}".', self.refused_next_call(value))
        self.assertIn("null clears it", self.refused_next_call(False))
        for value in ("soon", "2026-13-45", "2026-12", [], ""):
            with self.subTest(value=value):
                self.assertIn("takes an instant such as 2026-11-22T13:30:00Z.", self.refused_next_call(value))
        self.assertIn("an instant that exists", self.refused_next_call("2026-02-30T09:00:00Z"))

    def test_a_date_is_answered_with_its_form(self):
        for value, wanted in [
            ("today -7d", '"2026-11-21"'),
            ("yesterday", '"2026-11-27"'),
            ("2026-11-01T00:00:00Z", '"2026-11-01"'),
            ("25/12/2026", '"2026-12-25"'),
            ("25.12.2026", '"2026-12-25"'),
            ("01/11/2026", '"2026-11-01" or "2026-01-11"'),
            ("20261101", '"2026-11-01"'),
            ("Nov 1, 2026", '"2026-11-01"'),
            ("next monday", '"2026-11-30"'),
            ("last month", '"2026-10-28"'),
        ]:
            with self.subTest(value=value):
                fault = self.fault(create("res.currency.rate", {"name": value}), proof=self.proof, mode="write")
                self.assertIn(f"send {wanted}.", fault.message)

    def test_conditions_take_days_instants_and_what_is_relative(self):
        for value in ("today -7d", "-7d", "2026-11-01", "2026-11-01T00:00:00z", "2026-11-01T01:00:00+01:00", "now -1H"):
            with self.subTest(value=value):
                self.found("create_date", "<", value)
                self.found("create_date", "in", [value])
        self.assertEqual(self.found("create_date", "=", False), [])

    def test_conditions_are_answered_with_the_form(self):
        general = 'Dates are written as "2026-11-01" or relative to now as "today -7d"'
        for value, wanted in [
            ("yesterday", '["create_date", ">=", "today -1d"]'),
            ("7 days ago", '["create_date", ">=", "today -7d"]'),
            ("last 30 days", '["create_date", ">=", "today -30d"]'),
            ("today - 7 days", '["create_date", ">=", "today -7d"]'),
            ("today()", '["create_date", ">=", "today"]'),
            ("this month", '["create_date", ">=", "today =1d"]'),
            ("25/12/2026", '["create_date", ">=", "2026-12-25"]'),
            ("2026-11", '["create_date", ">=", "2026-11-01"], ["create_date", "<", "2026-12-01"]'),
            ("2026-12", '["create_date", "<", "2027-01-01"]'),
            ("someday", general),
            (1796115600, '["create_date", ">=", "2026-12-01T09:00:00Z"]'),
        ]:
            with self.subTest(value=value):
                message = self.refused_condition("create_date", ">=", value)
                self.assertIn(general, message)
                self.assertIn(wanted, message)
        message = self.refused_condition("child_ids.create_date", "=", "yesterday")
        self.assertIn('["child_ids.create_date", "=", "today -1d"]', message)

    def test_parts_of_dates_are_named(self):
        for path in ("create_date.month", "create_date:month", "child_ids.create_date.weekday", "create_date.date"):
            with self.subTest(path=path):
                fault = self.fault(search("res.partner", [[path, "=", 11]]))
                self.assertIn("month_number, iso_week_number", fault.message)
                self.assertIn('["create_date.month_number", "=", 11]', fault.message)
        step = {"op": "read_group", "model": "res.partner", "domain": [], "aggregates": [], "having": []}
        step |= {"limit": 9, "offset": 0, "order": None}
        for spec, wanted in [
            ("create_date.month", "create_date:month"),
            ("create_date.month_number", "create_date:month_number"),
            ("parent_id.create_date.year", "parent_id.create_date:year"),
        ]:
            fault = self.fault({**step, "groupby": [spec]})
            self.assertIn(f"Write {wanted} to group by a part of a date.", fault.message)
        self.found("create_date.month_number", "=", 11)


@tagged("-at_install", "post_install")
class TestLabels(FormsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("fr_FR")
        field = cls.env["ir.model.fields.selection"].search(
            [("field_id.model", "=", "res.partner"), ("field_id.name", "=", "type"), ("value", "=", "invoice")]
        )
        field.with_context(lang="fr_FR").name = "Adresse de facturation"
        cls.english = field.with_context(lang="en_US").name
        cls.env.flush_all()
        cls.env.registry.clear_cache()

    def test_a_label_is_answered_with_its_value_in_each_language(self):
        step = write("res.partner", self.partner.ids, type="Adresse de facturation")
        french = {"lang": "fr_FR"}
        self.assertIn('stands for "invoice": send that.', self.fault(step, mode="write", context=french).message)
        self.assertNotIn("stands for", self.fault(step, mode="write").message)
        step = write("res.partner", self.partner.ids, type=self.english)
        for context in ({}, french):
            fault = self.fault(step, mode="write", context=context)
            self.assert_fault(fault, "invalid_value", meant=["invoice"])
        self.assert_refused('"INVOICE" stands for "invoice": send that.', type="INVOICE")
        # the user's own language counts, whichever the call is in
        self.settings_admin.lang = "fr_FR"
        self.env.flush_all()
        step = write("res.partner", self.partner.ids, type="adresse de facturation")
        self.assertIn('"invoice"', self.fault(step, mode="write", context={"lang": "en_US"}).message)

    def test_a_condition_on_a_label_is_answered_with_its_value(self):
        french = {"context": {"lang": "fr_FR"}}
        label = "Adresse de facturation"
        for condition, wanted in [
            (["type", "=", label], '["type", "=", "invoice"]'),
            (["type", "!=", label], '["type", "!=", "invoice"]'),
            (["type", "not in", ["other", label]], '["type", "not in", ["other", "invoice"]]'),
            (["child_ids.type", "=", label], '["child_ids.type", "=", "invoice"]'),
            (["type", "ilike", "facturation"], '["type", "in", ["invoice"]]'),
            (["type", "=", self.english], '["type", "=", "invoice"]'),
        ]:
            with self.subTest(condition=condition):
                self.assertIn(wanted, self.refused_condition(*condition, **french))
        self.assertIn(self.partner.id, self.found("type", "!=", "invoice", **french))
        self.assertIn(self.partner.id, self.found("type", "ilike", "cont", **french))
        self.assertEqual(self.found("type", "=", "nothing like it"), [])


@tagged("-at_install", "post_install")
class TestElsewhere(FormsCase):
    def test_translations_are_written_in_their_own_call(self):
        category = self.env["res.partner.category"]
        form = '"context": {"lang": "en_US"}'
        for value in ({"en_US": "Table"}, {"en": "Table", "fr": "Table"}):
            self.assert_refused(form, "res.partner.category", name=value)
        for name in ("name:en_US", "name@en_US", "name.en"):
            fault = self.fault(create(category._name, {"name": "x", name: "Table"}), mode="write")
            self.assertIn(form, fault.message)
            self.assertEqual(fault.code, "unknown_field")
        fault = self.fault(create(category._name, {"name": {"xx_XX": "Table"}}), mode="write")
        self.assertIn("Languages installed here: ", fault.message)
        self.assert_refused("res.partner.name takes a text.", name={"en_US": "not translated"})

    def test_what_a_link_shows_is_answered_with_the_link(self):
        if "mail.activity" not in self.env:
            return
        model_id = self.env["ir.model"]._get_id("res.partner")
        step = create("mail.activity", {"res_model": "res.partner", "res_id": self.partner.id})
        self.assertIn(f'send {{"res_model_id": {model_id}}}.', self.fault(step, mode="write").message)
        step = create("mail.activity", {"res_model_id": "res.partner", "res_id": self.partner.id})
        for proof in (self.proof, self.user_proof):
            self.assertIn(f"so send {model_id}.", self.fault(step, mode="write", proof=proof).message)
        step = create("mail.activity", {"res_model_id": "ir.config_parameter"})
        self.assertNotIn("so send", self.fault(step, mode="write", proof=self.user_proof).message)

    def test_methods_that_are_gone_have_their_way(self):
        for method, way in [
            ("name_get", "Read the field display_name"),
            ("fields_view_get", "Call get_view"),
            ("archive", "Call action_archive"),
            ("delete", "the tool delete_record"),
            ("find", "the tool search_read"),
        ]:
            fault = self.fault(call("res.partner", method, self.partner.ids), mode="run")
            self.assertIn(way, fault.message)
            self.assertNotIn("name_create", fault.message)

    def test_no_method_of_odoos_own_that_writes_is_guessed(self):
        for method in ("name_gets", "creat", "name_creat", "web_sav", "unlnk", "writ", "copy_dat"):
            fault = self.fault(call("res.partner", method, self.partner.ids), mode="run")
            for writing in ("name_create", "create", "web_save", "unlink", "write", "copy_data"):
                self.assertNotIn(f" {writing}", fault.message.partition("Did you mean")[2])
        fault = self.fault(call("res.partner", "serch_read", []), mode="run")
        self.assertIn("Did you mean search_read", fault.message)
        fault = self.fault(call("res.partner", "action_archve", self.partner.ids), mode="run")
        self.assertIn("action_archive", fault.message)

    def test_markup_that_is_posted_as_text_is_noted(self):
        if "mail.thread" not in self.env:
            return
        post = self._posted(body="<p>Hello</p>")
        self.assertIn("With body_is_html true it is posted as HTML", post["notes"][0])
        self.assertIn("&lt;p&gt;", str(self.partner.message_ids[0].body))
        for body in ({"body": "<p>Hello</p>", "body_is_html": True}, {"body": "1 < 2"}):
            self.assertNotIn("notes", self._posted(**body))
        self._posted(body="<p>Hello</p>", body_is_html=True)
        self.assertEqual(str(self.partner.message_ids[0].body), "<p>Hello</p>")

    def _posted(self, **given):
        pressing = self.proof_of(self.settings_admin, level="buttons")
        answers = [self.run_one(call("res.partner", "message_post", self.partner.ids, **given), mode="run")]
        answers += [
            self.run_one(call("res.partner", "message_post", self.partner.ids, **given), mode="run", proof=pressing)
        ]
        self.assertEqual(answers[0].get("notes"), answers[1].get("notes"))
        return answers[0]


@tagged("-standard", "mcp_full", "post_install", "-at_install")
class TestElsewhereInMoreModules(FormsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss_proof = cls.proof_of(cls.env.ref("base.user_admin"))

    def test_employees_are_found_where_everyone_may_read(self):
        message = "hr.employee.public holds what everyone may see"
        fault = self.fault(search("hr.employee"), proof=self.user_proof)
        self.assertIn(message, fault.message)
        fault = self.fault(search("hr.department", [["manager_id.job_title", "=", "x"]]), proof=self.user_proof)
        self.assertIn(message, fault.message)
        self.assertTrue(self.run_one(search("hr.employee.public"), proof=self.user_proof)["records"])
        self.assertTrue(self.run_one(search("hr.employee"), proof=self.boss_proof)["records"])

    def test_stock_is_in_its_own_model(self):
        group = {"op": "read_group", "model": "product.product", "domain": [], "groupby": [], "having": []}
        group |= {"aggregates": ["qty_available:sum"], "limit": 9, "offset": 0, "order": None}
        product = self.env["product.product"].search([], limit=1)
        for step, changes in [
            (search("product.product", [["quantity_on_hand", ">", 5]]), {}),
            (search("product.template", fields=["stock_quantity"]), {}),
            (group, {}),
            (write("product.product", product.ids, virtual_available=3), {"mode": "write"}),
        ]:
            fault = self.fault(step, proof=self.boss_proof, **changes)
            self.assertIn("records of stock.quant", fault.message)
        self.run_one(search("product.product", [["qty_available", ">", 5]]), proof=self.boss_proof)

    def test_codes_of_products_and_accounts(self):
        product = self.env["product.product"].search([("default_code", "!=", False)], limit=1)
        partner = self.env["res.partner"].search([], limit=1)
        values = {"partner_id": partner.id, "order_line": [[0, 0, {"product_id": product.default_code}]]}
        fault = self.fault(create("sale.order", values), proof=self.boss_proof, mode="write")
        self.assertIn(f"so send {product.id}.", fault.message)
        values = {"partner_id": partner.name, "order_line": [{"product_id": product.id, "product_uom_qty": 2}]}
        fault = self.fault(
            create("sale.order", {**values, "partner_id": partner.id}), proof=self.boss_proof, mode="write"
        )
        self.assertIn(f'[[0, 0, {{"product_id": {product.id}, "product_uom_qty": 2}}]]', fault.message)

    def test_my_employee(self):
        boss = self.env.ref("base.user_admin")
        fault = self.fault(
            create("hr.department", {"name": "x", "manager_id": "me"}), proof=self.boss_proof, mode="write"
        )
        self.assertIn(f"so send {boss.employee_id.id}.", fault.message)
