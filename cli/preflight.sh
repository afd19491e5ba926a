#!/bin/sh
# Is this machine ready to install? Prints the Python to use on stdout.
#
# Looks for a platform that PyTorch is built for, Python 3.11 or newer with venv,
# and what fastecdsa (pinned by libp2p, without a wheel for every platform) is
# compiled with: a C compiler, Python.h and gmp.h. As root on Debian and Ubuntu it
# installs what is missing. Anywhere else it changes nothing, prints the one
# command to type, and exits 1.
#
# Usage: sh cli/preflight.sh        PYTHON=/path/to/python sh cli/preflight.sh
set -eu

FASTECDSA=fastecdsa==2.3.2

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# stop REASON [COMMAND]
stop() {
    say "research-swarm: $1"
    if [ -n "${2-}" ]; then
        say "Type this, then run the same command again:"
        say ""
        say "    $2"
    fi
    exit 1
}

refuse_unsupported() {
    case "$(uname -s)/$(uname -m)" in
    Linux/x86_64 | Linux/aarch64 | Linux/arm64 | Darwin/arm64) ;;
    Darwin/*) stop "Intel Macs are not supported: PyTorch stopped building for them at 2.2." ;;
    MINGW* | MSYS* | CYGWIN*) stop "Windows is supported inside WSL only." "wsl --install -d Ubuntu" ;;
    *) stop "$(uname -s) on $(uname -m) is not supported: PyTorch is not built for it." ;;
    esac
    if have apk; then stop "Alpine is not supported: PyTorch is not built for musl."; fi
}

package_manager() {
    if [ "$(uname -s)" = Darwin ]; then echo brew && return; fi
    for manager in apt-get dnf pacman; do
        if have "$manager"; then echo "$manager" && return; fi
    done
    echo none
}

# is_python COMMAND LOW HIGH: it runs, and is Python 3.LOW to 3.HIGH.
is_python() {
    "$1" -c "import sys; raise SystemExit(not (3, $2) <= sys.version_info[:2] <= (3, $3))" 2>/dev/null
}

# Prints a Python, or nothing. 3.11 to 3.13 come first: not every dependency has
# a wheel for what is newer.
find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if is_python "$candidate" 11 13; then command -v "$candidate" && return; fi
    done
    for candidate in ${PYTHON:-python3 python3.14}; do
        if is_python "$candidate" 14 99; then command -v "$candidate" && return; fi
    done
}

# includes COMPILER HEADER [FLAG]: the compiler finds the header.
includes() {
    printf '#include <%s>\n' "$2" | "$1" ${3+"$3"} -E -x c - >/dev/null 2>&1
}

# Prints a compiler that has its own library's headers, or nothing. On a Mac, cc
# exists before it works; only xcode-select knows.
find_compiler() {
    if [ "$(uname -s)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then return; fi
    for candidate in ${CC-} cc gcc clang; do
        if have "$candidate" && includes "$candidate" stdlib.h; then echo "$candidate" && return; fi
    done
}

# missing_build_parts PYTHON: of compiler, Python.h and gmp.h, those not here.
missing_build_parts() {
    compiler=$(find_compiler)
    if [ -z "$compiler" ]; then echo compiler Python.h gmp.h && return; fi
    folder=$("$1" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    includes "$compiler" Python.h "-I$folder" || echo Python.h
    includes "$compiler" gmp.h || echo gmp.h
}

wheel_exists() {
    "$1" -m pip --retries 1 --timeout 10 install --quiet --dry-run --ignore-installed \
        --no-deps --only-binary=:all: "$FASTECDSA" >/dev/null 2>&1
}

# missing_parts [PYTHON]: what stands in the way of an installation, as words.
missing_parts() {
    if [ -z "$1" ]; then echo python venv compiler Python.h gmp.h && return; fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null || echo venv
    build_parts=$(missing_build_parts "$1")
    if [ -n "$build_parts" ] && ! wheel_exists "$1"; then echo "$build_parts"; fi
}

# python_version [PYTHON]: how packages call it, such as 3 or 3.12.
python_version() {
    case "$1" in
    *python3.*) echo "${1##*python}" ;;
    '') if have python3; then echo 3.11; else echo 3; fi ;;
    *) echo 3 ;;
    esac
}

# package MANAGER PART VERSION: nothing where the part comes with another.
package() {
    case "$1/$2" in
    apt-get/python) echo "python$3" ;;
    apt-get/venv) echo "python$3-venv" ;;
    apt-get/compiler) echo build-essential ;;
    apt-get/Python.h) echo "python$3-dev" ;;
    apt-get/gmp.h) echo libgmp-dev ;;
    dnf/python) echo "python$3" ;;
    dnf/compiler) echo gcc ;;
    dnf/Python.h) echo "python$3-devel" ;;
    dnf/gmp.h) echo gmp-devel ;;
    pacman/python) echo python ;;
    pacman/compiler) echo base-devel ;;
    pacman/gmp.h) echo gmp ;;
    brew/python) echo python@3.12 ;;
    brew/gmp.h) echo gmp ;;
    esac
}

# install_command MANAGER PYTHON PART...: the one line that brings the parts.
install_command() {
    manager=$1
    version=$(python_version "$2")
    shift 2
    names=
    for part in "$@"; do
        name=$(package "$manager" "$part" "$version")
        names="$names${name:+ $name}"
    done
    sudo=
    if [ "$(id -u)" != 0 ]; then sudo="sudo "; fi
    case "$manager" in
    apt-get) echo "${sudo}apt-get install -y$names" ;;
    dnf) echo "${sudo}dnf install -y$names" ;;
    pacman) echo "${sudo}pacman -S --needed$names" ;;
    brew)
        tools=
        case " $* " in *" compiler "*) tools="xcode-select --install" ;; esac
        echo "$tools${tools:+${names:+; }}${names:+brew install$names}"
        ;;
    esac
}

# install_on_debian COMMAND
install_on_debian() {
    say "[system] $1"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && sh -c "$1"; } >&2 || stop "that failed." "$1"
}

refuse_unsupported
manager=$(package_manager)
python=$(find_python)
# The words are split on purpose: a part is one word.
# shellcheck disable=SC2046
set -- $(missing_parts "$python")
if [ $# -gt 0 ] && [ "$manager" = apt-get ] && [ "$(id -u)" = 0 ]; then
    install_on_debian "$(install_command apt-get "$python" "$@")"
    python=$(find_python)
    # shellcheck disable=SC2046
    set -- $(missing_parts "$python")
fi
if [ $# -gt 0 ]; then
    wanted="Missing here: $*."
    case " $* " in *" python "*) wanted="Python 3.11 or newer is needed, with a C compiler and gmp.h." ;; esac
    if [ "$manager" = none ]; then
        stop "$wanted No package manager known here: install Python 3.11 with its headers, a C compiler and libgmp."
    fi
    stop "$wanted" "$(install_command "$manager" "$python" "$@")"
fi
echo "$python"
