from odoo import api, fields, models
from odoo.exceptions import UserError

# What is counted, never written: the form could not, but whoever may write connections over RPC.
COUNTED = ("request_count", "refusal_count", "last_used", "last_ip", "last_client")

# SQL, so that no event is noted and no cached connection is thrown away in the sidecars: nothing of what they know has
# changed. Nor may an entry be refused since a number has become too great for its column.
_COUNT = """
    UPDATE mcp_connection AS connection
       SET request_count = least(connection.request_count::bigint + used.requests, 2147483647),
           refusal_count = least(connection.refusal_count::bigint + used.refusals, 2147483647),
           last_used = greatest(connection.last_used, used.let_in),
           last_ip = coalesce(used.ip, connection.last_ip),
           last_client = coalesce(used.client, connection.last_client)
      FROM (VALUES %s) AS used(id, requests, refusals, let_in, ip, client)
     WHERE connection.id = used.id
"""
_TEMPLATE = "(%(id)s, %(requests)s::bigint, %(refusals)s::bigint, %(let_in)s::timestamp, %(ip)s, %(client)s)"


class McpConnection(models.Model):
    """What a connection was used for, as its audit entries say."""

    _inherit = "mcp.connection"

    request_count = fields.Integer(
        string="Requests",
        default=0,
        readonly=True,
        copy=False,
        help="How many requests the audit log has had of this connection, refused ones included.",
    )
    refusal_count = fields.Integer(
        string="Refusals",
        default=0,
        readonly=True,
        copy=False,
        help="How many of these were refused, such as those over a limit or from a wrong address.",
    )
    last_ip = fields.Char(
        string="Last Address",
        readonly=True,
        copy=False,
        help="Where the last request that was let in came from.",
    )
    last_client = fields.Char(
        readonly=True,
        copy=False,
        help="Name and version that the AI tool last gave itself.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._refuse_counted(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._refuse_counted(vals)
        result = super().write(vals)
        if "active" in vals and not vals["active"]:
            # sudo: whoever may revoke a connection ends its sessions
            sessions = self.env["mcp.session"].sudo()
            sessions.search([("connection_id", "in", self.ids), ("active", "=", True)])._end()
        return result

    def _refuse_counted(self, vals):
        if not self.env.su and any(name in vals for name in COUNTED):
            raise UserError(
                self.env._("What a connection was used for is counted by the MCP server itself and can't be changed.")
            )

    def _count_use(self, rows):
        """Adds audit entries, which are stored in the same transaction, to what was counted before."""
        used = {}
        for row in rows:
            if row["connection_id"]:
                _add(used.setdefault(row["connection_id"], _unused(row["connection_id"])), row)
        if used:
            # in one order everywhere, so that two sidecars don't wait for each other
            ordered = [used[connection_id] for connection_id in sorted(used)]
            self.env.cr.execute_values(_COUNT, ordered, template=_TEMPLATE, page_size=len(ordered))
            self.invalidate_model(COUNTED, flush=False)


def _unused(connection_id):
    return {"id": connection_id, "requests": 0, "refusals": 0, "let_in": None, "ip": None, "client": None}


def _add(use, row):
    use["requests"] += row["count"]
    if row["status"] == "refused":
        use["refusals"] += row["count"]
        return
    if use["let_in"] is None or use["let_in"] <= row["create_date"]:
        use["let_in"] = row["create_date"]
        use["ip"] = row["ip_address"] or use["ip"]
        use["client"] = row["client"] or use["client"]
