from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..gateway.auth import method_levels

METHOD_LEVELS = [(method_levels.NONE, "None"), (method_levels.BUTTONS, "Buttons"), (method_levels.ANY, "Any Method")]


class McpConnectionMethods(models.AbstractModel):
    """Which methods a connection may call, and who may let it call any."""

    _name = "mcp.connection.methods"
    _description = "Methods of an MCP Connection"

    method_level = fields.Selection(
        METHOD_LEVELS,
        required=True,
        default=method_levels.BUTTONS,
        help="Which methods of Odoo the AI tool may run on records, if the scope is Full Access. None: it reads, "
        "creates, changes and deletes, and runs nothing. Buttons: what its user could press in Odoo's own forms and "
        "lists right now, and a few harmless methods beside that. Any Method: each public method, including those "
        "that Odoo shows to no user; only a Settings administrator can choose it, for an AI tool that is trusted as "
        "much as that user. With allowed models a new connection gets None.",
    )

    @api.model
    def _method_levels(self):
        """The levels that the current user may choose, with their names."""
        named = self._fields["method_level"]._description_selection(self.env)
        return [level for level in named if level[0] != method_levels.ANY or self.env.is_system()]

    @api.onchange("allowed_models")
    def _onchange_allowed_models(self):
        # as `write` would, so that it is seen before it is saved
        if self._names(self.allowed_models) and not self._names(self._origin.allowed_models):
            self.method_level = method_levels.NONE

    @api.model_create_multi
    def create(self, vals_list):
        connections = super().create([self._with_level(vals) for vals in vals_list])
        if any(connection.method_level == method_levels.ANY for connection in connections):
            self._check_may_allow_any()
        return connections

    @api.model
    def _with_level(self, vals):
        """The values of a new connection: with allowed models it calls no methods unless they say so."""
        if "method_level" not in vals and self._names(vals.get("allowed_models")):
            return {**vals, "method_level": method_levels.NONE}
        return vals

    def write(self, vals):
        if any(method_levels.ANY in connection._levels_raised_by(vals) for connection in self):
            self._check_may_allow_any()
        confined = self.browse()
        if "method_level" not in vals and self._names(vals.get("allowed_models")):
            # a method reaches past the list that begins here
            confined = self.filtered(lambda connection: not self._names(connection.allowed_models))
        if confined:
            super(McpConnectionMethods, confined).write({**vals, "method_level": method_levels.NONE})
        return super(McpConnectionMethods, self - confined).write(vals)

    def _levels_raised_by(self, vals):
        """The levels that these values raise the connection to: what is stored, and what is in effect."""
        stored = vals.get("method_level") or self.method_level
        effective = method_levels.effective(vals.get("scope", self.scope), stored)
        changes = ((self.method_level, stored), (method_levels.effective(self.scope, self.method_level), effective))
        return [after for before, after in changes if method_levels.is_wider(before, after)]

    @api.model
    def _check_may_allow_any(self):
        if not self.env.is_system():
            raise AccessError(
                self.env._(
                    "Only a Settings administrator can let a connection call any method: such a method may do what "
                    "Odoo offers to no user."
                )
            )
