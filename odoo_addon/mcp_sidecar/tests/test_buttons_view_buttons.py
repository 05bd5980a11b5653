"""What a connection may press that presses buttons only."""

import inspect
from html import escape

from odoo.tests import tagged

from ..gateway.auth import credentials
from ..gateway.buttons import permitted_methods, view_buttons, visibility
from .gateway_common import GatewayCase, call


class ButtonsCase(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pressing = cls.proof_of(cls.settings_admin, level="buttons")
        cls.partner = cls.env["res.partner"].create({"name": "mcp-one", "ref": "mcp", "city": "Ghent"})
        cls.other = cls.env["res.partner"].create({"name": "mcp-two", "ref": "mcp"})

    def view(self, arch, model="res.partner", priority=1):
        """A view that Odoo shows by default from now on."""
        values = {"name": "mcp", "model": model, "priority": priority, "arch": arch}
        return self.env["ir.ui.view"].create(values)

    def form(self, inside):
        return self.view(f"<form>{inside}</form>")

    def press(self, method, records=None, **changes):
        records = self.partner if records is None else records
        step = call(records._name, method, records.ids)
        return self.run_one(step, mode="run", **{"proof": self.pressing, **changes})["result"]

    def refusal(self, method, records=None, *args, **changes):
        """The sentence with which a call is refused."""
        records = self.partner if records is None else records
        step = call(records._name, method, records.ids, *args)
        fault = self.fault(step, mode="run", **{"proof": self.pressing, **changes})
        self.assert_fault(fault, "method_denied", model=records._name, method=method, level="buttons")
        # what a sidecar shows of it
        self.assertLess(len(fault.message), 1000)
        return fault.message


@tagged("-at_install", "post_install")
class TestButtons(ButtonsCase):
    # === A button, and what hides it ===

    def test_a_visible_button_is_pressed_and_a_hidden_one_refused(self):
        self.form('<button name="create_company" type="object" string="Make" invisible="city != \'Ghent\'"/>')
        self.press("create_company")
        sentence = self.refusal("create_company", self.other)
        self.assertIn("create_company is hidden on res.partner", sentence)
        self.assertIn("has no buttons now", sentence)
        # the record as it is now
        self.other.city = "Ghent"
        self.press("create_company", self.other)

    def test_what_is_no_button_is_refused_with_those_that_there_are(self):
        self.form(
            """<header>
                <button name="create_company" type="object" string="Make" invisible="city == 'Ghent'"/>
                <button name="open_commercial_entity" type="object" string="Open"/>
                <button name="%(base.action_partner_form)d" type="action" string="Contacts"/>
            </header>""".replace("%(base.action_partner_form)d", str(self.env.ref("base.action_partner_form").id))
        )
        for method, arguments in (("write", [{}]), ("unlink", []), ("copy_data", []), ("web_save", [{}, {}])):
            sentence = self.refusal(method, self.partner, *arguments)
            self.assertIn(f"{method} of res.partner is none", sentence)
            self.assertIn('open_commercial_entity ("Open")', sentence)
            self.assertNotIn("create_company", sentence)
            self.assertIn("Method Level", sentence)

    def test_each_part_around_a_button_may_hide_it(self):
        for arch in (
            '<header invisible="city"><button name="create_company" type="object"/></header>',
            '<sheet><group invisible="1"><div><button name="create_company" type="object"/></div></group></sheet>',
            '<notebook invisible="ref"><page><button name="create_company" type="object"/></page></notebook>',
            '<notebook><page invisible="ref"><button name="create_company" type="object"/></page></notebook>',
            '<button name="create_company" type="object" column_invisible="True"/>',
        ):
            with self.subTest(arch):
                view = self.form(arch)
                self.assertIn("hidden", self.refusal("create_company"))
                view.arch = f"<form>{arch.replace('invisible=', 'data-x=').replace('column_data', 'data')}</form>"
                self.press("create_company")
                view.unlink()

    def test_one_of_several_places_is_enough(self):
        self.form('<button name="create_company" type="object" invisible="1"/><a name="create_company" type="object"/>')
        self.press("create_company")

    def test_values_are_those_that_the_client_has(self):
        belgium = self.env.ref("base.be")
        self.partner.write({"country_id": belgium.id, "category_id": [(0, 0, {"name": "mcp-tag"})]})
        for expression, hides in (
            (f"country_id == {belgium.id}", True),
            ("country_id in (1, 2) and not country_id", False),
            ("category_id", True),
            ("len(category_id) > 1", False),
            ("not category_id or parent_id", False),
            ("create_date > '2001-01-01'", True),
            ("create_date < '2001-01-01 00:00:00'", False),
            ("email", False),
            ("not is_company", True),
            ("unicode(city)", None),
            ("name > id", None),
            (f"uid == {self.settings_admin.id}", True),
            ("context.get('hide')", False),
            ("context.hide or context.uid != uid", False),
            ("current_date == '2001-01-01'", False),
            ("context_today().year < 2001", False),
            ("image_1920", False),
            ("company_id not in allowed_company_ids and company_id", False),
        ):
            with self.subTest(expression):
                view = self.form(f'<button name="create_company" type="object" invisible="{escape(expression)}"/>')
                if hides is False:
                    self.press("create_company")
                else:
                    self.assertIn("hidden" if hides else "only a browser", self.refusal("create_company"))
                view.unlink()

    def test_what_only_a_browser_can_tell_is_refused(self):
        self.view(
            """<kanban><templates><t t-name="card">
                <a name="create_company" type="object" t-if="record.city.raw_value">Make</a>
                <div t-if="1"><button name="open_commercial_entity" type="object">Open</button></div>
                <field name="name"/>
            </t></templates></kanban>"""
        )
        self.form("<field name='name'/>")
        for method in ("create_company", "open_commercial_entity"):
            self.assertIn("only a browser", self.refusal(method))

    def test_lists_and_cards_have_buttons_as_well(self):
        self.form("<field name='name'/>")
        self.view('<list><field name="name"/><button name="create_company" type="object" invisible="not city"/></list>')
        self.view(
            """<kanban><templates><t t-name="card">
                <field name="name"/><button name="open_commercial_entity" type="object">Open</button>
            </t></templates></kanban>"""
        )
        self.press("create_company")
        self.assertIn('open_commercial_entity ("Open")', self.refusal("create_company", self.other))
        self.press("open_commercial_entity", self.other)

    def test_above_a_list_nothing_is_known_of_the_records(self):
        self.form("<field name='name'/>")
        self.view(
            """<list>
                <header>
                    <button name="create_company" type="object" invisible="city"/>
                    <button name="open_commercial_entity" type="object" invisible="context.get('x')"/>
                </header>
                <groupby name="country_id"><button name="copy_data" type="object"/></groupby>
                <field name="name"/>
            </list>"""
        )
        self.assertIn("only a browser", self.refusal("create_company"))
        self.assertIn("is a button that Odoo doesn't show", self.refusal("copy_data"))
        self.press("open_commercial_entity")

    # === Embedded lists ===

    def embed(self, around=""):
        """Makes the form of countries the only place with a button for states."""
        self.view("<form><field name='name'/></form>", "res.country.state")
        self.view("<list><field name='name'/></list>", "res.country.state")
        button = '<button name="copy_data" type="object" invisible="code == \'X\' or parent.code == \'US\'"/>'
        states = f'<field name="state_ids"><list>{button}<field name="name"/></list></field>'
        return self.view(f"<form><group {around}>{states}</group></form>", "res.country")

    def states(self, *countries):
        values = [{"name": "mcp", "code": "MCP", "country_id": self.env.ref(f"base.{name}").id} for name in countries]
        return self.env["res.country.state"].create(values)

    def test_a_list_in_another_form(self):
        belgian, american = self.states("be", "us")
        view = self.embed()
        self.assertEqual(
            [one.method for one in view_buttons.buttons_of(belgian.with_user(self.settings_admin))], ["copy_data"]
        )
        self.press("copy_data", belgian)
        self.assertIn("hidden", self.refusal("copy_data", american))
        belgian.code = "X"
        self.assertIn("hidden", self.refusal("copy_data", belgian))
        belgian.code = "MCP"
        view.unlink()
        self.assertIn("copy_data of res.country.state is none", self.refusal("copy_data", belgian))

    def test_what_hides_the_list_hides_its_buttons(self):
        belgian, french = self.states("be", "fr")
        self.embed("invisible=\"code == 'BE'\"")
        self.press("copy_data", french)
        self.assertIn("hidden", self.refusal("copy_data", belgian))

    def test_a_list_of_a_relation_to_many_in_another_form(self):
        tag, unused = self.env["res.partner.category"].create([{"name": "mcp-tag"}, {"name": "mcp-unused"}])
        self.partner.category_id = tag
        for view_type in ("form", "list"):
            self.view(f"<{view_type}><field name='name'/></{view_type}>", "res.partner.category")
        button = '<button name="copy_data" type="object" invisible="parent.city != \'Ghent\'"/>'
        self.form(f'<field name="category_id" widget="many2many"><list><field name="name"/>{button}</list></field>')
        self.press("copy_data", tag)
        self.assertIn("hidden", self.refusal("copy_data", unused))
        self.partner.city = "Bruges"
        self.assertIn("hidden", self.refusal("copy_data", tag))

    def test_a_button_of_the_form_around_is_none_of_the_records_in_the_list(self):
        belgian = self.states("be")
        self.view(
            """<form>
                <button name="copy_data" type="object"/>
                <field name="state_ids"><list><field name="name"/></list></field>
            </form>""",
            "res.country",
        )
        self.press("copy_data", belgian.country_id)
        self.assertIn("copy_data of res.country.state is none", self.refusal("copy_data", belgian))

    # === Whose views ===

    def test_groups_decide_and_the_refusal_says_that_there_is_one(self):
        self.form('<button name="create_company" type="object" groups="base.group_system"/>')
        self.press("create_company")
        fewer = self.proof_of(self.user, level="buttons")
        self.user.group_ids += self.env.ref("base.group_partner_manager")
        sentence = self.refusal("create_company", proof=fewer)
        self.assertIn("is a button that Odoo doesn't show to its user", sentence)
        self.user.group_ids += self.env.ref("base.group_system")
        self.press("create_company", proof=fewer)

    def test_views_are_read_once_for_a_group_set_and_again_when_they_change(self):
        view = self.form('<button name="create_company" type="object"/>')
        read = []
        found = view_buttons.find_buttons
        self.patch(view_buttons, "find_buttons", lambda env, name: read.append((env.uid, env.lang)) or found(env, name))
        self.env.registry.clear_cache("templates")
        for _time in range(2):
            self.press("create_company")
        # another of the same groups, in another language
        self.env["res.lang"]._activate_lang("fr_FR")
        twin = self._person("mcp_test_twin", "base.group_system,base.group_partner_manager")
        twin.group_ids, twin.lang = self.settings_admin.group_ids, "fr_FR"
        read.clear()
        self.press("create_company")
        first = len(read)
        self.press("create_company", proof=self.proof_of(twin, level="buttons"))
        self.assertEqual(len(read), first)
        view.arch = "<form><field name='name'/></form>"
        self.assertIn("create_company of res.partner is a button that", self.refusal("create_company"))

    def test_rights_to_the_records_count_as_ever(self):
        self.form('<button name="create_company" type="object"/>')
        model_id = self.env.ref("base.model_res_partner").id
        self.env["ir.rule"].create({"name": "mcp", "model_id": model_id, "domain_force": "[('ref', '!=', 'mcp')]"})
        fault = self.fault(call("res.partner", "create_company", self.partner.ids), mode="run", proof=self.pressing)
        self.assert_fault(fault, "not_found", model="res.partner")

    # === As the client calls it ===

    def test_a_button_takes_no_arguments(self):
        self.form('<button name="copy_data" type="object"/>')
        self.press("copy_data")
        sentence = self.refusal("copy_data", self.partner, {"name": "x"})
        self.assertIn("takes nothing beside the records then: leave out default", sentence)

    def test_the_context_of_the_button_comes_along(self):
        self.form('<button name="create_company" type="object" context="{\'mcp\': city, \'of\': id}"/>')
        seen = []
        partners = self.env.registry["res.partner"]
        self.patch(partners, "create_company", lambda records: seen.append(records.env.context) and False)
        self.press("create_company")
        self.assertEqual((seen[0]["mcp"], seen[0]["of"]), ("Ghent", self.partner.id))
        self.assertIn("one at a time", self.refusal("create_company", self.partner | self.other))
        self.form('<button name="create_company" type="object" context="{\'x\': unicode(city)}"/>').priority = 0
        self.assertIn("only a browser", self.refusal("create_company"))

    def test_several_records_at_once_if_each_shows_it(self):
        self.form('<button name="create_company" type="object" invisible="city != \'Ghent\'"/>')
        sentence = self.refusal("create_company", self.partner | self.other)
        self.assertIn(f"res.partner {self.other.id}", sentence)
        self.other.city = "Ghent"
        seen = []
        partners = self.env.registry["res.partner"]
        self.patch(partners, "create_company", lambda records: seen.append(records.ids))
        self.press("create_company", self.partner | self.other)
        self.assertEqual(seen, [(self.partner | self.other).ids])

    def test_a_method_of_no_record_is_judged_as_well(self):
        none = self.env["res.partner"]
        self.view('<list><header><button name="get_import_templates" type="object"/></header></list>')
        self.press("get_import_templates", none)
        self.form('<button name="get_import_templates" type="object" invisible="city"/>')
        self.view("<list><field name='name'/></list>", priority=0)
        self.assertIn("only a browser", self.refusal("get_import_templates", none))
        self.form("<field name='name'/>").priority = 0
        self.assertIn("get_import_templates of res.partner is", self.refusal("get_import_templates", none))

    # === What a refusal shows of views and records ===

    def fits_a_button(self, name):
        method = getattr(self.env.registry["res.partner"], name)
        if name.startswith("_") or not inspect.isfunction(method) or getattr(method, "_api_private", False):
            return False
        needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
        return [one.name for one in needed] == ["self"]

    def test_labels_are_quoted_and_cut_and_few(self):
        self.partner.name = 'mcp"\u202e\u200b\nIgnore all' + "x" * 200
        label = "A &quot;label&quot;\u200b&#10;" + "long " * 40
        names = [name for name in dir(self.env.registry["res.partner"]) if self.fits_a_button(name)]
        self.assertGreater(len(names), 20)
        self.form("".join(f'<button name="{name}" type="object" string="{label}"/>' for name in names))
        sentence = self.refusal("write", self.partner, {})
        self.assertIn("\"A 'label' long long", sentence)
        self.assertIn("more", sentence)
        for odd in ("\u202e", "\u200b", "\n"):
            self.assertNotIn(odd, sentence)
        self.assertLessEqual(sentence.count("A 'label'"), 20)


@tagged("-at_install", "post_install")
class TestButtonsClosed(ButtonsCase):
    """Buttons that are for people only, and methods that are no buttons."""

    def closed(self, record, method):
        sentence = self.refusal(method, record)
        self.assertIn(f"buttons of {record._name} are not among them", sentence)

    def test_technical_models(self):
        # a wizard is there for who has opened it
        env = self.env(user=self.settings_admin.id)
        model = env.ref("base.model_res_partner").id
        code = {"name": "mcp", "model_id": model, "state": "code", "code": "action = {'type': 'x'}"}
        server = env["ir.actions.server"].create(code)
        for record, method in (
            (server, "run"),
            (server, "create_action"),
            (server, "copy"),
            (env["ir.module.module"].search([("name", "=", "base")]), "button_immediate_upgrade"),
            (env["ir.cron"].search([], limit=1), "method_direct_trigger"),
            (env["base.module.update"].create({}), "update_module"),
            (env["base.partner.merge.automatic.wizard"].create({}), "action_merge"),
            (env["res.config.settings"].create({}), "execute"),
            (self.settings_admin, "action_archive"),
            (self.env.ref("base.group_user"), "copy"),
        ):
            with self.subTest(record=record, method=method):
                self.closed(record, method)

    def test_what_runs_stored_texts(self):
        for name in ("mail.template", "sms.template", "mailing.mailing"):
            if name in self.env:
                self.assertTrue(permitted_methods._is_closed(self.env[name]), name)
        if "mail.template" in self.env:
            model_id = self.env.ref("base.model_res_partner").id
            template = self.env["mail.template"].create({"name": "mcp", "model_id": model_id})
            self.closed(template, "create_action")
            fault = self.fault(call("mail.template", "send_mail", template.ids, 1), mode="run", proof=self.pressing)
            self.assert_fault(fault, "method_denied", model="mail.template", level="buttons")

    def test_a_model_built_on_one_of_them(self):
        for name, model in self.env.registry.items():
            if not model._abstract and "ir.actions.server" in model._inherits:
                self.assertTrue(permitted_methods._is_closed(self.env[name]), name)
        for name in ("res.partner", "res.country", "sale.order", "mail.activity", "mail.compose.message"):
            if name in self.env:
                self.assertFalse(permitted_methods._is_closed(self.env[name]), name)

    def test_the_own_models_of_the_server(self):
        connection, _key = self.connect(self.settings_admin)
        fault = self.fault(call("mcp.connection", "action_revoke", connection.ids), mode="run", proof=self.pressing)
        self.assert_fault(fault, "access_denied", model="mcp.connection")

    # === Beside the buttons ===

    def test_reading_methods(self):
        result = self.press("fields_get", self.env["res.partner"])
        self.assertIn("name", result)
        step = call("res.partner", "read", self.partner.ids, ["name"])
        self.assertEqual(self.run_one(step, mode="run", proof=self.pressing)["result"][0]["name"], "mcp-one")
        for mode in ("read", "write"):
            self.assertTrue(self.run_one(step, mode=mode, proof=self.pressing)["result"])

    def test_listed_methods_with_listed_arguments(self):
        self.form("<field name='name'/>")
        self.press("action_archive")
        self.assertFalse(self.partner.active)
        self.press("action_unarchive")
        self.press("copy", self.other)
        self.assertEqual(self.env["res.partner"].search_count([("name", "=", "mcp-two (copy)")]), 1)
        sentence = self.refusal("copy", self.other, {"name": "x"})
        self.assertIn("copy takes nothing beside the records then: leave out default", sentence)
        self.assertTrue(self.press("address_get"))

    def test_each_listed_method_exists_and_has_its_arguments(self):
        for (model, method), listed in permitted_methods.ALLOWED_METHODS.items():
            with self.subTest(model=model, method=method):
                self.assertGreater(len(listed.reason), 20)
                if model not in self.env.registry:
                    continue
                parameters = inspect.signature(getattr(self.env.registry[model], method)).parameters
                open_ended = any(one.kind == one.VAR_KEYWORD for one in parameters.values())
                self.assertTrue(open_ended or listed.arguments <= parameters.keys())

    def test_a_note_is_mailed_to_nobody_of_the_calls_choice(self):
        if "mail.thread" not in self.env:
            return
        step = call("res.partner", "message_post", self.partner.ids, body="<b>Hi</b>")
        self.run_one(step, mode="run", proof=self.pressing)
        message = self.partner.message_ids[0]
        self.assertIn("&lt;b&gt;Hi", str(message.body))
        self.assertEqual(message.subtype_id, self.env.ref("mail.mt_note"))
        for name, value in (
            ("partner_ids", self.other.ids),
            ("subtype_xmlid", "mail.mt_comment"),
            ("email_from", "x@example.com"),
            ("outgoing_email_to", "x@example.com"),
            ("attachments", [["x", "y"]]),
        ):
            step = call("res.partner", "message_post", self.partner.ids, body="x", **{name: value})
            fault = self.fault(step, mode="run", proof=self.pressing)
            self.assert_fault(fault, "method_denied", method="message_post", level="buttons")
            self.assertIn(f"takes body, body_is_html, subject beside the records then: leave out {name}", fault.message)

    def test_an_activity_is_planned_and_done(self):
        if "mail.activity" not in self.env:
            return
        step = call("res.partner", "activity_schedule", self.partner.ids, summary="mcp")
        self.run_one(step, mode="run", proof=self.pressing)
        activity = self.partner.activity_ids
        self.assertEqual(activity.summary, "mcp")
        step = call("res.partner", "activity_schedule", self.partner.ids, summary="mcp", user_id=self.user.id)
        self.assert_fault(self.fault(step, mode="run", proof=self.pressing), "method_denied", level="buttons")
        step = call("mail.activity", "action_feedback", activity.ids, feedback="done")
        self.run_one(step, mode="run", proof=self.pressing)
        self.assertFalse(self.partner.activity_ids)


@tagged("-at_install", "post_install")
class TestButtonsOfOdoo(ButtonsCase):
    """Odoo's own views."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if "sale.order" in cls.env:
            cls.settings_admin.group_ids += cls.env.ref("sales_team.group_sale_manager")
            cls.order = cls.env["sale.order"].create({"partner_id": cls.partner.id})

    def test_an_order_is_confirmed_and_cancelled_and_drafted_again(self):
        if "sale.order" not in self.env:
            return
        sentence = self.refusal("action_draft", self.order)
        self.assertIn("action_draft is hidden", sentence)
        self.assertIn('action_confirm ("Confirm")', sentence)
        self.assertIn(f'sale.order {self.order.id} ("{self.order.name}") has now:', sentence)
        self.press("action_confirm", self.order)
        self.assertEqual(self.order.state, "sale")
        self.assertIn("action_confirm is hidden", self.refusal("action_confirm", self.order))
        self.press("action_cancel", self.order)
        self.press("action_draft", self.order)
        self.assertEqual(self.order.state, "draft")

    def test_methods_that_odoo_shows_to_nobody(self):
        if "sale.order" not in self.env:
            return
        for method in ("order_lines_layouted", "get_portal_url", "message_subscribe", "payment_action_capture"):
            if hasattr(self.order, method):
                self.refusal(method, self.order)

    def test_whoever_has_no_button_for_it(self):
        if "sale.order" not in self.env:
            return
        self.user.group_ids += self.env.ref("sales_team.group_sale_salesman_all_leads")
        proof = self.proof_of(self.user, level="buttons")
        self.press("action_confirm", self.order, proof=proof)
        self.assertEqual(self.order.state, "sale")

    def test_with_allowed_models_only_their_buttons(self):
        if "sale.order" not in self.env:
            return
        connection, key = self.connect(self.settings_admin)
        connection.write({"allowed_models": "res.partner", "method_level": "buttons"})
        proof = credentials.proof(key)
        self.env.flush_all()
        fault = self.fault(call("sale.order", "action_confirm", self.order.ids), mode="run", proof=proof)
        self.assert_fault(fault, "model_denied", model="sale.order")
        self.form('<button name="create_company" type="object" string="Make" invisible="not city"/>')
        self.press("create_company", proof=proof)
        self.assertIn("create_company is hidden", self.refusal("create_company", self.other, proof=proof))

    def test_all_views_can_be_read_and_judged(self):
        """Buttons of all installed models are found, and judged on real records."""
        env = self.env(user=self.settings_admin.id)
        judged, unsure = 0, []
        for name, model in env.registry.items():
            if model._abstract or not env[name].has_access("read") or permitted_methods._is_closed(env[name]):
                continue
            for button in view_buttons.buttons_of(env[name]):
                for record in env[name].search([], limit=2):
                    judged += 1
                    try:
                        scope = visibility.shown(record, button)
                        if scope:
                            visibility.context_of(button, scope)
                    except visibility.CannotTell as exc:
                        unsure.append((name, button.method, exc.args))
        self.assertGreater(judged, 20)
        self.assertLess(len(unsure), judged / 10, unsure)
