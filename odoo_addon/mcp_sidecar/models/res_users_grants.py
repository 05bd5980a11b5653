from odoo import fields, models


class ResUsers(models.Model):
    """Preferences: the AI tools that a user has allowed to act in their name."""

    # one file for each side of a large model
    _inherit = "res.users"  # pylint: disable=consider-merging-classes-inherited

    mcp_grant_ids = fields.One2many(
        "mcp.connection",
        "user_id",
        string="AI Tools",
        domain=[("kind", "=", "oauth")],
        readonly=True,
        copy=False,
        groups="mcp_sidecar.group_user",
        help="The AI tools that the user has allowed to act in their name.",
    )

    @property
    def SELF_READABLE_FIELDS(self):
        return [*super().SELF_READABLE_FIELDS, "mcp_grant_ids"]
