"""
What any program needs of a system: its programs, their libraries, and this Python.

Nothing of a home, of `/etc` beyond where libraries are, or of `/var`.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/sys/devices/system/cpu")


@cache
def system_paths() -> tuple[Path, ...]:
    """The existing ones, none inside another of them."""
    paths = [Path(path) for path in (*_SYSTEM, *_FILES) if Path(path).exists()]
    for path in _python():
        if path.is_dir() and not any(path.is_relative_to(known) for known in paths):
            paths.append(path)
    return tuple(paths)


def _python() -> Iterator[Path]:
    """Where Python is, where a virtual environment is, and wherever else it has packages."""
    yield from map(Path, (sys.base_prefix, sys.prefix))
    packages = (path for path in sys.path if Path(path).name in ("site-packages", "dist-packages"))
    yield from map(Path, packages)
