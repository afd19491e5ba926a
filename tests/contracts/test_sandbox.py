"""What every sandbox promises, tried from inside by a process that wants out."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import signal
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.bounded_log import BoundedLog
from experiments.child import Cell, Child, RunFailed
from experiments.frames import RESULT, write_frame
from experiments.limits import Limits
from experiments.run import RunStatus
from experiments.sandbox import Confinement, NoSandbox, Sandbox, available_sandboxes
from experiments.sandbox.cuda import THREAD_NAMES
from experiments.sandbox.libraries import library_paths

SANDBOXES = tuple(available_sandboxes().values())
ISOLATING = tuple(sandbox for sandbox in SANDBOXES if sandbox.isolates)
each_sandbox = pytest.mark.parametrize("sandbox", SANDBOXES, ids=lambda s: s.name)
each_isolating = pytest.mark.parametrize("sandbox", ISOLATING, ids=lambda s: s.name)

Try = Callable[[Path], object]


def answer(sandbox: Sandbox, folder: Path, attempt: Try, *, devices: tuple[Path, ...] = ()) -> str:
    """What `attempt(scratch)` gave inside the sandbox, or the type of error it met."""
    named = (THREAD_NAMES,) if devices else ()
    scratch = folder / "scratch"
    scratch.mkdir()
    lifeline, other_end = socket.socketpair()

    def main(inlet: int, outlet: int) -> None:
        try:
            said = repr(attempt(scratch))
        except (OSError, ValueError) as error:
            said = type(error).__name__
        write_frame(outlet, RESULT, said.encode())

    cell = Cell(
        sandbox,
        Confinement(library_paths(), (scratch, *named), devices),
        Limits(cpu_seconds=20, wall_seconds=20),
        scratch,
        lifeline.fileno(),
    )
    child = Child(main, cell, BoundedLog())
    try:
        return next(child.exchange()).payload.decode()
    finally:
        child.kill()
        lifeline.close()
        other_end.close()


def run_thread() -> list[int]:
    """Start a thread, as torch does, and wait for what it found."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(sum(range(100))))
    thread.start()
    thread.join()
    return found


ALLOWED: dict[str, tuple[Try, str]] = {
    "write and read in scratch": (
        lambda scratch: (scratch / "a").write_text("x") and (scratch / "a").read_text(),
        "'x'",
    ),
    "make and remove folders in scratch": (
        lambda scratch: ((scratch / "d").mkdir(), (scratch / "d").rmdir()),
        "(None, None)",
    ),
    "start a thread": (lambda _: run_thread(), "[4950]"),
    "read the standard library": (lambda _: Path(os.__file__).read_text()[:4], '\'r"""\''),
    "draw random bytes": (lambda _: len(os.urandom(8)), "8"),
    "read its own limits": (lambda _: resource.getrlimit(resource.RLIMIT_CORE), "(0, 0)"),
}


@each_sandbox
@pytest.mark.parametrize("name", ALLOWED)
def test_allows_what_training_needs(sandbox: Sandbox, name: str, tmp_path: Path) -> None:
    attempt, expected = ALLOWED[name]
    assert answer(sandbox, tmp_path, attempt) == expected


def syscall(x86_64: int, arm64: int, *arguments: int) -> int:
    """A bare system call; raises OSError as `os` does."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = x86_64 if platform.machine() == "x86_64" else arm64
    result: int = libc.syscall(number, *(ctypes.c_long(value) for value in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def read_outside(scratch: Path) -> str:
    return (scratch.parent / "secret").read_text()


def read_held_out_text(scratch: Path) -> str:
    import sympy

    return Path(sympy.__file__).read_text()


def read_through_link(scratch: Path) -> str:
    (scratch / "link").symlink_to(scratch.parent / "secret")
    return (scratch / "link").read_text()


REFUSED: dict[str, Try] = {
    "read a file outside": read_outside,
    "read the sources that held-out text is cut from": read_held_out_text,
    "read through a link": read_through_link,
    "list a folder outside": lambda scratch: os.listdir(scratch.parent),  # noqa: PTH208
    "write outside": lambda scratch: (scratch.parent / "new").write_text("x"),
    "truncate outside": lambda scratch: os.truncate(scratch.parent / "secret", 0),
    "rename a file outside": lambda scratch: (scratch.parent / "secret").rename(scratch / "s"),
    "change a file's mode outside": lambda scratch: (scratch.parent / "secret").chmod(0o777),
    "read what another process is": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "write another process's memory": lambda _: os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
    "open an internet socket": lambda _: socket.socket(),
    "open a local socket": lambda _: socket.socketpair(),
    "fork": lambda _: os.fork() or os._exit(0),
    "vfork": lambda _: syscall(58, 220),
    "exec": lambda _: os.execv("/bin/true", ["true"]),
    "kill its parent": lambda _: os.kill(os.getppid(), signal.SIGUSR1),
    "kill itself and its group": lambda _: os.kill(0, signal.SIGTERM),
    "trace its parent": lambda _: syscall(101, 117, 16, os.getppid(), 0, 0),
    "read its parent's memory": lambda _: syscall(310, 270, os.getppid(), 0, 0, 0, 0, 0),
    "change its parent's limits": lambda _: resource.prlimit(
        os.getppid(), resource.RLIMIT_CORE, (0, 0)
    ),
    "raise its own limits": lambda _: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
    "outlive its parent": lambda _: syscall(157, 167, 1, 0, 0, 0, 0),
    "aim signals at its parent": lambda _: syscall(72, 25, 0, 8, os.getppid()),
    "start io_uring": lambda _: syscall(425, 425, 1, 0),
    "make memory files": lambda _: os.memfd_create("x"),
    "make pipes to fill": lambda _: os.pipe(),
    "change priorities": lambda _: os.setpriority(os.PRIO_PROCESS, os.getppid(), 5),
    "make a namespace": lambda _: syscall(272, 97, 0x10000000),
    "become another user": lambda _: os.setuid(12345),
}


@each_isolating
@pytest.mark.parametrize("name", REFUSED)
def test_refuses_all_else(sandbox: Sandbox, name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("held out")
    secret.chmod(0o644)
    said = answer(sandbox, tmp_path, REFUSED[name])
    assert said.endswith("Error"), f"it could {name}: {said}"
    assert secret.read_text() == "held out"
    assert secret.stat().st_mode & 0o777 == 0o644
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "scratch"}


DRIVER_CALLS = {"make memory files", "make pipes to fill"}
A_DEVICE = Path("/dev/random")


@each_isolating
@pytest.mark.parametrize("name", sorted(REFUSED.keys() - DRIVER_CALLS))
def test_refuses_the_same_to_a_run_with_a_device(
    sandbox: Sandbox, name: str, tmp_path: Path
) -> None:
    """A device opens its files and its driver's calls, and nothing else."""
    (tmp_path / "secret").write_text("held out")
    said = answer(sandbox, tmp_path, REFUSED[name], devices=(A_DEVICE,))
    assert said.endswith("Error"), f"it could {name}: {said}"


def entropy(path: str) -> int:
    """What `ioctl` answers on a device of the kernel's, opened for reading."""
    descriptor = os.open(path, os.O_RDONLY)
    return struct.unpack("i", fcntl.ioctl(descriptor, 0x80045200, bytes(4)))[0]


def name_a_thread() -> list[str]:
    """Name a thread through the file that the kernel has for it, as a driver does."""
    names: list[str] = []

    def rename() -> None:
        path = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        path.write_text("driver")
        names.append(path.read_text().strip())

    thread = threading.Thread(target=rename)
    thread.start()
    thread.join()
    return names


@each_isolating
def test_only_the_devices_of_a_run_can_be_controlled(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not without one; with one, that one; other device files stay what they were."""
    cases: list[tuple[str, tuple[Path, ...]]] = [
        ("/dev/urandom", ()),
        (str(A_DEVICE), (A_DEVICE,)),
        ("/dev/full", (A_DEVICE,)),
    ]
    said: list[str] = []
    for number, (path, devices) in enumerate(cases):
        (folder := tmp_path / str(number)).mkdir()
        said.append(answer(sandbox, folder, lambda _, path=path: entropy(path), devices=devices))
    assert said[0] == said[2] == "PermissionError"
    assert said[1].isdigit()


@each_isolating
def test_a_run_with_a_device_may_do_what_its_driver_does(sandbox: Sandbox, tmp_path: Path) -> None:
    """Memory files, pipes and names for its threads: without these CUDA does not start."""

    def attempt(scratch: Path) -> tuple[bool, int, list[str]]:
        return os.memfd_create("x") > 0, len(os.pipe()), name_a_thread()

    assert answer(sandbox, tmp_path, attempt, devices=(A_DEVICE,)) == "(True, 2, ['driver'])"


@each_isolating
def test_the_refusals_are_the_sandbox_s(sandbox: Sandbox, tmp_path: Path) -> None:
    """Outside, the same attempts succeed, so the contract above can fail."""
    (tmp_path / "secret").write_text("held out")
    unconfined = available_sandboxes()["none"]
    assert answer(unconfined, tmp_path, read_outside) == "'held out'"
    assert sandbox.name != unconfined.name


@each_isolating
def test_holds_in_threads_too(sandbox: Sandbox, tmp_path: Path) -> None:
    """A thread that starts later is under the same rules."""

    def from_thread(scratch: Path) -> list[str]:
        met: list[str] = []

        def attempt() -> None:
            try:
                socket.socket()
            except OSError as error:
                met.append(type(error).__name__)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        return met

    assert answer(sandbox, tmp_path, from_thread) == "['PermissionError']"


@each_sandbox
def test_a_path_that_is_not_there_is_the_harness_s_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    """Entering either works as asked or fails before any untrusted line."""
    gone = Confinement((tmp_path / "gone",))
    if sandbox.isolates:
        with pytest.raises(FileNotFoundError):
            sandbox.enter(gone)
    else:
        sandbox.enter(gone)


@each_sandbox
def test_limits_hold_inside(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file larger than the run may write cannot be written."""
    said = answer(sandbox, tmp_path, lambda scratch: (scratch / "big").write_bytes(bytes(80 << 20)))
    assert said == "OSError"
    assert (tmp_path / "scratch" / "big").stat().st_size <= 64 << 20


def test_a_sandbox_that_is_refused_runs_nothing(tmp_path: Path) -> None:
    """A child that cannot be confined says so before its main, which never runs."""
    from experiments.child import SetupFailed

    class Refused(NoSandbox):
        name, isolates = "refused", True

        def enter(self, confinement: Confinement) -> None:
            raise OSError(1, "not here")

    with pytest.raises(SetupFailed, match="not here"):
        answer(Refused(), tmp_path, lambda scratch: (scratch / "ran").touch())
    assert not (tmp_path / "scratch" / "ran").exists()


@each_sandbox
def test_a_child_that_says_it_completed_is_not_believed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ending without a result is a crash, whatever the exit status."""
    with pytest.raises(RunFailed) as failure:
        answer(sandbox, tmp_path, lambda _: os._exit(0))
    assert failure.value.status is RunStatus.CRASHED
