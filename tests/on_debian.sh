#!/usr/bin/env bash
# Runs a command on a clean Debian of another release, over a fresh clone of HEAD:
#
#   tests/on_debian.sh trixie   'make test'   Debian 13, Python 3.13, glibc 2.41: TFX 1.21
#   tests/on_debian.sh bookworm 'make run'    Debian 12, Python 3.11, glibc 2.36: TFX 1.16
#
# debootstrap makes the release's folder once (two minutes); the clone is made anew each
# time. Needs root. ROOTS is where the folders are, KEEP=1 keeps the clone with its .venv,
# CLEAN=1 makes the folder anew, MIRROR is a mirror of Debian; by default apt's.
set -euo pipefail

release=${1:?which release? trixie or bookworm} command=${2:?which command?}
cd "$(dirname "$0")/.."
project=$PWD
base=${ROOTS:-/var/tmp/debian-roots}/$release
start=$(date +%s)
say() { echo "[$release, $(($(date +%s) - start)) s] $*"; }
fail() { echo "tests/on_debian.sh: $*" >&2; exit 2; }

[ "$(id -u)" = 0 ] || fail "user $(id -un) may not make a root folder; call it as root"
# Two runs in one folder would take the clone away from each other.
mkdir -p "${base%/*}"
exec 9> "$base.lock"
flock --nonblock 9 || fail "another run is using $base; wait for it, or set ROOTS to another folder"
unmount() {
    local folder
    for folder in proc dev/pts dev; do
        ! mountpoint -q "$base/$folder" || umount "$base/$folder"
    done
}
trap unmount EXIT

if [ -n "${CLEAN:-}" ]; then unmount; rm -rf "$base"; fi
if [ ! -e "$base/.ready" ]; then
    command -v debootstrap > /dev/null \
        || { apt-get update -qq && apt-get install -qq -y debootstrap > /dev/null; } \
        || fail "debootstrap is missing and apt-get could not install it; install it"
    # The host's own release: of another one apt knows nothing, but the mirror is the same.
    mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Origin: Debian' 'Component: main' | grep -v security | head -n 1 || true)}
    [ -n "$mirror" ] || fail "apt knows no mirror of Debian; set MIRROR to the address of one"
    say "making $base with debootstrap"
    rm -rf "$base"
    mkdir -p "$base"
    debootstrap --variant=minbase \
        --include=ca-certificates,gcc,g++,git,make,python3,python3-dev,python3-venv \
        "$release" "$base" "$mirror" > "$base.log" 2>&1 \
        || fail "debootstrap failed; the last lines of $base.log: $(tail -n 3 "$base.log")"
    rm -rf "$base"/var/cache/apt/archives/*.deb
    touch "$base/.ready"
fi

# An installer or a container's engine writes this file, debootstrap not for every release.
# Without it `localhost` has no address, and TFX's and Beam's local servers bind to it.
[ -s "$base/etc/hosts" ] || echo "127.0.0.1 localhost" > "$base/etc/hosts"
cp --remove-destination -L /etc/resolv.conf "$base/etc/resolv.conf"
# The host's certificates and its settings of pip: a proxy may stand on the way.
cp --remove-destination -L /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$base/etc/"
for folder in proc dev dev/pts; do
    mountpoint -q "$base/$folder" || mount --bind "/$folder" "$base/$folder" \
        || fail "cannot mount /$folder in $base; call it where mounting is allowed"
done

if [ -z "${KEEP:-}" ] || [ ! -d "$base/src" ]; then
    rm -rf "$base/src"
    git clone -q "$project" "$base/src"
else
    git -C "$base/src" fetch -q "$project" HEAD
    git -C "$base/src" checkout -q --force FETCH_HEAD
fi

# Of the caller's environment, only how the network is reached.
settings=()
while IFS= read -r line; do settings+=("$line"); done < <(env \
    | grep -iE '^((PIP|UV)_[A-Z_]*(INDEX|CERT|HOST|TIMEOUT)|SSL_CERT_|(https?|no|all)_proxy=)')
say "$command"
status=0
# Without the lock's descriptor: a server that is left behind must not keep it.
chroot "$base" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/bin:/usr/bin:/bin "${settings[@]}" \
    bash -c "cd /src && $command" 9>&- || status=$?
say "ended with exit code $status: $command"
exit $status
