#!/usr/bin/env bash
# tests/lib/venv.sh NAME REQUIREMENT...: prints the Python of a virtual environment with these packages.
set -euo pipefail
# shellcheck source=tests/lib/cache.sh
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

name=$1
shift

fill() {
    local requirements=("${@:1:$#-1}") folder=${!#}
    echo "- Python packages: ${requirements[*]}"
    # The machine's own Python, whatever version manager comes first in PATH.
    /usr/bin/python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --no-input "${requirements[@]}"
}

apt_ensure python3 python3-venv
folder=venvs/$name-$(fingerprint "$@")
cached "$folder" fill "$@"
echo "$cache/$folder/bin/python"
