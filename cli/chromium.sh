#!/bin/sh
# Bring the browser that the tests of the page need: Debian's Chromium, as root.
#
# Never fails. Where none can be had it says how to get one, and those tests then say
# why they are skipped. Does nothing where one is found or named in CHROMIUM.
set -eu

say() { printf '%s\n' "$*" >&2; }

if [ -n "${CHROMIUM:-}" ]; then exit 0; fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

# A package list that does not come, or another apt that does not end, must not hold up the tests.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
        -o DPkg::Lock::Timeout=300 "$@" >&2
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing Chromium for the tests of the page (about 100 MB)"
    if apt update && apt install -y --no-install-recommends chromium; then exit 0; fi
fi
say "no Chromium for the tests of the page: install one (Debian: sudo apt-get install chromium) or name it in CHROMIUM"
