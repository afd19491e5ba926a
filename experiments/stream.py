"""
The node's side of the warm forkserver: orders out, answers in.

The node itself never imports torch. The forkserver starts with the first run
and again whenever it has died. A run is abandoned, and all its processes end,
by closing its socket: that also happens when the node is killed.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import trio

from experiments.harness import Caps, ReportProgress, SupervisorLost
from experiments.orders import (
    MAX_ANSWER_BYTES,
    Broken,
    RunOrder,
    answer_from_line,
    order_to_line,
)
from experiments.run import RunnerError, RunRequest, RunResult
from experiments.sandbox import Confinement, Sandbox, cuda
from swarm.task import Task

START_SECONDS = 180.0
_OURS = Path(__file__).resolve().parents[1]
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def child_environment() -> dict[str, str]:
    """
    The little of the node's environment that its children see: no keys, one thread, no GPU.

    A run that has a seat on a GPU names it for itself.
    """
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    threads = dict.fromkeys(_ONE_THREAD, "1")
    return kept | threads | {"PYTHONPATH": str(_OURS), "CUDA_VISIBLE_DEVICES": ""}


class StreamHarness:
    """
    Trains and scores trees that hold a `train.py`.

    Args:
        prepare: The task's frozen `prepare.py`.
        cache: Where it keeps the corpus.
        budget_tokens: How many tokens a run is streamed.
        context: Tokens a window trains on.
        eval_bytes: How much held-out text is scored.
        sandbox: Wrapped around the forkserver, and entered by every child that runs
            a tree's code.
        niceness: Added to the priority of all processes.
        scratch: Folder of the runs' files and of what the forkserver itself has to say.
        device_kind: torch's word for the devices that runs may have a seat on; "" for none.
    """

    def __init__(
        self,
        *,
        prepare: Path,
        cache: Path,
        budget_tokens: int,
        context: int,
        eval_bytes: int,
        sandbox: Sandbox,
        niceness: int,
        scratch: Path,
        device_kind: str = "",
    ) -> None:
        self._prepare = prepare
        self._cache = cache
        self._budget_tokens = budget_tokens
        self._context = context
        self._eval_bytes = eval_bytes
        self._sandbox = sandbox
        self._niceness = niceness
        self._scratch = scratch
        self._device_kind = device_kind
        self._log = scratch / "forkserver.log"
        self._lock = trio.Lock()
        self._server: trio.Process | None = None
        self._orders: trio.socket.SocketType | None = None

    @property
    def isolation(self) -> str:
        """Name of the sandbox."""
        return self._sandbox.name

    @property
    def isolates(self) -> bool:
        """Whether the sandbox holds strangers' code."""
        return self._sandbox.isolates

    @property
    def forkserver_pid(self) -> int | None:
        """Process id of the forkserver; None before the first run."""
        return self._server.pid if self._server is not None else None

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        """Run the request's tree once; see `experiments.harness.Harness`."""
        order = RunOrder(
            work=str(work),
            scratch=str(scratch),
            prepare=str(self._prepare),
            cache=str(self._cache),
            seed=request.seed,
            budget_tokens=self._budget_tokens,
            context=self._context,
            eval_bytes=self._eval_bytes,
            exams=request.exams,
            probe=request.probe,
            sandbox=self._sandbox.name,
            cpu_seconds=caps.cpu_seconds,
            wall_seconds=caps.wall_seconds,
            memory_bytes=caps.memory_bytes,
            against=request.against,
            seat=caps.seat,
        )
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                await self._send(order, theirs)
            return await read_answers(ours, progress)

    async def _send(self, order: RunOrder, answers: socket.socket) -> None:
        async with self._lock:
            orders = await self._ensure_server()
            attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", answers.fileno()))]
            line = order_to_line(order)
            try:
                sent = await orders.sendmsg([line], attached)
                while sent < len(line):
                    sent += await orders.send(line[sent:])
            except OSError as error:
                raise SupervisorLost("the forkserver ended") from error

    async def _ensure_server(self) -> trio.socket.SocketType:
        if self._server is not None and self._server.poll() is not None:
            await self._stop()
        if self._orders is None:
            await self._start()
        assert self._orders is not None
        return self._orders

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("wb") as log:
            command = [sys.executable, "-m", "experiments.forkserver"]
            command += [str(theirs.fileno()), str(self._niceness)]
            self._server = await trio.lowlevel.open_process(
                self._sandbox.wrap(command, self._reach()),
                pass_fds=(theirs.fileno(),),
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._orders = trio.socket.from_stdlib_socket(ours)
        with trio.move_on_after(START_SECONDS):
            if await self._orders.recv(64):
                return
        await self._stop()
        tail = self._log.read_text(errors="replace").strip()[-2000:]
        raise RunnerError(f"torch could not be started; run `swarm doctor`. It said:\n{tail}")

    def _reach(self) -> Confinement:
        """What the forkserver and its supervisors need; their children get less."""
        self._cache.mkdir(parents=True, exist_ok=True)
        return Confinement(
            (_OURS, self._prepare.parent, *cuda.beyond_system(self._device_kind)),
            (self._scratch, self._cache),
            cuda.device_files(self._device_kind),
        )

    async def _stop(self) -> None:
        """Close the forkserver's socket, which ends it and all below it, and see that it does."""
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._server is not None:
            with trio.move_on_after(10.0) as closing:
                closing.shield = True
                await self._server.wait()
            self._server.kill()
            self._server = None

    async def aclose(self) -> None:
        """End the forkserver and with it every run."""
        await self._stop()


def stream_harness(
    task: Task,
    folder: Path,
    *,
    cache: Path,
    scratch: Path,
    sandbox: Sandbox,
    niceness: int,
    device_kind: str = "",
) -> StreamHarness:
    """
    What trains and scores a stream task's trees; nothing is started before its first run.

    Args:
        folder: Of the task's files.

    Raises:
        RunnerError: The task lacks a file that this needs.
    """
    if "prepare.py" not in task.frozen or "train.py" not in task.editable:
        raise RunnerError(
            f"task {task.name}: the stream harness needs prepare.py among `frozen` "
            "and train.py among `editable`"
        )
    assert task.budget.tokens is not None
    return StreamHarness(
        prepare=folder / "prepare.py",
        cache=cache,
        budget_tokens=task.budget.tokens,
        context=task.context,
        eval_bytes=task.eval_bytes,
        sandbox=sandbox,
        niceness=niceness,
        scratch=scratch,
        device_kind=device_kind,
    )


async def read_answers(answers: socket.socket, progress: ReportProgress) -> RunResult:
    """
    Pass on progress until the result comes.

    Args:
        answers: The node's end; closed with the caller's block.

    Raises:
        RunnerError: The supervisor says that the harness is broken.
        SupervisorLost: It ended without a result.
    """
    waiting = b""
    stream = trio.socket.from_stdlib_socket(answers)
    while len(waiting) < MAX_ANSWER_BYTES:
        data = await stream.recv(65536)
        if not data:
            break
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            answer = answer_from_line(line)
            if isinstance(answer, RunResult):
                return answer
            if isinstance(answer, Broken):
                raise RunnerError(str(answer))
            progress(answer)
    raise SupervisorLost("the process that watched the run ended without a result")
