import json

from odoo import api, fields, models

KEPT_FOR = "15 minutes"

_ISSUE = """
    INSERT INTO mcp_handle (token, connection_id, user_id, model, context, created)
    VALUES (%s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC')
"""
_FIND = """
    SELECT model, context FROM mcp_handle
     WHERE token = %s AND connection_id = %s AND user_id = %s
       AND created > now() AT TIME ZONE 'UTC' - %s::interval
"""


class McpHandle(models.Model):
    """Context handle: the context of an action that a call was answered, for the calls that fill in its wizard.

    A call names the handle instead of the context, so that none of its keys is chosen by the caller. The rows are
    written by SQL, since what limits AI tools is closed to the ORM while a call runs.
    """

    _name = "mcp.handle"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Handle"
    _log_access = False
    _rec_name = "token"

    token = fields.Char(required=True, help="What a call names to go on with the wizard.")
    # plain, as a foreign key would block a deletion
    connection_id = fields.Integer(required=True, help="The connection that the handle was given to.")
    user_id = fields.Integer(required=True, help="The user that the call was made for.")
    model = fields.Char(required=True, help="The model that the handle is for.")
    context = fields.Text(required=True, help="The context of the action, as JSON.")
    created = fields.Datetime(required=True, index=True, help="When the action was answered.")

    _token_unique = models.UniqueIndex("(token)")

    @api.model
    def _issue(self, token, principal, model_name, context):
        self.env.cr.execute(
            _ISSUE, [token, principal.connection_id, principal.user_id, model_name, json.dumps(context)]
        )

    @api.model
    def _find(self, token, principal):
        """The model and context of a handle that was given to this connection for this user, or None."""
        self.env.cr.execute(_FIND, [token, principal.connection_id, principal.user_id, KEPT_FOR])
        found = self.env.cr.fetchone()
        return found and (found[0], json.loads(found[1]))

    @api.autovacuum
    def _gc_handles(self):
        self.env.cr.execute(
            "DELETE FROM mcp_handle WHERE created < now() AT TIME ZONE 'UTC' - %s::interval", [KEPT_FOR]
        )
