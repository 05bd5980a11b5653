#!/usr/bin/env bash
# tests/lib/npm.sh NAME PACKAGE@VERSION...: prints the node_modules directory with these packages.
set -euo pipefail
# shellcheck source=tests/lib/cache.sh
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

name=$1
shift

fill() {
    local packages=("${@:1:$#-1}") folder=${!#}
    echo "- npm packages: ${packages[*]}"
    # Engines are not checked against the npm at hand: tests run what they install with node.sh.
    npm install --prefix "$folder" --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
        --engine-strict=false "${packages[@]}"
}

apt_ensure_command npm npm
folder=npm/$name-$(fingerprint "$@")
cached "$folder" fill "$@"
echo "$cache/$folder/node_modules"
