"""
A container by docker or podman, for tasks whose steps are commands.

No image is needed: the container's root is empty, and the system's programs and
Python are mounted into it read-only, as with bubblewrap. An engine that docker
talks to is not below the harness, so the first process inside watches a pipe
and ends the container when the harness does.

Run here under podman 4.3 with runc; under docker it has not been run.

Source: https://docs.podman.io/en/latest/markdown/podman-run.1.html
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.sandbox.system import system_paths

if TYPE_CHECKING:
    from experiments.sandbox import Confinement, Harness

IMAGE = "research-swarm-empty"
_ENGINES = ("podman", "docker")
_MEMORY = "3g"
_PROCESSES = 256
_FILES = 256  # as `experiments.limits`; an engine that asks for more than it may have fails
_TRIAL_SECONDS = 60

# Process 1: run the command, end it when the pipe on standard input ends.
_WATCH = """
exec 3<&0
"$@" </dev/null 3<&- &
work=$!
{ cat <&3 >/dev/null; kill -KILL $work; } 2>/dev/null &
exec 3<&-
wait $work
"""
# Descriptor 3 of what is wrapped is the harness's pipe.
_CONNECT = 'exec "$@" <&3'
# How the engine finds its daemon, its settings and its state; commands do not see them.
_ENGINE_S = ("DOCKER_HOST", "CONTAINER_HOST", "CONTAINERS_CONF", "XDG_RUNTIME_DIR")
# Variables that the engine copies from its own environment.
_KEPT = ("PATH", "LANG", "SWARM_SEED", "PYTHONPATH", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


class ContainerSandbox:
    """For steps that are commands, where an engine for containers answers."""

    name = "container"
    isolates = True
    serves: frozenset[Harness] = frozenset({"command"})
    holds = MappingProxyType(
        {
            "network": "none: --network none",
            "files": "system and Python read-only, the run's folder; nothing of your home",
            "processes": f"sees only its own, at most {_PROCESSES}",
            "kernel": "the engine's seccomp profile; no new privileges, no capabilities",
            "memory": f"{_MEMORY} by a control group",
        }
    )

    def missing(self) -> str | None:
        """Why not here: no engine, or none that answers and can start a container."""
        return _engine_or_reason()[1]

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """The engine's `run`, with the harness's pipe as standard input."""
        engine, reason = _engine_or_reason()
        if engine is None:
            raise OSError(reason)
        settings = [f"{name}={os.environ[name]}" for name in _ENGINE_S if name in os.environ]
        run = _run(engine, command, confinement)
        return ["sh", "-c", _CONNECT, "sh", "env", *settings, *run]

    def enter(self, confinement: Confinement) -> None:
        """A process cannot move into a container with what it has in memory."""
        raise OSError(f"{self.name} confines what is started in it, not the caller")


@cache
def _engine_or_reason() -> tuple[str | None, str | None]:
    """The first engine that runs a container here, else why none does."""
    from experiments.sandbox import Confinement

    reasons: list[str] = []
    for engine in filter(shutil.which, _ENGINES):
        if (problem := _try(_prepare(engine))) is None:
            problem = _try(_run(engine, ["/bin/sh", "-c", "exit 0"], Confinement(())))
        if problem is None:
            return engine, None
        reasons.append(f"{engine} is installed but cannot run a container: {problem}")
    return None, "; ".join(reasons) or "neither podman nor docker is installed"


def _prepare(engine: str) -> list[str]:
    """podman takes an empty folder as root; docker wants an image, made of an empty archive."""
    if engine == "podman":
        return ["true"]
    return ["sh", "-c", f"head -c 10240 /dev/zero | docker import - {IMAGE}"]


def _try(command: list[str]) -> str | None:
    """None where the command works, else the last line it says."""
    try:
        trial = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {_TRIAL_SECONDS} s"
    said = trial.stderr.strip().splitlines() or [f"status {trial.returncode}"]
    return None if trial.returncode == 0 else said[-1][:300]


def _run(engine: str, command: list[str], confinement: Confinement) -> list[str]:
    folder = str(confinement.writable[0]) if confinement.writable else "/"
    mounts = [f"{path}:{path}:ro" for path in (*system_paths(), *confinement.readable)]
    mounts += [f"{path}:{path}" for path in confinement.writable]
    root = ["--rootfs", _empty_folder().name] if engine == "podman" else [IMAGE]
    user = () if engine == "podman" else ("--user", f"{os.getuid()}:{os.getgid()}")
    return [
        *(engine, "run", "--rm", "-i", "--network", "none", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--pids-limit", str(_PROCESSES), "--memory", _MEMORY, "--cpus", "1"),
        *("--ulimit", f"nofile={_FILES}:{_FILES}", "--ulimit", f"nproc={_PROCESSES}:{_PROCESSES}"),
        *("--tmpfs", "/tmp:size=256m", "--workdir", folder, *user),
        *(word for mount in mounts for word in ("-v", mount)),
        *(word for name in (*_KEPT, "TMPDIR=/tmp") for word in ("-e", name)),
        *root,
        *("/bin/sh", "-c", _WATCH, "sh", *command),
    ]


@cache
def _empty_folder() -> tempfile.TemporaryDirectory[str]:
    """A root for podman, in which it makes the places to mount on; removed at the end."""
    return tempfile.TemporaryDirectory(prefix="research-swarm-root-")
