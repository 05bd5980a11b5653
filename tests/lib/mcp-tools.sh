#!/usr/bin/env bash
# tests/lib/mcp-tools.sh: prints the node_modules directory with the official conformance suite and the Inspector.
set -euo pipefail

exec "$(dirname "${BASH_SOURCE[0]}")/npm.sh" mcp-tools \
    @modelcontextprotocol/conformance@0.2.0-alpha.12 \
    @modelcontextprotocol/inspector@2.12.0
