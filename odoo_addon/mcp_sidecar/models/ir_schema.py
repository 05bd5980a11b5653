"""What changes the models and fields that users see tells the sidecars to forget their schemas."""

from odoo import api, models


class SchemaNoted(models.AbstractModel):
    _name = "mcp.schema.noted"
    _description = "Notes changes for the MCP schema"

    @api.model_create_multi
    def create(self, vals_list):
        self.env["mcp.event"]._note("schema")
        return super().create(vals_list)

    def write(self, vals):
        self.env["mcp.event"]._note("schema")
        return super().write(vals)

    def unlink(self):
        self.env["mcp.event"]._note("schema")
        return super().unlink()


class IrModel(models.Model):
    _name = "ir.model"
    _inherit = ["ir.model", "mcp.schema.noted"]


class IrModelFields(models.Model):
    _name = "ir.model.fields"
    _inherit = ["ir.model.fields", "mcp.schema.noted"]


class IrModelFieldsSelection(models.Model):
    _name = "ir.model.fields.selection"
    _inherit = ["ir.model.fields.selection", "mcp.schema.noted"]


class IrModelAccess(models.Model):
    _name = "ir.model.access"
    _inherit = ["ir.model.access", "mcp.schema.noted"]


class IrModuleModule(models.Model):
    _name = "ir.module.module"
    _inherit = ["ir.module.module", "mcp.schema.noted"]
