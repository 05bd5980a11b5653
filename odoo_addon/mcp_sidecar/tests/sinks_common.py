"""What the tests of sinks share: an attacker's mailbox, documents with a portal link, and a search for tokens."""

import re

from .gateway_common import call
from .test_ways_out import WaysOutCase

ELSEWHERE = "attacker@example.net"
_TOKEN = re.compile(r"token=([\w-]{20,})")


class SinksCase(WaysOutCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settings_admin.group_ids += cls.env.ref("mail.group_mail_template_editor")
        cls.settings_admin.email = "settings@example.com"
        cls.customer = cls.env["res.partner"].create({"name": "mcp-customer", "email": "customer@example.org"})
        cls.any_proof = cls.proof_of(cls.settings_admin, level="any")
        cls.proof = cls.any_proof

    @classmethod
    def proof_of(cls, user, scope="full", level="any"):
        proof = super().proof_of(user, scope)
        cls.env["mcp.connection"].search([], order="id desc", limit=1).method_level = level
        cls.env.flush_all()
        return proof

    def xmlid(self, name):
        return self.env.ref(name).id


    @classmethod
    def template(cls, model, **values):
        """A template that an administrator has made in Odoo."""
        return cls.env["mail.template"].create(
            {"name": "mcp", "model_id": cls.env["ir.model"]._get_id(model), "subject": "mcp", **values}
        )

    def server_code(self, code, model="res.partner"):
        """A server action that an administrator has made in Odoo, and a call that runs it."""
        action = self.env["ir.actions.server"].create(
            {"name": "mcp", "model_id": self.env["ir.model"]._get_id(model), "state": "code", "code": code}
        )
        return call("ir.actions.server", "run", action.ids)

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
        except Exception as refusal:  # noqa: BLE001, whatever Odoo raises is a refusal here
            return str(refusal)

    def assert_no_way_in(self, text, user):
        """No token in the text opens the user's account."""
        for token in _TOKEN.findall(text or ""):
            try:
                partner = self.env["res.partner"]._get_partner_from_token(token)
            except ValueError:
                continue
            self.assertFalse(partner and user in partner.user_ids, text)
