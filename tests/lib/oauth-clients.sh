#!/usr/bin/env bash
# tests/lib/oauth-clients.sh: prints the node_modules directory with MCP clients that sign in: both SDKs and mcp-remote.
set -euo pipefail

exec "$(dirname "${BASH_SOURCE[0]}")/npm.sh" oauth-clients \
    @modelcontextprotocol/sdk@1.32.2 \
    @modelcontextprotocol/client@2.4.0 \
    mcp-remote@0.15.1
