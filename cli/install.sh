#!/bin/sh
# Make .venv hold this checkout and all it needs, once.
#
# Does nothing, in some milliseconds, when the last installation still stands: a
# stamp in .venv names the checkout, pyproject.toml's checksum and the extra. An
# installation that broke off left no stamp and is taken up again.
#
# Without an NVIDIA GPU on Linux, PyTorch is installed as a CPU build (0.2 GB, not
# several): the one that is installed or offered locally (pip's find-links), else
# the one on PyTorch's own index.
#
# Usage: sh cli/install.sh          what a node needs
#        sh cli/install.sh dev      what the tests and checks need too, Chromium included
set -eu

cd "$(dirname "$0")/.."
extra=${1:-node}
python=.venv/bin/python
stamp=.venv/research-swarm.installed
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

say() { printf '%s\n' "$*" >&2; }

key() { printf '%s %s\n' "$(pwd -P)" "$(cat pyproject.toml cli/install.sh | cksum)"; }

# What dev installs holds all that a node needs.
stands() {
    [ -x "$python" ] && [ -f "$stamp" ] || return 1
    [ "$(sed 1d "$stamp")" = "$(key)" ] || return 1
    case "$(sed 1q "$stamp")/$extra" in dev/* | node/node) return 0 ;; *) return 1 ;; esac
}

# gmp.h lies where clang does not look when Homebrew installed it.
use_homebrew() {
    if [ "$(uname -s)" = Darwin ] && command -v brew >/dev/null 2>&1; then
        CPATH="$(brew --prefix)/include${CPATH:+:$CPATH}"
        LIBRARY_PATH="$(brew --prefix)/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
        export CPATH LIBRARY_PATH
    fi
}

pip() { "$python" -m pip --disable-pip-version-check "$@"; }

wants_cpu_torch() {
    [ "$(uname -s)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1
}

torch_range() { sed -n 's/^ *"\(torch[<>=][^"]*\)",*$/\1/p' pyproject.toml; }

# What pip would do for PyTorch without asking any index: prints "installed", the
# version of a CPU build it was given locally, or nothing.
local_torch() {
    pip -qq install --dry-run --no-deps --no-index --report - "$(torch_range)" 2>/dev/null |
        "$python" -c '
import json, sys
found = [item["metadata"]["version"] for item in json.load(sys.stdin)["install"]]
print("installed" if not found else found[0] if found[0].endswith("+cpu") else "")
' 2>/dev/null || true
}

install_cpu_torch() {
    version=$(local_torch)
    case "$version" in
    installed)
        say "[2/3] PyTorch is installed already"
        return
        ;;
    *+cpu)
        say "[2/3] PyTorch $version, the CPU build offered on this machine"
        if pip -qq install --no-deps --no-index "torch==$version"; then return; fi
        ;;
    esac
    say "[2/3] PyTorch's CPU build from $torch_index (about 0.2 GB)"
    if pip --retries 1 --timeout 20 install --no-deps --index-url "$torch_index" "$(torch_range)" >&2; then
        return
    fi
    say "[2/3] no CPU build to be had there: step 3 takes the default one, which may be several GB"
}

if [ "$extra" = dev ]; then sh cli/chromium.sh; fi
if stands; then exit 0; fi

say "[1/3] looking at this machine"
use_homebrew
base=$(sh cli/preflight.sh)
if ! "$python" -c 'import pip, sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "[1/3] making .venv with $("$base" --version)"
    "$base" -m venv --clear .venv
fi
if wants_cpu_torch; then install_cpu_torch; else say "[2/3] PyTorch's default build for this machine comes with step 3"; fi
say "[3/3] installing research-swarm and about 80 libraries: a minute or two without a word"
case "$extra" in
node) pip -qq install --editable . ;;
*) pip -qq install --editable ".[$extra]" ;;
esac
# libp2p brings trio-typing, whose stubs of an old trio hide trio's own types.
rm -rf .venv/lib/python3.*/site-packages/trio-stubs
printf '%s\n%s\n' "$extra" "$(key)" >"$stamp"
say "[3/3] done"
