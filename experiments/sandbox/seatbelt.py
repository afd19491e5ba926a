"""
macOS: the sandbox behind `sandbox-exec`, for commands and for forked children.

Written after Apple's profiles and Chromium's; it has not been run, as no machine
with macOS was at hand. `tests/contracts/test_sandbox.py` is to be passed there
before `isolates` may be believed, so `missing` says so until somebody has.

Sources: `man sandbox-exec`; https://chromium.googlesource.com/chromium/src/+/main/sandbox/mac
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.sandbox.system import system_paths

if TYPE_CHECKING:
    from experiments.sandbox import Confinement, Harness

TRY_IT = "RESEARCH_SWARM_TRY_SEATBELT"
_PROGRAM = "/usr/bin/sandbox-exec"
_LIBRARIES = ("/usr/lib", "/System/Library", "/System/Volumes/Preboot/Cryptexes", "/Library/Apple")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_ALWAYS = """(version 1)
(deny default)
(allow sysctl-read)
(allow file-read-metadata)
(allow signal (target self))
(allow process-info* (target self))
"""
_PROGRAMS = """(allow process-fork)
(allow process-exec*)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
"""


class SeatbeltSandbox:
    """Only named files, no network; commands may start programs, children may not."""

    name = "sandbox-exec"
    isolates = True
    serves: frozenset[Harness] = frozenset({"stream", "command"})
    holds = MappingProxyType(
        {
            "network": "none: denied by the profile",
            "files": "system and Python read-only, its own scratch folder",
            "processes": "signals none but its own; of training, starts none",
            "kernel": "services of the system are denied by the profile",
        }
    )

    def missing(self) -> str | None:
        """Why not here: another system than macOS, or nobody has tried it yet."""
        if sys.platform != "darwin":
            return "sandbox-exec needs macOS"
        if not Path(_PROGRAM).exists():
            return f"{_PROGRAM} is not there"
        if TRY_IT not in os.environ:
            return (
                f"it has never been run; set {TRY_IT}=1 and run tests/contracts/test_sandbox.py, "
                "and tell us how it went"
            )
        return None

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """`sandbox-exec` with a profile that lets the command start programs."""
        return [_PROGRAM, "-p", profile(confinement, programs=True), *command]

    def enter(self, confinement: Confinement) -> None:
        """Confine the calling process, and all it starts, for good."""
        error = ctypes.c_char_p()
        text = profile(confinement, programs=False).encode()
        if ctypes.CDLL(None).sandbox_init(text, ctypes.c_uint64(0), ctypes.byref(error)) != 0:
            raise OSError(f"sandbox_init: {(error.value or b'').decode(errors='replace')}")


def profile(confinement: Confinement, *, programs: bool) -> str:
    """
    The rules, in Apple's language for them; all that is not named is denied.

    Args:
        confinement: What may be read and written.
        programs: Whether programs may be started.
    """
    readable = (*map(Path, _LIBRARIES), *system_paths(), *confinement.readable)
    everywhere = _paths((*readable, *confinement.writable))
    devices = " ".join(f"(literal {_quoted(path)})" for path in _DEVICES)
    rules = [
        _ALWAYS + (_PROGRAMS if programs else ""),
        f"(allow file-read* {everywhere} {devices})\n",
        f"(allow file-map-executable {everywhere})\n",
    ]
    if confinement.writable:
        rules.append(f"(allow file-write* {_paths(confinement.writable)})\n")
    return "".join(rules)


def _paths(paths: Iterable[Path]) -> str:
    return " ".join(f"(subpath {_quoted(str(path.resolve()))})" for path in paths)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
