"""What the tests of sinks share: an attacker's mailbox, documents with a portal link, and a search for tokens."""

import re

from .test_escape_attempts import WaysOutCase

ELSEWHERE = "attacker@example.net"
LINK = re.compile(r"token=([\w-]{20,})")


class SinksCase(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings_admin.group_ids += cls.env.ref("mail.group_mail_template_editor")
        cls.settings_admin.email = "settings@example.com"
        cls.customer = cls.env["res.partner"].create({"name": "mcp-customer", "email": "customer@example.org"})

    def xmlid(self, name):
        return self.env.ref(name).id

    @classmethod
    def template(cls, model, **values):
        """A template that an administrator has made in Odoo."""
        return cls.env["mail.template"].create(
            {"name": "mcp", "model_id": cls.env["ir.model"]._get_id(model), "subject": "mcp", **values}
        )

    def mails_since(self, action):
        """The mails that are made while the action runs."""
        before = self.env["mail.mail"].search([]).ids
        action()
        self.env.invalidate_all()
        return self.env["mail.mail"].search([("id", "not in", before)])

    def tried_or_done(self, *steps, **changes):
        """What a call comes to, as one text: its results, or its refusal."""
        try:
            return str(self.execute(*steps, mode="run", **changes))
        except Exception as refusal:
            return str(refusal)

    def assert_no_way_in(self, text, user):
        """No token in the text opens the user's account."""
        for token in LINK.findall(text or ""):
            try:
                partner = self.env["res.partner"]._get_partner_from_token(token)
            except ValueError:
                continue
            self.assertFalse(partner and user in partner.user_ids, text)
