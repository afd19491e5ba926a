"""
Bubblewrap: for tasks whose steps are commands, which must be able to exec.

A command sees the system's programs and Python read-only and its own folder;
no network, no other process, nothing of the node's home. All it starts ends
with it.

Source: https://github.com/containers/bubblewrap
"""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

NAME = "bubblewrap"
INSIDE = "/task"
_TEMPORARY_BYTES = 256 << 20
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")


@cache
def missing() -> str | None:
    """Why bubblewrap cannot be used here, in one sentence; None where it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed; on Debian or Ubuntu: apt-get install bubblewrap"
    trial = subprocess.run(wrap(["true"], Path("/usr")), capture_output=True, check=False)
    if trial.returncode != 0:
        return f"bubblewrap does not work here: {trial.stderr.decode(errors='replace').strip()}"
    return None


def wrap(command: list[str], folder: Path) -> list[str]:
    """
    The command line that runs `command` isolated, in `folder`, which it sees as /task.

    The empty /tmp comes before what is bound, which may lie below it.

    Args:
        command: Program and arguments.
        folder: The one folder it may write to.
    """
    readable = [path for path in _SYSTEM if Path(path).exists()]
    readable += [p for p in dict.fromkeys((sys.base_prefix, sys.prefix)) if not _covered(p)]
    binds = [word for path in readable for word in ("--ro-bind", path, path)]
    return [
        "bwrap",
        *("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(_TEMPORARY_BYTES), "--tmpfs", "/tmp"),
        *binds,
        *("--bind", str(folder), INSIDE, "--chdir", INSIDE, "--setenv", "TMPDIR", "/tmp"),
        "--",
        *command,
    ]


def _covered(prefix: str) -> bool:
    return any(Path(prefix).is_relative_to(path) for path in _SYSTEM)
