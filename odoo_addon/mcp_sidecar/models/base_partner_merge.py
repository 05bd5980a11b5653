from odoo import models

from ..gateway import transaction
from ..gateway.policy import accounts


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    def _merge(self, partner_ids, dst_partner=None, extra_checks=True):
        """Merging moves users to another contact by SQL, past what `res.users` refuses."""
        if transaction.in_call(self.env.cr):
            # sudo: merging contacts takes no right to see users
            partners = self.env["res.partner"].sudo().with_context(active_test=False).browse(partner_ids)
            accounts.refuse_if_internal(partners.user_ids)
        return super()._merge(partner_ids, dst_partner=dst_partner, extra_checks=extra_checks)
