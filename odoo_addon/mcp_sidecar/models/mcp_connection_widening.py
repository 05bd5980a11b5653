from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..gateway.auth import method_levels

# What a connection may use, one name a line; an empty list allows everything.
LISTS = ("allowed_tools", "allowed_models")


class McpConnectionWidening(models.AbstractModel):
    """Who may let a connection do more.

    Whoever holds its key gains what it gains, so that widening takes what holding the key takes. Whoever runs the
    server may still take away from each connection, at once.
    """

    _name = "mcp.connection.widening"
    _description = "Widening of an MCP Connection"

    scope_locked = fields.Boolean(
        compute="_compute_locks",
        help="Whether the connection is Read Only and the current user may not give it Full Access.",
    )
    methods_locked = fields.Boolean(
        compute="_compute_locks",
        help="Whether the connection may call no methods and the current user may not allow it.",
    )

    @api.depends("user_id", "scope", "method_level")
    @api.depends_context("uid")
    def _compute_locks(self):
        for connection in self:
            # what is stored: a choice in the open form can be taken back
            stored = connection._origin
            foreign = bool(stored) and not connection.may_rotate
            connection.scope_locked = foreign and stored.scope == "read_only"
            connection.methods_locked = foreign and stored.method_level == method_levels.NONE

    def write(self, vals):
        if any(connection._is_widened_by(vals) and not connection._may_hold_key() for connection in self):
            raise AccessError(
                self.env._(
                    "Letting a connection of another user do more takes a Settings administrator or that user: "
                    "you can take away from what it may do, but not add to it."
                )
            )
        return super().write(vals)

    def _is_widened_by(self, vals):
        return (
            (self.scope == "read_only" and vals.get("scope", "read_only") != "read_only")
            or bool(self._levels_raised_by(vals))
            or any(self._gains(name, vals[name]) for name in LISTS if name in vals)
        )

    def _gains(self, name, text):
        before = set(self._names(self[name]))
        after = set(self._names(self._fields[name].convert_to_cache(text, self)))
        return bool(before) and (not after or not after <= before)
