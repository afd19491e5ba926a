"""
One run, watched by a process the node trusts.

The supervisor owns data, budget and metric. It forks a child that trains on
exactly the tokens streamed to it, and two fresh ones that answer held-out
windows with logits: the first all of them, the second some again, spliced, as
`experiments.splice` says. The bits are counted here.

Law: all children are forked before any of the corpus is in memory, so none
inherits what it must not see; what a child prints once it may hold held-out
text is dropped; and all below this process ends with it.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import socket
import time
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.bounded_log import BoundedLog
from experiments.child import Abandoned, Cell, Child, RunFailed, SetupFailed
from experiments.frames import CURVE, PROGRESS, RESULT, unpack_progress
from experiments.limits import Limits, on_a_device
from experiments.orders import Broken, RunOrder, answer_line
from experiments.process_tree import adopt_orphans, kill_descendants
from experiments.run import VALIDATION, Exam, Progress, RunResult, RunStatus, Score
from experiments.sandbox import Confinement, cuda, sandbox_named
from experiments.sandbox.libraries import library_paths
from experiments.scoring import Batch, Examiner
from experiments.splice import SpliceProbe
from experiments.training import VOCABULARY, counted, evaluator, split_result, trainer
from experiments.weights import parameters_in
from swarm.devices import Seat
from swarm.stopping import POINTS, is_behind

BATCH_WINDOWS = 32
MAX_REASON = 1000
WITHHELD = "failed in an exam whose text nobody is to see, so what it said is withheld"
_CHUNK_BYTES = 1 << 15


def supervise(order: RunOrder, node: socket.socket) -> None:
    """
    Do one run and answer on `node`; nothing below this process is left after it.

    Answers Progress now and then and at last a RunResult, or Broken where the
    harness itself failed; nothing more once the node has closed its end.
    """
    adopt_orphans()
    try:
        node.sendall(answer_line(_Run(order, node).result()))
    except SetupFailed as error:
        node.sendall(answer_line(Broken(f"cannot confine a run: {error}")))
    except (Abandoned, BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:  # noqa: BLE001 - the harness's containment: the node must hear of it
        node.sendall(answer_line(Broken(f"{type(error).__name__}: {error}")))
    finally:
        kill_descendants()


class _Run:
    """The state of one run under way."""

    def __init__(self, order: RunOrder, node: socket.socket) -> None:
        self._order = order
        self._node = node
        self._log = BoundedLog()
        self._began = time.monotonic()
        self._work_seconds = 0.0
        self._weights_hash = ""
        self._parameters: int | None = None
        self._curve: list[tuple[int, float]] = []
        self._sandbox = sandbox_named(order.sandbox)
        limits = Limits(order.cpu_seconds, order.wall_seconds, order.memory_bytes)
        limits = limits if order.seat is None else on_a_device(limits)
        work, scratch = Path(order.work), Path(order.scratch)
        reach = reach_of(work, order.seat)
        inside = replace(reach, writable=(scratch, *reach.writable))
        cell = Cell(self._sandbox, inside, limits, scratch, node.fileno())
        main = trainer(work, order.budget_tokens, order.seed, order.seat)
        self._trainer = Child(main, cell, self._log)
        self._logits = mmap.mmap(-1, BATCH_WINDOWS * order.context * VOCABULARY * 4)
        limits = replace(limits, cpu_seconds=order.cpu_seconds * len(order.exams))
        cell = replace(cell, confinement=reach, scratch=work, limits=limits)
        main = evaluator(work, self._logits, order.context, order.seat)
        self._evaluator = Child(main, cell, BoundedLog())
        self._second = Child(main, cell, BoundedLog()) if order.probe else None

    @property
    def _children(self) -> tuple[Child, ...]:
        return tuple(filter(None, (self._trainer, self._evaluator, self._second)))

    def result(self) -> RunResult:
        """Train, evaluate, and say how it went."""
        try:
            examiner = Examiner(self._order)
            weights = self._train(examiner)
            self._weights_hash = hashlib.sha256(weights).hexdigest()
            self._parameters = parameters_in(weights)
            return self._ended(RunStatus.COMPLETED, self._examine(weights, examiner))
        except RunFailed as failure:
            for child in self._children:
                child.kill()
            self._log.write(f"\n{failure.reason}".encode())
            return self._ended(failure.status)

    def _train(self, examiner: Examiner) -> bytes:
        """Stream the budget to the training child; its weights."""
        self._trainer.start_clock()
        total = self._order.budget_tokens
        for frame in self._trainer.exchange(_chunks(examiner.training_windows()), last=True):
            if frame.kind == CURVE:
                self._extend_curve(*unpack_progress(frame.payload))
            elif frame.kind == PROGRESS:
                tokens, loss = unpack_progress(frame.payload)
                self._say(Progress("train", min(tokens, total), total, loss))
            else:
                self._trainer.kill()
                kill_descendants(spare=[child.pid for child in self._children[1:]])
                seconds, weights = split_result(frame.payload)
                self._work_seconds += min(seconds, time.monotonic() - self._began)
                return weights
        raise AssertionError("an exchange ends by raising")

    def _extend_curve(self, tokens: int, loss: float) -> None:
        """Take in what the child says of its loss; end a run that is clearly behind."""
        total, last = self._order.budget_tokens, self._curve[-1][0] if self._curve else 0
        if len(self._curve) == POINTS or not last < tokens <= total or not math.isfinite(loss):
            return
        self._curve.append((tokens, loss))
        if is_behind(self._curve, self._order.against, total):
            share = tokens / total
            raise RunFailed(RunStatus.STOPPED, f"clearly behind at {share:.0%}, stopped")

    def _examine(self, weights: bytes, examiner: Examiner) -> tuple[Score, ...]:
        """Have the windows of every exam answered and scored, and some of them asked again."""
        probe = SpliceProbe(self._order.probe)
        sheet = _AnswerSheet(self._evaluator, self._logits, weights)
        self._evaluator.start_clock(self._trainer.cpu_seconds)
        papers = [examiner.paper(exam) for exam in self._order.exams]
        done, total = 0, sum(paper.tokens[:, 1:].size for paper in papers)
        for paper in papers:
            drawn = probe.draw(len(paper.tokens))
            sheet.shown.add(paper.exam)
            for batch in paper.batches(BATCH_WINDOWS):
                costs = self._ask(sheet, batch, examiner)
                rows, drawn = drawn[: len(costs)], drawn[len(costs) :]
                probe.note(batch.inputs[rows], batch.targets[rows], costs[rows])
                paper.mark(batch, costs)
                done += batch.targets.size
                self._say(Progress("evaluate", done, total, None))
        self._evaluator.kill()
        if self._second is not None:
            self._check(probe, _AnswerSheet(self._second, self._logits, weights), examiner)
        return tuple(paper.score() for paper in papers)

    def _check(self, probe: SpliceProbe, sheet: _AnswerSheet, examiner: Examiner) -> None:
        """Ask the second child, which has run no line of the tree while the first lived."""
        wipe(self._logits)
        sheet.child.start_clock()
        sheet.shown.update(self._order.exams)
        for spliced in probe.batches(BATCH_WINDOWS):
            spliced.compare(self._ask(sheet, spliced.batch, examiner))
        sheet.child.kill()

    def _ask(self, sheet: _AnswerSheet, batch: Batch, examiner: Examiner) -> NDArray[np.float64]:
        started = time.monotonic()
        sheet.fill(batch.inputs)
        costs = examiner.costs(batch, sheet.logits)
        self._work_seconds += time.monotonic() - started
        return costs

    def _say(self, progress: Progress) -> None:
        self._node.sendall(answer_line(progress))

    def _ended(self, status: RunStatus, scores: tuple[Score, ...] = ()) -> RunResult:
        counted = (self._trainer, self._evaluator)
        return RunResult(
            status=status,
            value_nano=scores[0].value_nano if scores else None,
            blocks=scores[0].blocks if scores else (),
            cpu_milliseconds=int(1000 * sum(child.cpu_seconds for child in counted)),
            wall_milliseconds=int(1000 * (time.monotonic() - self._began)),
            work_milliseconds=int(1000 * self._work_seconds),
            peak_memory_bytes=max(child.peak_memory_bytes for child in self._children),
            isolation=self._sandbox.name,
            log_tail=self._log.text(),
            scores=scores,
            weights_hash=self._weights_hash,
            parameters=self._parameters,
            curve=tuple(self._curve),
        )


def reach_of(work: Path, seat: Seat | None) -> Confinement:
    """What every child of a run may reach: libraries, its tree, and its device if it has one."""
    kind = "" if seat is None else seat.kind
    return Confinement(
        (*library_paths(), work, *cuda.driver_files(kind)),
        cuda.named_by_process(kind),
        cuda.device_files(kind),
    )


class _AnswerSheet:
    """
    A fresh child with weights, asked batch by batch.

    Args:
        child: Runs `experiments.training.evaluator`.
        logits: Where it writes its answers.
        weights: Given to it before the first batch.

    Attributes:
        shown: Exams it has seen text of, which its account of a failure may repeat.
    """

    def __init__(self, child: Child, logits: mmap.mmap, weights: bytes) -> None:
        self.child = child
        self.logits = logits
        self.shown = set[Exam]()
        self._leading = [counted(weights)]

    def fill(self, inputs: NDArray[np.uint8]) -> None:
        """
        Have windows [N, context] answered into `logits`.

        Raises:
            RunFailed: With the end of what the child said, unless it could tell
                of text that nobody is to see.
        """
        try:
            for frame in self.child.exchange([*self._leading, counted(inputs.tobytes())]):
                if frame.kind == RESULT:
                    break
        except RunFailed as failure:
            raise RunFailed(failure.status, told(failure.reason, self.shown)) from None
        self._leading.clear()


def told(reason: str, shown: AbstractSet[Exam]) -> str:
    """What may be said of a child's account of its failure once it was shown these exams."""
    return reason[-MAX_REASON:] if shown <= {VALIDATION} else WITHHELD


def wipe(memory: mmap.mmap) -> None:
    """Leave no word from one child to the next."""
    memory[:] = bytes(len(memory))


def _chunks(windows: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces, so that a run wakes its supervisor less often."""
    waiting = bytearray()
    for window in windows:
        waiting += window
        if len(waiting) >= _CHUNK_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
