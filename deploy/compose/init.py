"""Read by `odoo shell`: prints a new key for the sidecar, or nothing if the one it has still works."""

import os

env = globals()["env"]

# A fresh database lets everybody in who knows the default.
admin = env.ref("base.user_admin")
env.cr.execute("SELECT password FROM res_users WHERE id = %s", [admin.id])
[password] = env.cr.fetchone()
if env["res.users"]._crypt_context().verify("admin", password):
    admin.password = os.environ["ODOO_ADMIN_PASSWORD"]

known = os.environ["MCP_SERVICE_KEY"]
service = env.ref("mcp_sidecar.user_service")
key = ""
if not known or env["res.users.apikeys"]._check_credentials(scope="rpc", key=known) != service.id:
    settings = env["mcp.server.settings"].get_settings()
    key = settings.generate_service_key()
    # Odoo wakes sidecars up only at the address they come from, or at names on this list.
    settings.wake_hosts = settings.wake_hosts or "sidecar"
env.cr.commit()
print(key)
