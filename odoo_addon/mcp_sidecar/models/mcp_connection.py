import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..gateway.auth import method_levels
from ..gateway.policy import call_rules

# Changes of these concern no sidecar.
UNPUBLISHED_FIELDS = {"notes", "last_used"}
_TOOL_NAME = re.compile(r"[a-z0-9_]{1,40}")


class McpConnection(models.Model):
    """An AI tool that acts as one user: whose it is and what it may.

    Its limits, its keys and its usage stand in a file each, as extensions of this model. `create` and `write` are here
    and nowhere else, so that all checks of a change and their order are read in one place.
    """

    _name = "mcp.connection"
    _inherit = "mcp.protected.mixin"
    _description = "MCP Connection"
    _order = "name, id"

    name = fields.Char(
        required=True,
        help="What this connection is for, such as the AI tool and whose it is.",
    )
    user_id = fields.Many2one(
        "res.users",
        required=True,
        index=True,
        ondelete="cascade",
        default=lambda self: self.env.user,
        domain=[("share", "=", False)],
        help="The user that the AI tool acts as: it sees and changes what this user may, and nothing else. "
        "It can't be changed later.",
    )
    kind = fields.Selection(
        [("api_key", "API Key"), ("oauth", "OAuth Client")],
        string="Type",
        required=True,
        default="api_key",
        help="How the AI tool proves who it is. It can't be changed later.",
    )
    scope = fields.Selection(
        [("full", "Full Access"), ("read_only", "Read Only")],
        required=True,
        default="full",
        help="Full Access: all that the user may do. Read Only: nothing can be created, changed, deleted or run.",
    )
    active = fields.Boolean(
        default=True,
        copy=False,
        help="A revoked connection is refused at once and stays in the list.",
    )
    allowed_tools = fields.Text(
        help="Names of the tools this connection may use, one a line. Empty: all tools of its scope.",
    )
    allowed_models = fields.Text(
        help="Technical names of the models this connection may use, one a line, such as res.partner. It then reaches "
        "no other model, neither through a relation nor through what is computed from it; a field that leads to "
        "another model is left out. What a model takes from the one it is built on, as a product variant does from "
        "its product, is there only where that model is listed too. Empty: all models of its user.",
    )
    credential_ids = fields.One2many(
        "mcp.credential",
        "connection_id",
        string="Credentials",
        readonly=True,
        # as the credentials themselves: without a right to these, a connection could not be read as a whole
        groups="mcp_sidecar.group_admin",
        help="What the AI tool may show to be let in. The secret itself is not stored.",
    )
    notes = fields.Text(
        groups="mcp_sidecar.group_admin",
        help="For administrators; neither the connection's user nor an AI tool sees it.",
    )

    # === Constraints ===

    @api.constrains("user_id", "active")
    def _check_user(self):
        # sudo: group membership and archived users are judged for every reader
        for connection in self.sudo():
            if connection.active and not connection.user_id._mcp_may_be_acted_as():
                raise ValidationError(
                    self.env._(
                        "“%s” can't be used for a connection: it takes an active internal user, "
                        "neither OdooBot nor a service account.",
                        connection.user_id.name,
                    )
                )

    @api.constrains("name")
    def _check_name(self):
        for connection in self:
            if not connection.name.strip():
                raise ValidationError(self.env._("A connection needs a name."))

    @api.constrains("allowed_tools")
    def _check_allowed_tools(self):
        for connection in self:
            for name in self._names(connection.allowed_tools):
                if not _TOOL_NAME.fullmatch(name):
                    raise ValidationError(
                        self.env._(
                            "“%s” is not the name of a tool. Write one name a line, such as search_read.",
                            name,
                        )
                    )

    @api.constrains("allowed_models")
    def _check_allowed_models(self):
        for connection in self:
            for number, line in enumerate((connection.allowed_models or "").splitlines(), start=1):
                name = line.strip()
                # an abstract model has no records that could be used
                if name and (name not in self.env.registry or self.env.registry[name]._abstract):
                    raise ValidationError(
                        self.env._(
                            "Allowed Models, line %(number)s: there is no model “%(name)s”. Write one technical name a "
                            "line, such as res.partner.",
                            number=number,
                            name=name,
                        )
                    )

    @api.model
    def _names(self, text):
        return [line.strip() for line in (text or "").splitlines() if line.strip()]

    # === Read, write, delete ===

    def _has_field_access(self, field, operation):
        if field.name == "notes" and call_rules.in_call(self):
            return False
        return super()._has_field_access(field, operation)

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_not_counted(vals)
            self._check_not_granted(vals)
            self._check_not_made(vals)
        connections = super().create([self._with_level(self._with_default_limits(vals)) for vals in vals_list])
        if any(connection.method_level == method_levels.ANY for connection in connections):
            connections._check_may_allow_any()
        connections._check_may_hold_key()
        return connections

    def write(self, vals):
        self._check_not_counted(vals)
        self._check_not_granted(vals)
        self._check_immutable(vals)
        self._check_not_raised_to_any(vals)
        self._check_not_widened(vals)
        vals = self._with_default_limits(vals)
        if losing := self._losing_methods(vals):
            super(McpConnection, losing).write({**vals, "method_level": method_levels.NONE})
        result = super(McpConnection, self - losing).write(vals)
        if vals.keys() - UNPUBLISHED_FIELDS:
            self._publish()
        self._apply_to_grants(vals)
        if "active" in vals and not vals["active"]:
            self._end_sessions()
        return result

    def _check_immutable(self, vals):
        for name in ("user_id", "kind"):
            if name in vals and any(self._fields[name].convert_to_write(c[name], c) != vals[name] for c in self):
                raise UserError(
                    self.env._("User and type of a connection can't be changed: revoke it and create another one.")
                )

    def _end_sessions(self):
        # sudo: revoking a connection ends its sessions
        sessions = self.env["mcp.session"].sudo()
        sessions.search([("connection_id", "in", self.ids), ("active", "=", True)])._end()

    def unlink(self):
        self._publish()
        return super().unlink()

    def _publish(self):
        for connection in self:
            self.env["mcp.event"]._publish("connection", connection.id)

    # === Actions ===

    def action_revoke(self):
        """Refused from now on, on every sidecar, until it is reactivated; an OAuth client loses its tokens."""
        self.write({"active": False})
        return True

    def action_reactivate(self):
        """Accepts the same key again; an OAuth client may log in again."""
        self.write({"active": True})
        return True

    def action_connect_new_tool(self):
        return self.env["ir.actions.act_window"]._for_xml_id("mcp_sidecar.mcp_connect_wizard_action")
