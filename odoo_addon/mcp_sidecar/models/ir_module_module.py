from odoo import models


class IrModuleModule(models.Model):
    _name = "ir.module.module"
    _inherit = ["ir.module.module", "mcp.schema.change.mixin"]
