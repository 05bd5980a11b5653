from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..gateway.auth import method_levels

# What a connection may use, one name a line; an empty list allows everything.
LISTS = ("allowed_tools", "allowed_models")


class McpConnection(models.Model):
    """Keys of a connection: who may hold one, and who may let the connection do more.

    The holder of a key gains what its connection gains, so that widening takes what holding the key takes. Each MCP
    administrator may take away from each connection, at once.
    """

    # one file for each side of a large model
    _inherit = "mcp.connection"  # pylint: disable=consider-merging-classes-inherited

    may_hold_key = fields.Boolean(
        compute="_compute_may_hold_key",
        help="Whether the current user may have the key of this connection: it is their own, or they are a Settings "
        "administrator.",
    )
    scope_locked = fields.Boolean(
        compute="_compute_locks",
        help="Whether the connection is Read Only and the current user may not give it Full Access.",
    )
    methods_locked = fields.Boolean(
        compute="_compute_locks",
        help="Whether the connection may call no methods and the current user may not allow it.",
    )

    # === Keys ===

    @api.depends("user_id")
    @api.depends_context("uid")
    def _compute_may_hold_key(self):
        for connection in self:
            # the person is meant, even if this is read with sudo
            connection.may_hold_key = connection.sudo(False)._may_hold_key()

    @api.model
    def create_api_key(self, name, user_id=None, scope="full"):
        """A new connection of a user; answers its key, which is shown once."""
        connection = self._create_for_api_key(name, user_id, scope)
        return connection._issue_api_key()

    def rotate_api_key(self):
        """A new key, answered once; the old one stops working with this transaction."""
        self.ensure_one()
        self.check_access("read")
        self._check_may_hold_key()
        if self.kind != "api_key":
            raise UserError(self.env._("Only connections with an API key have a key to rotate."))
        return self._issue_api_key()

    @api.model
    def _create_for_api_key(self, name, user_id, scope, **values):
        self.browse().check_access("create")
        if not isinstance(name, str) or not name.strip():
            raise UserError(self.env._("A connection needs a name."))
        if scope not in list(dict(self._fields["scope"].selection)):
            raise UserError(self.env._("The scope of a connection is “full” or “read_only”."))
        if user_id is not None and not self._is_user(user_id):
            raise UserError(self.env._("There is no user with the id %s.", user_id))
        return self.create(
            {
                "name": name.strip(),
                "user_id": self.env.uid if user_id is None else user_id,
                "kind": "api_key",
                "scope": scope,
                **values,
            }
        )

    @api.model
    def _is_user(self, user_id):
        # True counts as 1, and a record can be browsed by anything
        if not isinstance(user_id, int) or isinstance(user_id, bool):
            return False
        return bool(self.env["res.users"].browse(user_id).exists())

    def _may_hold_key(self):
        """Who gets a key acts as its user: only that user itself and a Settings administrator may."""
        return self.env.is_system() or self.user_id == self.env.user

    def _check_may_hold_key(self):
        if not all(connection._may_hold_key() for connection in self):
            raise AccessError(
                self.env._(
                    "Creating or rotating a key for another user takes a Settings administrator: "
                    "the holder of the key acts as that user."
                )
            )

    def _issue_api_key(self):
        # sudo: no user may write credentials; the caller's right was checked
        credentials = self.env["mcp.credential"].sudo()
        credentials.search([("connection_id", "=", self.id)]).unlink()
        text = credentials._issue(self, "api_key")
        self._publish()
        return text

    def action_rotate_key(self):
        key = self.rotate_api_key()
        return self.env["mcp.credential.show"]._action_show(key, connection=self)

    # === Widening ===

    @api.depends("user_id", "scope", "method_level")
    @api.depends_context("uid")
    def _compute_locks(self):
        for connection in self:
            # what is stored: a choice in the open form can be taken back
            stored = connection._origin
            foreign = bool(stored) and not connection.may_hold_key
            connection.scope_locked = foreign and stored.scope == "read_only"
            connection.methods_locked = foreign and stored.method_level == method_levels.NONE

    def _check_not_widened(self, vals):
        if any(connection._is_widened_by(vals) and not connection._may_hold_key() for connection in self):
            raise AccessError(
                self.env._(
                    "Letting a connection of another user do more takes a Settings administrator or that user: "
                    "you can take away from what it may do, but not add to it."
                )
            )

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
