from odoo import api, models


class McpSchemaChangeMixin(models.AbstractModel):
    """Schema invalidation: each change of these records publishes an event, so that sidecars refetch their schemas."""

    _name = "mcp.schema.change.mixin"
    _description = "MCP Schema Change Mixin"

    @api.model_create_multi
    def create(self, vals_list):
        self.env["mcp.event"]._publish("schema")
        return super().create(vals_list)

    def write(self, vals):
        self.env["mcp.event"]._publish("schema")
        return super().write(vals)

    def unlink(self):
        self.env["mcp.event"]._publish("schema")
        return super().unlink()
