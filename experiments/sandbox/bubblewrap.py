"""
Bubblewrap: namespaces of one's own, and a file system put together for the purpose.

What is wrapped sees the system's programs and Python read-only and the folders
it was given; an empty network, no process but its own, nothing of the node's
home. All it starts ends with it. Works without root.

Source: https://github.com/containers/bubblewrap
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.sandbox.system import system_paths

if TYPE_CHECKING:
    from experiments.sandbox import Confinement, Harness

_TEMPORARY_BYTES = 256 << 20
_NAMESPACES = ("net", "pid", "mnt", "ipc")
_LOOK = f"import os; print(*(os.readlink('/proc/self/ns/' + name) for name in {_NAMESPACES}))"


class BubblewrapSandbox:
    """For steps that are commands: they start programs, see nothing and reach nobody."""

    name = "bubblewrap"
    isolates = True
    serves: frozenset[Harness] = frozenset({"command"})
    holds = MappingProxyType(
        {
            "network": "none: a network namespace with nothing in it",
            "files": "system and Python read-only, the run's folder; nothing of your home",
            "processes": "sees only its own, all of which end with it",
            "kernel": "not narrowed; no new privileges, no capabilities",
        }
    )

    def missing(self) -> str | None:
        """Why not here: another system, not installed, or namespaces are forbidden."""
        return missing()

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """`bwrap` with all namespaces of its own, ending with whoever starts it."""
        return bwrap(["--die-with-parent"], command, confinement)

    def enter(self, confinement: Confinement) -> None:
        """A process cannot move into new namespaces with what it has in memory."""
        raise OSError(f"{self.name} confines what is started in it, not the caller")


@cache
def missing() -> str | None:
    """Why bubblewrap cannot be used here, in one sentence; None where it can."""
    from experiments.sandbox import Confinement

    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed; on Debian or Ubuntu: apt-get install bubblewrap"
    look = bwrap([], [sys.executable, "-ISc", _LOOK], Confinement(()))
    trial = subprocess.run(look, capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        return f"bubblewrap does not work here: {trial.stderr.strip()}"
    ours = {os.readlink(f"/proc/self/ns/{name}") for name in _NAMESPACES}  # noqa: PTH115
    if shared := ours & set(trial.stdout.split()):
        return f"bubblewrap shares {', '.join(sorted(shared))} with the system here"
    return None


def bwrap(options: list[str], command: list[str], confinement: Confinement) -> list[str]:
    """
    The command line of `bwrap` for a command.

    Args:
        options: Of bwrap's, beside those every use has.
        command: Program and arguments.
        confinement: Its paths are inside what they are outside.
    """
    binds = [("--ro-bind", str(path)) for path in (*system_paths(), *confinement.readable)]
    binds += [("--bind", str(path)) for path in confinement.writable]
    folder = str(confinement.writable[0]) if confinement.writable else "/"
    return [
        "bwrap",
        *("--unshare-all", "--new-session", "--cap-drop", "ALL"),
        *options,
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(_TEMPORARY_BYTES), "--tmpfs", "/tmp"),
        *(word for option, path in binds for word in (option, path, path)),
        *(word for path in map(str, confinement.devices) for word in ("--dev-bind", path, path)),
        *("--chdir", folder, "--setenv", "TMPDIR", "/tmp"),
        "--",
        *command,
    ]
