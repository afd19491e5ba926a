"""
A confined process, as its supervisor sees it.

The child enters its sandbox before `main` runs, and `main` talks through two
pipes only: `inlet`, from which it reads, and `outlet`, to which it writes
frames. What it prints goes to a third pipe that is read, bounded and never
blocks it.

Law: nothing a child does, or fails to do, makes the supervisor wait without a
limit.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.bounded_log import BoundedLog
from experiments.confined import Main, live
from experiments.frames import FAILURE, READY, Frame, FrameError, FrameReader
from experiments.limits import Limits, scratch_use
from experiments.run import RunStatus
from experiments.sandbox import Confinement, Sandbox

LOOK_EVERY_SECONDS = 0.1
_CHUNK = 1 << 16


class RunFailed(Exception):  # noqa: N818
    """
    The run cannot go on.

    Attributes:
        status: How it ended.
        reason: Why; the last line says it in one.
    """

    def __init__(self, status: RunStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Exited(RunFailed):
    """It ended by itself, with status 0 and without a result."""


class SetupFailed(Exception):  # noqa: N818
    """The child could not be confined, so nothing ran."""


class Abandoned(Exception):  # noqa: N818
    """The node no longer waits for this run."""


@dataclass(frozen=True, slots=True)
class Cell:
    """
    Where a child lives.

    Attributes:
        sandbox: Entered before `main`.
        confinement: What it may reach.
        limits: What it may use up.
        scratch: Its working folder, watched for size.
        lifeline: Descriptor that becomes readable once the node has gone.
        whole_tree: Count memory and processor time of all below the supervisor,
            for what may start processes.
    """

    sandbox: Sandbox
    confinement: Confinement
    limits: Limits
    scratch: Path
    lifeline: int
    whole_tree: bool = False


class Child:
    """
    A forked, confined process that runs `main` and ends.

    Attributes:
        pid: Its process id.
        cpu_seconds: Processor time used, as last looked at.
        peak_memory_bytes: Largest resident size seen.
    """

    def __init__(self, main: Main, cell: Cell, log: BoundedLog) -> None:
        self._cell = cell
        self._log = log
        self._frames = FrameReader(cell.limits.result_bytes)
        self._ready = False
        self._wait_status: int | None = None
        inlet, self._inlet = os.pipe()
        self._outlet, outlet = os.pipe()
        self._printed, printed = os.pipe()
        supervisor = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            live(main, cell, supervisor, (inlet, outlet, printed))
        for descriptor in (inlet, outlet, printed):
            os.close(descriptor)
        self._open = {self._inlet, self._outlet, self._printed}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)
        self._process = psutil.Process(self.pid)
        self.cpu_seconds = 0.0
        self.peak_memory_bytes = 0
        self._next_scratch_look = 0.0
        self.start_clock()

    def start_clock(self, cpu_seconds_spent: float = 0.0) -> None:
        """
        Count wall time from now on: for a child that had to wait for its turn.

        Args:
            cpu_seconds_spent: What others have used of the compute cap.
        """
        self._started_at = self._looked_at = time.monotonic()
        self._cpu_seconds_left = self._cell.limits.cpu_seconds - cpu_seconds_spent

    def exchange(self, outgoing: Iterable[bytes] = (), *, last: bool = False) -> Iterator[Frame]:
        """
        Write `outgoing` to the child while giving the frames it answers.

        Goes on until the caller stops asking, or raises. A child that does not
        read simply gets no more.

        Args:
            outgoing: Chunks, each asked for when the pipe has room.
            last: Let the child see the end of its input after them.

        Raises:
            RunFailed: A limit was hit, or the child failed or ended.
            SetupFailed: It could not be confined.
            Abandoned: The node has gone.
        """
        sending = _Sending(outgoing)
        with selectors.DefaultSelector() as selector:
            selector.register(self._cell.lifeline, selectors.EVENT_READ)
            for descriptor in self._open - {self._inlet}:
                selector.register(descriptor, selectors.EVENT_READ)
            if self._inlet in self._open:
                selector.register(self._inlet, selectors.EVENT_WRITE)
            while True:
                for key, _ in selector.select(LOOK_EVERY_SECONDS):
                    if key.fd == self._cell.lifeline:
                        raise Abandoned
                    if key.fd == self._inlet:
                        if not sending.write_some(self._inlet):
                            selector.unregister(self._inlet)
                            self._close(self._inlet, if_true=last or sending.refused)
                        continue
                    data = self._read(key.fd)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == self._outlet:
                        yield from self._heard(data)
                if self._ended():
                    yield from self._last_words()
                    raise self._verdict()
                self._look()

    def kill(self) -> None:
        """End it at once, reap it and take its last words; may be called again."""
        if self._wait_status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap(os.wait4(self.pid, 0))
        self._read_all(self._printed)
        for descriptor in list(self._open):
            self._close(descriptor)

    def _close(self, descriptor: int, *, if_true: bool = True) -> None:
        if if_true and descriptor in self._open:
            self._open.discard(descriptor)
            os.close(descriptor)

    def _read(self, descriptor: int) -> bytes:
        """What is there now; empty, and the descriptor closed, at its end."""
        data = os.read(descriptor, _CHUNK)
        if not data:
            self._close(descriptor)
        elif descriptor == self._printed:
            self._log.write(data)
        return data

    def _read_all(self, descriptor: int) -> bytes:
        """What a pipe still holds, once its writer is dead; a pipe holds 64 KiB to 1 MiB."""
        pieces: list[bytes] = []
        while descriptor in self._open and len(pieces) < 64:
            try:
                pieces.append(self._read(descriptor))
            except BlockingIOError:
                break
        return b"".join(pieces)

    def _heard(self, data: bytes) -> Iterator[Frame]:
        try:
            for frame in self._frames.feed(data):
                if frame.kind == READY:
                    self._ready = True
                elif frame.kind == FAILURE:
                    raise self._failure(frame.payload)
                else:
                    yield frame
        except FrameError as error:
            raise RunFailed(RunStatus.CRASHED, f"wrote to the harness's pipe: {error}") from error

    def _failure(self, payload: bytes) -> RunFailed | SetupFailed:
        """What the child says of its own failure; only before READY is it to be trusted."""
        name, _, reason = payload.decode(errors="replace").partition("\n")
        if not self._ready:
            return SetupFailed(reason)
        failures = {s.value: s for s in RunStatus if s is not RunStatus.COMPLETED}
        return RunFailed(failures.get(name, RunStatus.CRASHED), reason)

    def _ended(self) -> bool:
        if self._wait_status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._reap((pid, status, usage))
        return self._wait_status is not None

    def _reap(self, waited: tuple[int, int, resource.struct_rusage]) -> None:
        _, self._wait_status, usage = waited
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        unit = 1024 if sys.platform == "linux" else 1
        self.peak_memory_bytes = max(self.peak_memory_bytes, usage.ru_maxrss * unit)

    def _last_words(self) -> Iterator[Frame]:
        self._read_all(self._printed)
        yield from self._heard(self._read_all(self._outlet))

    def _verdict(self) -> RunFailed | SetupFailed:
        """Why a child that ended without a result did so."""
        assert self._wait_status is not None
        code = os.waitstatus_to_exitcode(self._wait_status)
        if not self._ready:
            return SetupFailed(f"ended with status {code} before it was confined")
        if self.cpu_seconds >= self._cpu_seconds_left or code == -signal.SIGXCPU:
            return self._over_cpu()
        if code == -signal.SIGKILL:
            return RunFailed(RunStatus.OUT_OF_MEMORY, "killed by the system: out of memory")
        if code == 0:
            return Exited(RunStatus.CRASHED, "ended without a result")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        return RunFailed(RunStatus.CRASHED, f"ended {how}")

    def _look(self) -> None:
        """Compare what it has used with its limits, now and then."""
        now = time.monotonic()
        if now - self._looked_at < (LOOK_EVERY_SECONDS, 1.0)[self._cell.whole_tree]:
            return
        self._looked_at = now
        memory = 0
        cpu_seconds = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                cpu_seconds += times.user + times.system
                cpu_seconds += times.children_user + times.children_system
                memory += process.memory_info().rss
        self.cpu_seconds = max(self.cpu_seconds, cpu_seconds)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        self._judge(now, memory)

    def _processes(self) -> list[psutil.Process]:
        """Also what left the child's family: orphans come to the supervisor, who adopts them."""
        if not self._cell.whole_tree:
            return [self._process]
        return psutil.Process().children(recursive=True)

    def _judge(self, now: float, memory: int) -> None:
        limits = self._cell.limits
        if self.cpu_seconds > self._cpu_seconds_left:
            raise self._over_cpu()
        if now - self._started_at > limits.wall_seconds:
            reason = f"still running after {limits.wall_seconds:.0f} s"
            raise RunFailed(RunStatus.TIMED_OUT, reason)
        if memory > limits.memory_bytes:
            reason = f"used more than {limits.memory_bytes >> 20} MiB of memory"
            raise RunFailed(RunStatus.OUT_OF_MEMORY, reason)
        if now >= self._next_scratch_look:
            self._next_scratch_look = now + 1.0
            size, files = scratch_use(str(self._cell.scratch))
            if size > limits.scratch_bytes or files > limits.scratch_files:
                reason = f"wrote {files} files with {size >> 20} MiB to its scratch folder"
                raise RunFailed(RunStatus.CRASHED, reason)

    def _over_cpu(self) -> RunFailed:
        cap = self._cell.limits.cpu_seconds
        return RunFailed(RunStatus.TIMED_OUT, f"used the {cap:.1f} CPU-seconds of the compute cap")


class _Sending:
    """Chunks on their way into a pipe that does not block."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._pending = memoryview(b"")
        self.refused = False

    def write_some(self, descriptor: int) -> bool:
        """Write what fits now; False once there is no more to write or nobody to read it."""
        if not self._pending:
            self._pending = memoryview(next(self._chunks, b""))
        if not self._pending:
            return False
        try:
            self._pending = self._pending[os.write(descriptor, self._pending) :]
        except BrokenPipeError:
            self.refused = True
            return False
        return True
