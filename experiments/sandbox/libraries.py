"""
The folders of Python and torch that training code needs, and no other.

The held-out text is cut from sympy's sources, which lie in the same
site-packages folder as torch. So packages are named one by one, and nothing
that holds site-packages is opened as a whole.
"""

import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_PACKAGES = ("torch", "torchgen", "functorch", "numpy", "numpy.libs", "typing_extensions.py")
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_SYSTEM_FILES = (
    "/dev/null",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
)


@cache
def library_paths() -> tuple[Path, ...]:
    """Existing paths that hold the standard library, torch, numpy and facts about the machine."""
    candidates = (*_standard_library(), *package_paths(_PACKAGES), *map(Path, _SYSTEM_FILES))
    return tuple(dict.fromkeys(path for path in candidates if path.exists()))


def _standard_library() -> Iterator[Path]:
    """Entries of the standard library's folder, without the packages installed inside it."""
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        if Path(folder).is_dir():
            yield from (p for p in Path(folder).iterdir() if p.name not in _PACKAGE_FOLDERS)


def package_paths(names: Iterable[str]) -> tuple[Path, ...]:
    """Where installed packages of these names are; those that are not there are left out."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    paths = (Path(folder) / name for folder in folders for name in names)
    return tuple(path for path in paths if path.exists())
