from odoo import models


class IrModelFields(models.Model):
    _name = "ir.model.fields"
    _inherit = ["ir.model.fields", "mcp.schema.change.mixin"]
