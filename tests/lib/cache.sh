# shellcheck shell=bash
# What the tests download, kept outside the checkout. Sourced by the scripts beside it.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${ODOO_MCP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/odoo-mcp-sidecar}

# shellcheck source=deploy/lib/apt.sh
source "$checkout/deploy/lib/apt.sh"

# cached FOLDER COMMAND...: run the command, which fills $cache/FOLDER, unless an earlier run did so to its end.
# Two runs at once wait for each other; what an interrupted run left is deleted first.
cached() {
    local folder=$cache/$1
    shift
    mkdir -p "$cache/locks" "${folder%/*}"
    (
        flock 9
        [[ ! -e $folder/complete ]] || exit 0
        rm -rf "$folder"
        mkdir -p "$folder"
        # The lock must not live on in a process that the command leaves behind.
        "$@" "$folder" 9>&-
        touch "$folder/complete"
    ) 9>"$cache/locks/tests-${folder##*/}" >&2
}

# fingerprint WORD...: a short name for a list of requirements.
fingerprint() {
    printf '%s\n' "$@" | sha256sum | cut -c1-12
}
