from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError


class McpConnectionKeys(models.AbstractModel):
    """The keys of connections, and who may have them."""

    _name = "mcp.connection.keys"
    _description = "Keys of an MCP Connection"

    may_rotate = fields.Boolean(
        compute="_compute_may_rotate",
        help="Whether the current user may have the key of this connection: it is their own, or they are a Settings "
        "administrator.",
    )

    @api.depends("user_id")
    @api.depends_context("uid")
    def _compute_may_rotate(self):
        for connection in self:
            # the person is meant, whatever sudo this is read with
            connection.may_rotate = connection.sudo(False)._may_hold_key()

    @api.model_create_multi
    def create(self, vals_list):
        connections = super().create(vals_list)
        connections._check_may_hold_key()
        return connections

    @api.model
    def create_api_key(self, name, user_id=None, scope="full"):
        """A new connection of a user; answers its key, which nobody will see again."""
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
                    "whoever holds the key acts as that user."
                )
            )

    def _issue_api_key(self):
        # sudo: nobody may write credentials; the caller's right was checked
        credentials = self.env["mcp.credential"].sudo()
        credentials.search([("connection_id", "=", self.id)]).unlink()
        text = credentials._issue(self, "api_key")
        self._note()
        return text

    def action_rotate_key(self):
        key = self.rotate_api_key()
        return self.env["mcp.credential.show"]._action_show(key, connection=self)
