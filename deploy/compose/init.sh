#!/bin/bash
# Runs in the official Odoo image, as root, before Odoo starts (docker-compose.yml, service odoo-init).
set -euo pipefail

key_file=/run/service_key/key
# The user of deploy/Dockerfile.
sidecar_uid=10001

# The image's entrypoint waits for the database and adds its options; Odoo itself never runs as root.
odoo() {
    runuser --user odoo --preserve-environment -- env HOME=/var/lib/odoo /entrypoint.sh odoo "$@"
}

odoo --database=odoo --init=base,mcp_sidecar --update=mcp_sidecar --stop-after-init --no-http --log-level=warn

known_key=$(cat "$key_file" 2>/dev/null || true)
export MCP_SERVICE_KEY=$known_key
new_key=$(odoo shell --database=odoo --no-http --log-level=warn </compose/init.py)

if [[ -n $new_key ]]; then
    umask 077
    printf '%s\n' "$new_key" >"$key_file.draft"
    chown "$sidecar_uid" "$key_file.draft"
    mv "$key_file.draft" "$key_file"
    echo "The sidecar has a new key."
fi
