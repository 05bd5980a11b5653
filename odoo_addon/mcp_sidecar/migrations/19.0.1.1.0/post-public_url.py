"""The address that AI tools were given before is confirmed, so that the upgrade changes nothing."""

from odoo import SUPERUSER_ID, api

from odoo.addons.mcp_sidecar.gateway.sync import public_urls


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    settings = env["mcp.server.settings"].search([], limit=1)
    replicas = env["mcp.replica"].search([("public_url", "!=", False)], order="last_seen desc, id desc")
    # as was chosen before: of those that were there lately the newest
    chosen = (replicas.filtered("alive").sorted("id", reverse=True) or replicas)[:1]
    if settings and chosen and not settings.public_url:
        settings.public_url = public_urls.normalized(chosen.public_url)
