from odoo.tests import tagged

from .gateway_common import call, create
from .sinks_common import ELSEWHERE, LINK, SinksCase

RESET = "{{ object.partner_id._get_signup_url() }}"


@tagged("-at_install", "post_install")
class TestAccountLinks(SinksCase):
    """No link that sets a password leaves a call, whichever method leads there."""

    def setUp(self):
        super().setUp()
        self.settings_admin.partner_id.signup_type = "reset"
        self.own = [self.settings_admin.id]
        self.set_password = self.xmlid("auth_signup.set_password_email")

    def assert_refused(self, *steps):
        for step in steps:
            with self.subTest(step):
                mails = self.mails_since(lambda: self.assert_fault(self.tried(step), "access_denied"))  # noqa: B023
                self.assertFalse(mails)

    def test_the_link_is_worth_something(self):
        url = self.settings_admin.partner_id.with_user(self.settings_admin)._get_signup_url()
        with self.assertRaises(AssertionError):
            self.assert_no_way_in(url, self.settings_admin)

    def test_a_template_is_not_sent(self):
        send, batch = ("send_mail", self.own[0]), ("send_mail_batch", self.own)
        for values in (
            {"email_to": ELSEWHERE},
            {"email_cc": ELSEWHERE},
            {"reply_to": ELSEWHERE},
            {"recipient_ids": [(4, self.customer.id)]},
            {"partner_ids": self.customer.ids},
            {},
        ):
            for method, target in (send, batch):
                self.assert_refused(call("mail.template", method, [self.set_password], target, email_values=values))
        layout = "mail.mail_notification_light"
        self.assert_refused(
            call("mail.template", "send_mail", [self.set_password], self.own[0], email_layout_xmlid=layout)
        )
        for field in ("subject", "email_cc", "reply_to", "lang", "partner_to"):
            values = {"body_html": "<p>x</p>", "email_to": ELSEWHERE, "use_default_to": False, field: RESET}
            template = self.template("res.users", **values)
            self.assert_refused(call("mail.template", "send_mail", template.ids, self.own[0]))

    def test_neither_is_that_of_another_user(self):
        self.user.partner_id.signup_type = "reset"
        values = {"email_to": ELSEWHERE}
        self.assert_refused(call("mail.template", "send_mail", [self.set_password], self.user.id, email_values=values))

    def test_a_preview_shows_none(self):
        values = {"mail_template_id": self.set_password, "resource_ref": f"res.users,{self.own[0]}"}
        step = create("mail.template.preview", values)
        text = self.tried_or_done(step)
        for preview in self.env["mail.template.preview"].search([]):
            text += self.tried_or_done(call("mail.template.preview", "read", preview.ids))
        self.assert_no_way_in(text, self.settings_admin)

    def test_a_composer_holds_none(self):
        for template in (self.set_password, self.template("res.users", body_html=f"<t t-out='{RESET[3:-3]}'/>").id):
            values = {
                "template_id": template,
                "model": "res.users",
                "res_ids": str(self.own),
                "composition_mode": "mass_mail",
            }
            steps = [create("mail.compose.message", values)]
            text = self.tried_or_done(*steps)
            for composer in self.env["mail.compose.message"].search([]):
                text += self.tried_or_done(call("mail.compose.message", "read", composer.ids))
                text += self.tried_or_done(call("mail.compose.message", "action_send_mail", composer.ids))
            mails = self.env["mail.mail"].search([])
            self.assert_no_way_in(text + str(mails.mapped("body_html")), self.settings_admin)

    def test_no_message_is_posted_with_one(self):
        template = self.template("res.partner", body_html='<t t-out="object._get_signup_url()"/>')
        view = self.env["ir.ui.view"].create(
            {"type": "qweb", "name": "mcp", "key": "mcp.view", "arch": '<t t-out="object._get_signup_url()"/>'}
        )
        for source in (f"env['mail.template'].browse({template.id})", f"env['ir.ui.view'].browse({view.id})"):
            for method in ("message_post_with_source", "message_mail_with_source"):
                self.assert_refused(self.run_code(f"env.user.partner_id.{method}({source})"))

    def test_no_code_makes_one(self):
        values = "{'object': env.user, 'user': env.user}"
        for code in (
            "env.user.partner_id._get_signup_url()",
            "env.user.partner_id.sudo()._generate_signup_token()",
            "env.user.partner_id._get_signup_url_for_action()",
            "env.user.action_reset_password()",
            "env.user.sudo().with_context(create_user=True).action_reset_password()",
            f"env['mail.render.mixin']._render_template('{RESET}', 'res.users', env.user.ids)",
            f"env['ir.qweb']._render({self.xmlid('auth_signup.reset_password_email')}, {values})",
        ):
            self.assert_refused(self.run_code(code))

    def test_a_customer_is_invited_to_the_portal(self):
        """The control: Odoo's own invitation goes to the customer, with a link that works."""
        wizard = self.run_one(create("portal.wizard", {"partner_ids": self.customer.ids}), mode="write")
        line = self.env["portal.wizard"].browse(wizard["records"][0]["id"]).user_ids
        self.patch(self.env.registry["mail.mail"], "unlink", lambda mails: True)
        step = call("portal.wizard.user", "action_grant_access", line.ids)
        mail = self.mails_since(lambda: self.execute(step, mode="run")).filtered("body_html")
        self.assertTrue(self.customer.user_ids)
        self.assertEqual(mail.email_to or mail.recipient_ids.email, "customer@example.org")
        tokens = [token for token in LINK.findall(mail.body_html) if self.partner_of(token)]
        self.assertEqual({self.partner_of(token) for token in tokens}, {self.customer})

    def partner_of(self, token):
        try:
            return self.env["res.partner"]._get_partner_from_token(token)
        except ValueError:
            return None
