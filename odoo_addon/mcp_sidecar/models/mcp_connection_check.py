from datetime import timedelta
from uuid import uuid4

from odoo import api, fields, models

from ..gateway.auth import credentials

# A sidecar that has not begun by then has not seen the request.
ANSWER_WITHIN = timedelta(seconds=15)
# How long a check may take, and how long its credential is good for.
LIFETIME = timedelta(seconds=60)


class McpConnectionCheck(models.TransientModel):
    """Connection check: each sidecar looks at itself through its public address, as an AI tool would."""

    _name = "mcp.connection.check"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP Connection Check"
    _order = "id desc"

    reference = fields.Char(required=True, readonly=True, help="What the sidecars know this check by.")
    user_id = fields.Many2one(
        "res.users",
        required=True,
        readonly=True,
        ondelete="cascade",
        help="Who has started the check: the sidecars read the session of this user, and nothing else.",
    )
    requested_at = fields.Datetime(required=True, readonly=True, help="When the check was started.")
    run_ids = fields.One2many(
        "mcp.connection.check.run", "check_id", string="Sidecars", readonly=True, help="The sidecars that take part."
    )
    line_ids = fields.One2many(
        "mcp.connection.check.line", "check_id", string="Results", readonly=True, help="What the sidecars found."
    )
    state = fields.Selection(
        [("waiting", "Waiting"), ("running", "Running"), ("done", "Done"), ("silent", "No answer")],
        compute="_compute_state",
        help="Waiting: no sidecar has taken it up yet. No answer: none did in time.",
    )
    verdict = fields.Selection(
        [("ok", "OK"), ("warning", "Warning"), ("failed", "Failed")],
        compute="_compute_verdict",
        help="The worst of the results.",
    )

    @api.depends("run_ids.done", "requested_at")
    def _compute_state(self):
        for check in self:
            age = fields.Datetime.now() - check.requested_at
            if not check.run_ids:
                check.state = "waiting" if age < ANSWER_WITHIN else "silent"
            elif all(run.done for run in check.run_ids):
                check.state = "done"
            else:
                check.state = "running" if age < LIFETIME else "silent"

    @api.depends("line_ids.status")
    def _compute_verdict(self):
        for check in self:
            found = set(check.line_ids.mapped("status"))
            check.verdict = next((status for status in ("failed", "warning", "ok") if status in found), False)

    def unlink(self):
        # a credential of a check that was never reported must not outlive it
        self.run_ids._end()
        return super().unlink()

    # === For the administrator ===

    @api.model
    def _action_start(self):
        """Starts a check; answers the form that shows what the sidecars find."""
        self.browse().check_access("create")
        check = self.create({"reference": str(uuid4()), "user_id": self.env.uid, "requested_at": fields.Datetime.now()})
        self.env["mcp.event"]._publish("check")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connection Check"),
            "res_model": self._name,
            "res_id": check.id,
            "views": [(False, "form")],
            "target": "new",
        }

    def action_again(self):
        return self._action_start()

    # === For the sidecars ===

    @api.model
    def _pending(self):
        """The newest check that a sidecar may still take up, or none."""
        since = fields.Datetime.now() - ANSWER_WITHIN
        # sudo: the service account may read nothing
        return self.sudo().search([("requested_at", ">", since)], limit=1).reference or None

    @api.model
    def _begin(self, reference, replica, proof):
        """Lets a sidecar take part; answers whether it may. Its key reads the session of the user, for a minute."""
        since = fields.Datetime.now() - LIFETIME
        # sudo: the service account may read nothing
        check = self.sudo().search([("reference", "=", reference), ("requested_at", ">", since)], limit=1)
        if not check or replica in check.run_ids.mapped("replica"):
            return False
        connection = self.env["mcp.connection"].sudo()
        connection = connection.create(
            {
                "name": self.env._("Connection check"),
                "user_id": check.user_id.id,
                "kind": "api_key",
                "scope": "read_only",
                "allowed_tools": "get_session",
            }
        )
        self.env["mcp.credential"].sudo().create(
            {
                "connection_id": connection.id,
                "kind": "api_key",
                "digest": credentials.digest(proof),
                "expires_at": check.requested_at + LIFETIME,
            }
        )
        check.write(
            {"run_ids": [fields.Command.create({"replica": replica, "connection_id": connection.id})]},
        )
        return True

    @api.model
    def _report(self, reference, replica, results):
        """Stores what a sidecar has found, and ends its key. A report of a check that is over is dropped."""
        # sudo: as above
        run = self.env["mcp.connection.check.run"].sudo()
        run = run.search([("check_id.reference", "=", reference), ("replica", "=", replica)], limit=1)
        if run and not run.done:
            run._end()
            lines = [fields.Command.create({"replica": replica, **result}) for result in results]
            run.check_id.write({"line_ids": lines})
