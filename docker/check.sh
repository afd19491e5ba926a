#!/bin/sh
# Build the image and run it, with podman; several minutes. Says what failed, or nothing.
#
# Without a registry the base is made here with debootstrap (as root). Each RUN line is
# executed in a chroot, which needs no cgroups; set ISOLATION=oci for a whole container.
#
# Usage: sh docker/check.sh [podman build options]
set -eu
cd "$(dirname "$0")/.."
base=debian:bookworm-slim

if ! podman image exists "$base" && ! podman pull -q "docker.io/library/$base" >/dev/null 2>&1; then
    root=$(mktemp -d)
    debootstrap --variant=minbase bookworm "$root" http://deb.debian.org/debian >/dev/null
    base=localhost/$base
    tar -C "$root" -c . | podman import - "$base" >/dev/null
    rm -rf "$root"
fi
podman build -q --isolation "${ISOLATION:-chroot}" --network host --build-arg "BASE=$base" "$@" \
    -f docker/Dockerfile -t research-swarm .

in_image() {
    mounted=$(podman image mount research-swarm)
    home=$(mktemp -d)
    chown 10001:10001 "$home"
    # The image's own entrypoint and user, in a chroot with a home of its own.
    chroot --userspec=10001:10001 "$mounted" /usr/bin/env -i PATH=/opt/swarm/bin:/usr/bin:/bin \
        HOME=/tmp SWARM_HOME=/tmp/home PYTHONUNBUFFERED=1 "$@"
    podman image umount research-swarm >/dev/null
    rm -rf "$home"
}
in_image swarm --version
