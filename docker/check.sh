#!/bin/sh
# Build the image with podman and run it as compose.yaml would; several minutes, as root.
#
# Without a registry the base is made here with debootstrap. Each RUN line is executed
# in a chroot, which needs no cgroups, and so is what is run afterwards: the image
# read-only, its volumes and /tmp mounted, user 10001, but the machine's own network.
#
# Usage: sh docker/check.sh [podman build options]
#        sh docker/check.sh run        the image that is built already
set -eu
cd "$(dirname "$0")/.."

build() {
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
}

# become HOME COMMAND...: this very shell becomes the command, so that it can be killed
become() {
    SWARM_HOME=$1
    shift
    exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i PATH=/opt/swarm/bin:/usr/bin:/bin \
        HOME=/data SWARM_HOME="$SWARM_HOME" PYTHONUNBUFFERED=1 SWARM_NETWORK__MDNS=false "$@"
}

in_image() { (become "$@"); }

clean_up() {
    kill ${observer-} ${node-} 2>/dev/null
    wait
    for place in tmp invite data proc dev; do umount "$root/$place" 2>/dev/null || true; done
    podman image umount research-swarm >/dev/null
    rm -rf "$volumes"
}

# within SECONDS COMMAND...: until it succeeds
within() {
    left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then echo "never came true: $*" >&2 && return 1; fi
        sleep 1
    done
}

run() {
    root=$(podman image mount research-swarm)
    volumes=$(mktemp -d)
    trap clean_up EXIT
    chmod 711 "$volumes"
    mkdir -p "$volumes/data/observer" "$volumes/data/ann" "$volumes/invite"
    chown -R 10001:10001 "$volumes/data" "$volumes/invite"
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount --bind "$volumes/data" "$root/data"
    mount --bind "$volumes/invite" "$root/invite"
    mount -t tmpfs -o size=256m tmpfs "$root/tmp"
    listen="--listen /ip4/127.0.0.1/tcp/0"
    in_image /data/observer swarm --version
    in_image /data/observer swarm topic create lab --task quick >/dev/null
    become /data/observer swarm start --topic lab --observe --api off $listen >/dev/null &
    observer=$!
    within 60 in_image /data/observer sh -c "swarm status --json | grep -q '\"running\": true'"
    in_image /data/observer sh -c \
        "swarm invite --topic lab --expires never | tail -n 1 > /invite/lab"
    become /data/ann sh -c "swarm join - --yes < /invite/lab >/dev/null &&
        exec swarm start --topic lab --workers 1 --api off $listen" >"$volumes/log" 2>&1 &
    node=$!
    within 180 grep -q baseline "$volumes/log"
    in_image /data/observer swarm doctor --network --json | grep '"peers": 1'
    echo "the image is built and two of its nodes met on a private topic; one trains"
}

if [ "${1-}" != run ]; then build "$@"; fi
run
