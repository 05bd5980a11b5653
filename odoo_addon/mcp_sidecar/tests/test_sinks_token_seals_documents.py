"""Links that open a document go to its customer, in Odoo's own mail, and nowhere else."""

from odoo.tests import tagged

from ..gateway.sinks import token_seals
from .gateway_common import call, create, write
from .sinks_common import ELSEWHERE, SinksCase

LINK = '<a t-att-href="object.get_portal_url()">see</a><i t-out="object.access_token"/>'


class DocumentsCase(SinksCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings_admin.group_ids += cls.env.ref("sales_team.group_sale_manager")
        cls.order = cls.env["sale.order"].create({"partner_id": cls.customer.id, "user_id": cls.settings_admin.id})
        cls.secret = cls.order._portal_ensure_token()
        cls.quotation = cls.env.ref("sale.email_template_edi_sale")
        cls.linked = cls.template("sale.order", body_html=LINK, subject="{{ object.access_token }}")
        cls.env.flush_all()

    def composer(self, **values):
        values = {"model": "sale.order", "res_ids": str(self.order.ids), "composition_mode": "comment", **values}
        made = self.run_one(create("mail.compose.message", values), mode="write")["records"][0]["id"]
        return call("mail.compose.message", "action_send_mail", [made])

    def sent(self, *steps):
        return self.mails_since(lambda: self.execute(*steps, mode="run"))

    def assert_kept(self, mails=()):
        """The token is in nothing that an AI tool, or the mail's reader, could read."""
        messages = self.env["mail.message"].search([("model", "=", "sale.order"), ("res_id", "=", self.order.id)])
        for text in (*messages.mapped("body"), *messages.mapped("subject"), *(str(mail.body_html) for mail in mails)):
            self.assertNotIn(self.secret, text or "")
            if mails:
                self.assertNotIn("attacker-reads", text or "")


@tagged("-at_install", "post_install")
class TestDocumentLinks(DocumentsCase):
    def setUp(self):
        super().setUp()
        if "sale.order" not in self.env:
            self.skipTest("needs documents of the portal")

    def test_a_quotation_has_its_link(self):
        mails = self.sent(self.composer(template_id=self.quotation.id))
        to_customer = mails.filtered(lambda mail: self.customer in mail.recipient_ids)
        self.assertIn(f"access_token={self.secret}", to_customer.body_html)
        self.assertIn(self.order._sign_token(self.customer.id), to_customer.body_html)
        self.assertFalse(token_seals.are_in(to_customer.body_html))
        self.assertNotIn(self.secret, "".join((mails - to_customer).mapped("body_html")))
        self.assert_kept()

    def test_a_template_sent_to_its_customer_has_it(self):
        for values in ({}, {"email_values": {"email_to": "customer@example.org"}}):
            mails = self.sent(call("mail.template", "send_mail", self.linked.ids, self.order.id, **values))
            self.assertIn(f"access_token={self.secret}", mails.body_html)
            self.assertNotIn(self.secret, mails.subject)
        self.assert_kept()

    def test_a_colleague_who_follows_has_it(self):
        colleague = self.env["res.partner"].create(
            {"name": "mcp-colleague", "email": "colleague@example.org", "parent_id": self.customer.id}
        )
        values = {"email_values": {"email_to": False, "recipient_ids": [(6, 0, colleague.ids)]}}
        step = call("mail.template", "send_mail", self.linked.ids, self.order.id, **values)
        self.assertNotIn(self.secret, self.sent(step).body_html)
        self.order.message_subscribe(colleague.ids)
        self.assertIn(self.secret, self.sent(step).body_html)

    def test_no_mail_to_others_has_it(self):
        stranger = self.env["res.partner"].create({"name": "mcp-stranger", "email": ELSEWHERE})
        self.order.message_subscribe(stranger.ids)
        self.env.flush_all()
        for values in (
            {"email_to": ELSEWHERE},
            {"email_to": f"customer@example.org, {ELSEWHERE}"},
            {"email_cc": ELSEWHERE},
            {"reply_to": ELSEWHERE},
            {"email_from": ELSEWHERE, "reply_to": False},
            {"headers": f"{{'Bcc': '{ELSEWHERE}'}}"},
            {"headers": f"{{'Return-Path': '{ELSEWHERE}'}}"},
            {"headers": "not a dictionary"},
            {"recipient_ids": [(4, stranger.id)]},
            {"recipient_ids": [(6, 0, (stranger | self.customer).ids)]},
        ):
            for method, target in (("send_mail", self.order.id), ("send_mail_batch", self.order.ids)):
                with self.subTest(values, method=method):
                    step = call("mail.template", method, self.linked.ids, target, email_values=values)
                    mails = self.sent(step)
                    self.assertTrue(mails.body_html)
                    self.assert_kept(mails)
        for field in ("partner_to", "email_to", "email_cc"):
            value = str(stranger.id) if field == "partner_to" else ELSEWHERE
            template = self.template("sale.order", body_html=LINK, use_default_to=False, **{field: value})
            self.assert_kept(self.sent(call("mail.template", "send_mail", template.ids, self.order.id)))

    def test_no_composer_sends_it_to_others(self):
        stranger = self.env["res.partner"].create({"name": "mcp-stranger", "email": ELSEWHERE})
        for values in (
            {"template_id": self.linked.id, "partner_ids": stranger.ids},
            {"body": "<p>x</p>", "partner_ids": stranger.ids, "subject": "x"},
        ):
            mails = self.sent(self.composer(**values))
            for mail in mails:
                if mail.recipient_ids != self.customer:
                    self.assertNotIn(self.secret, mail.body_html)
        self.assert_kept()

    def test_no_composer_or_preview_shows_it(self):
        values = {"mail_template_id": self.linked.id, "resource_ref": f"sale.order,{self.order.id}"}
        preview = self.run_one(create("mail.template.preview", values), mode="write")["records"][0]["id"]
        composer = {"model": "sale.order", "res_ids": str(self.order.ids), "template_id": self.linked.id}
        composer = self.run_one(create("mail.compose.message", composer), mode="write")["records"][0]["id"]
        for step in (
            call("mail.template.preview", "read", [preview]),
            call("mail.compose.message", "read", [composer]),
            call("mail.compose.message", "onchange", [composer], {}, [], {"body": {}, "subject": {}}),
        ):
            text = str(self.run_one(step, mode="run"))
            self.assertNotIn(self.secret, text)
        self.env.invalidate_all()
        record = self.env["mail.compose.message"].browse(composer)
        self.assertNotIn(self.secret, f"{record.body} {record.subject}")

    def test_no_answer_field_or_message_has_it(self):
        order = f"env['sale.order'].browse({self.order.id})"
        rendered = f"'sale.order', {self.order.ids})[{self.order.id}]"
        for value in (
            f"{order}.access_token",
            f"{order}.get_portal_url()",
            f"{order}._get_share_url(redirect=True, pid=env.user.partner_id.id)",
            f"{order}._portal_ensure_token()",
            f"{order}.sudo()._sign_token(env.user.partner_id.id)",
            f"env['mail.render.mixin']._render_template('{{{{ object.access_token }}}}', {rendered}",
            f"env['mail.template'].browse({self.linked.id})._render_field('body_html', {rendered}".replace(
                "'sale.order', ", ""
            ),
        ):
            for code in (
                f"action = {{'value': [str({value})]}}",
                f"{order}.write({{'client_order_ref': {value}}})",
                f"{order}.message_post(body={value})",
                f"raise UserError({value})",
            ):
                with self.subTest(code):
                    text = self.tried_or_done(self.run_code(code, "sale.order"))
                    self.env.invalidate_all()
                    signed = self.order._sign_token(self.settings_admin.partner_id.id)
                    for secret in (self.secret, signed):
                        self.assertNotIn(secret, text)
                        self.assertNotIn(secret, self.order.client_order_ref or "")
                        self.assertNotIn(secret, "".join(self.order.message_ids.mapped("body")))
        for model, method in (("sale.order", "get_portal_url"), ("sale.order", "action_preview_sale_order")):
            self.assertNotIn(self.secret, str(self.run_one(call(model, method, self.order.ids), mode="run")))
        share = {"res_model": "sale.order", "res_id": self.order.id, "partner_ids": self.customer.ids}
        made = self.run_one(create("portal.share", share), mode="write")["records"][0]["id"]
        text = str(self.run_one(call("portal.share", "read", [made]), mode="run"))
        self.assertNotIn(self.secret, text)
        # sharing mails the link to those whom one has chosen, who are the order's own here
        mails = self.sent(call("portal.share", "action_send_mail", [made]))
        self.assertIn(self.secret, "".join(mails.mapped("body_html")))

    def test_what_is_shared_with_others_has_no_token(self):
        stranger = self.env["res.partner"].create({"name": "mcp-stranger", "email": ELSEWHERE})
        share = {"res_model": "sale.order", "res_id": self.order.id, "partner_ids": stranger.ids}
        made = self.run_one(create("portal.share", share), mode="write")["records"][0]["id"]
        mails = self.sent(call("portal.share", "action_send_mail", [made]))
        self.assertTrue(mails)
        self.assert_kept(mails)

    def test_a_mail_is_not_redirected(self):
        mail = self.sent(call("mail.template", "send_mail", self.linked.ids, self.order.id))
        for values in ({"email_to": ELSEWHERE}, {"email_cc": ELSEWHERE}, {"headers": "{}"}, {"reply_to": ELSEWHERE}):
            code = f"env['mail.mail'].sudo().browse({mail.ids}).write({values!r})"
            self.assert_fault(self.tried(self.run_code(code)), "access_denied", model="mail.mail")
        code = f"env.user.partner_id.write({{'comment': env['mail.mail'].sudo().browse({mail.ids}).body_html}})"
        self.execute(self.run_code(code), mode="run")
        self.assertNotIn(self.secret, str(self.settings_admin.partner_id.comment))
        self.assertIn(self.secret, mail.body_html)

    def test_no_report_has_it(self):
        view = self.env["ir.ui.view"].create(
            {
                "type": "qweb",
                "name": "mcp",
                "key": "mcp_sidecar.report_with_link",
                "arch": '<t t-foreach="docs" t-as="object"><p t-out="object.access_token"/>' + LINK + "</t>",
            }
        )
        report = self.env["ir.actions.report"].create(
            {"name": "mcp", "model": "sale.order", "report_type": "qweb-html", "report_name": view.key}
        )
        code = (
            f"html = env['ir.actions.report']._render_qweb_html({report.id}, {self.order.ids})[0]\n"
            "env.user.partner_id.write({'comment': html.decode()})"
        )
        self.execute(self.run_code(code), mode="run")
        comment = str(self.settings_admin.partner_id.comment)
        self.assertIn("see", comment)
        self.assertNotIn(self.secret, comment)

    def test_a_computed_field_of_ones_own_shows_none(self):
        field = self.env["ir.model.fields"].create(
            {
                "name": "x_mcp",
                "model_id": self.env["ir.model"]._get_id("sale.order"),
                "ttype": "char",
                "store": False,
                "depends": "name",
                "compute": "for record in self:\n    record['x_mcp'] = record.access_token",
            }
        )
        self.addCleanup(field.unlink)
        result = self.run_one(call("sale.order", "read", self.order.ids, ["x_mcp"]), mode="run")
        self.assertNotIn(self.secret, str(result))


@tagged("-at_install", "post_install")
class TestScheduled(DocumentsCase):
    def test_what_a_call_schedules_is_sent_under_the_same_limits(self):
        stranger = self.env["res.partner"].create({"name": "mcp-stranger", "email": ELSEWHERE})
        self.env.flush_all()
        values = {
            "model": "sale.order",
            "res_id": self.order.id,
            "author_id": self.settings_admin.partner_id.id,
            "scheduled_date": "2099-01-01 10:00:00",
            "subject": "x",
            "body": "<p>x</p>",
            "partner_ids": [[6, 0, (stranger | self.customer).ids]],
        }
        made = self.run_one(create("mail.scheduled.message", values), mode="write")["records"][0]["id"]
        message = self.env["mail.scheduled.message"].browse(made)
        self.execute(write("mail.scheduled.message", message.ids, mcp_from_call=False), mode="write")
        self.assertTrue(message.mcp_from_call)
        mails = self.mails_since(lambda: message.with_user(self.settings_admin).post_message())
        to_customer = mails.filtered(lambda mail: mail.recipient_ids == self.customer)
        self.assertIn(self.secret, to_customer.body_html)
        self.assertNotIn(self.secret, "".join((mails - to_customer).mapped("body_html")))

    def test_a_notification_that_a_call_schedules_is_marked(self):
        self.order.message_subscribe(self.customer.ids)
        posting = "message_post(body='x', scheduled_date='2099-01-01 10:00:00', subtype_xmlid='mail.mt_comment')"
        code = f"env['sale.order'].browse({self.order.id}).{posting}"
        self.execute(self.run_code(code), mode="run")
        schedule = self.env["mail.message.schedule"].search([], order="id desc", limit=1)
        self.assertTrue(schedule.mcp_from_call)
        mails = self.mails_since(schedule.force_send)
        self.assertIn(self.secret, mails.body_html)

    def test_what_people_schedule_is_not(self):
        self.order.message_subscribe(self.customer.ids)
        self.order.with_user(self.settings_admin).message_post(
            body="x", scheduled_date="2099-01-01 10:00:00", subtype_xmlid="mail.mt_comment"
        )
        schedule = self.env["mail.message.schedule"].search([], order="id desc", limit=1)
        self.assertTrue(schedule)
        self.assertFalse(schedule.mcp_from_call)

    def test_what_a_call_writes_into_a_template_is_rendered_under_the_same_limits(self):
        values = {"name": "mcp", "model_id": self.env["ir.model"]._get_id("sale.order"), "subject": "plain"}
        made = self.run_one(create("mail.template", values), mode="write")["records"][0]["id"]
        template = self.env["mail.template"].browse(made)
        self.assertFalse(template.mcp_from_call)
        # composed, so that no check of names finds it
        hidden = """<i t-out="object[''.join(['acc', 'ess', '_tok', 'en'])]"/>"""
        self.execute(write("mail.template", template.ids, body_html=hidden), mode="write")
        self.assertTrue(template.mcp_from_call)
        self.assertTrue(template.copy().mcp_from_call)
        order = self.order.with_user(self.settings_admin)
        self.execute(
            self.run_code(f"env['mail.template'].browse({made}).write({{'mcp_from_call': False}})"), mode="run"
        )
        self.assertTrue(template.mcp_from_call)
        sender = template.with_user(self.settings_admin)
        for address, opened in ((ELSEWHERE, False), ("customer@example.org", True)):
            values = {"email_to": address, "recipient_ids": []}
            mail = self.mails_since(lambda: sender.send_mail(order.id, email_values=values))  # noqa: B023
            self.assertEqual(self.secret in mail.body_html, opened, address)
            self.assertFalse(token_seals.are_in(mail.body_html))
        composer = self.env["mail.compose.message"].with_user(self.settings_admin)
        composing = {"model": "sale.order", "res_ids": str(order.ids), "composition_mode": "mass_mail"}
        made = composer.create({**composing, "template_id": template.id})
        self.assertTrue(made._mcp_is_marked())
        # what people have written is theirs
        people = self.linked.with_user(self.settings_admin)
        self.assertIn(self.secret, people._render_field("body_html", order.ids)[order.id])
