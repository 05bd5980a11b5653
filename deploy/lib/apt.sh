# shellcheck shell=bash
# Debian packages, installed only when they are missing. Sourced by deploy/dev and by tests/lib.

# Run a command as root: directly, or through sudo.
_as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "Need root (or sudo) to run: $*" >&2
        return 1
    fi
}

_apt_get() {
    # Another apt may be at work (unattended upgrades, a second run of ours): wait for its lock.
    _as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

_apt_missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

# apt_ensure PACKAGE...: install those that are not there.
apt_ensure() {
    local missing log
    mapfile -t missing < <(_apt_missing "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "This needs a Debian machine: no apt-get here, and these packages are missing: ${missing[*]}" >&2
        return 1
    fi
    echo "- Debian packages: ${missing[*]}" >&2
    log=$(mktemp)
    # A mirror of some other product may be down: what counts is whether our packages install.
    _apt_get update >"$log" 2>&1 || true
    if ! _apt_get install --no-install-recommends -y "${missing[@]}" >>"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        echo "apt-get could not install: ${missing[*]}" >&2
        return 1
    fi
    rm -f "$log"
}

# apt_ensure_command COMMAND PACKAGE...: install the packages unless the command is there.
apt_ensure_command() {
    local command=$1
    shift
    command -v "$command" >/dev/null || apt_ensure "$@"
}

# PostgreSQL's programs without the system cluster that Debian would create and start.
apt_ensure_postgresql() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return 0
    local rule=/etc/postgresql-common/createcluster.d/odoo-mcp-sidecar.conf result=0
    _as_root mkdir -p "${rule%/*}"
    echo 'create_main_cluster = false' | _as_root tee "$rule" >/dev/null
    apt_ensure postgresql postgresql-client || result=$?
    _as_root rm -f "$rule"
    return $result
}
