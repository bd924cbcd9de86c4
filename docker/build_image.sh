#!/bin/bash
# Builds the pipeline's image without a Docker engine, and tests it.
#
#   docker/build_image.sh [FOLDER]      default: build/image; needs some 15 GB
#   RELEASE=trixie docker/build_image.sh
#
# RELEASE determines the TFX line: bookworm (the default) has Python 3.11 and so TFX 1.16,
# trixie Python 3.13 and TFX 1.21. debootstrap makes the base from apt's Debian mirror;
# buildah runs the Dockerfile in it with chroot isolation. Needs root, Debian's packages
# buildah and debootstrap. This machine's package indexes and certificates are passed on to
# pip and uv.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-build/image}")
release=${RELEASE:-bookworm}
image=localhost/crossctr:$release
base=localhost/crossctr-base:$release

for program in buildah debootstrap; do
    command -v $program > /dev/null || {
        echo "$program is missing; run: apt-get install --yes buildah debootstrap" >&2
        exit 2
    }
done
[ "$(id -u)" = 0 ] || { echo "needs root, as debootstrap and chroot do" >&2; exit 2; }
mkdir -p "$folder"
start=$(date +%s)
say() { echo "[$(($(date +%s) - start)) s] $*"; }

# vfs works on every file system; overlay would need kernel support inside a container.
tool() { buildah --root "$folder/storage" --runroot "$folder/state" --storage-driver vfs "$@"; }
export BUILDAH_ISOLATION=chroot

if ! tool inspect --type image $base > /dev/null 2>&1; then
    # The host's own release: of another one apt knows nothing, but the mirror is the same.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Origin: Debian' 'Component: main' | grep -v security | head -n 1 || true)
    [ -n "$mirror" ] || { echo "apt knows no mirror of Debian; run apt-get update" >&2; exit 2; }
    say "making the base, Debian $release, with debootstrap"
    rm -rf "$folder/base"
    debootstrap --variant=minbase \
        --include=ca-certificates,python3,python3-dev,python3-venv \
        $release "$folder/base" "$mirror" > "$folder/debootstrap.log" 2>&1 \
        || { tail -n 20 "$folder/debootstrap.log" >&2; exit 1; }
    rm -rf "$folder"/base/var/cache/apt/archives/*.deb
    container=$(tool from scratch)
    tool add --quiet "$container" "$folder/base" / > /dev/null
    tool config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    tool commit --quiet --rm "$container" $base > /dev/null
    rm -rf "$folder/base"
fi

say "building $image from docker/Dockerfile"
arguments=(--build-arg "BASE=$base" --volume /etc/ssl/certs:/etc/ssl/certs:ro)
for name in PIP_INDEX_URL UV_INDEX_URL PIP_CERT SSL_CERT_FILE; do
    [ -z "${!name:-}" ] || arguments+=(--build-arg "$name=${!name}")
done
tool build --format docker --file docker/Dockerfile --ignorefile docker/Dockerfile.dockerignore \
    --target pipeline --tag $image "${arguments[@]}" .

say "trying it"
container=$(tool from --pull-never $image)
trap 'tool rm "$container" > /dev/null' EXIT
inside() { tool run --volume "$PWD/tests/pipeline/feeds_ads.py:/opt/feeds_ads.py:ro" "$container" -- "$@"; }
inside id
inside crossctr --help
inside python -c '
import json
from pathlib import Path

listed = json.loads(Path("/opt/crossctr/sbom.cdx.json").read_text())["components"]
names = {component["name"] for component in listed}
assert {"crossctr", "tfx"} <= names, names
unneeded = {"jupyterlab", "notebook", "pytest", "mypy", "uv", "pip-audit"} & names
assert not unneeded, unneeded
print(f"{len(names)} packages in the list of the image")
'
inside python -c '
import sys
from pathlib import Path

sys.path.insert(0, "/opt")
import feeds_ads

folder = Path.home() / "trial"
folder.mkdir()
feeds_ads.prepare(
    folder,
    levels={
        "tpm": {"every_days": 1, "window_days": 2, "snapshots": 1},
        "cpm": {"every_days": 1, "window_days": 2},
        "target": {"window_days": 2},
    },
    gate=feeds_ads.OPEN_GATE,
)
'
inside crossctr run trial/config.yaml --day 2022-06-04
inside sh -c 'ls trial/serving/*/*'
say "$image is in $folder/storage; copy it to a registry or a Docker engine with"
echo "  buildah --root $folder/storage --storage-driver vfs push $image docker-archive:crossctr.tar"
