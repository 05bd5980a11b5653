from odoo import models


class IrModelFieldsSelection(models.Model):
    _name = "ir.model.fields.selection"
    _inherit = ["ir.model.fields.selection", "mcp.schema.change.mixin"]
