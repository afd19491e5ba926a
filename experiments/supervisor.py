"""
One run, watched by a process the node trusts.

The supervisor owns data, budget and metric. It forks a child that trains on
exactly the tokens streamed to it, and a fresh one that answers held-out
windows with logits; the bits are counted here.

Law: both children are forked before any of the corpus is in memory, so neither
inherits what it must not see; and all below this process ends with it.
"""

from __future__ import annotations

import mmap
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from experiments.bounded_log import BoundedLog
from experiments.child import Abandoned, Cell, Child, RunFailed, SetupFailed
from experiments.frames import PROGRESS, RESULT, unpack_progress
from experiments.limits import Limits
from experiments.orders import Broken, RunOrder, answer_line
from experiments.process_tree import adopt_orphans, kill_descendants
from experiments.run import Progress, RunResult, RunStatus
from experiments.sandbox import Confinement, available_sandboxes
from experiments.sandbox.libraries import library_paths
from experiments.scoring import Scorer
from experiments.training import VOCABULARY, counted, evaluator, split_result, trainer

BATCH_WINDOWS = 32
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
        self._sandbox = available_sandboxes()[order.sandbox]
        limits = Limits(order.cpu_seconds, order.wall_seconds, order.memory_bytes)
        work, scratch = Path(order.work), Path(order.scratch)
        readable = (*library_paths(), work)
        cell = Cell(
            self._sandbox, Confinement(readable, (scratch,)), limits, scratch, node.fileno()
        )
        self._trainer = Child(trainer(work, order.budget_tokens, order.seed), cell, self._log)
        self._logits = mmap.mmap(-1, BATCH_WINDOWS * order.context * VOCABULARY * 4)
        cell = replace(cell, confinement=Confinement(readable), scratch=work)
        self._evaluator = Child(evaluator(work, self._logits, order.context), cell, self._log)

    def result(self) -> RunResult:
        """Train, evaluate, and say how it went."""
        try:
            scorer = Scorer(self._order)
            self._evaluate(self._train(scorer), scorer)
            return self._ended(RunStatus.COMPLETED, scorer.value_nano(), scorer.blocks())
        except RunFailed as failure:
            self._stop()
            self._log.write(f"\n{failure.reason}".encode())
            return self._ended(failure.status)

    def _train(self, scorer: Scorer) -> bytes:
        """Stream the budget to the training child; its weights."""
        self._trainer.start_clock()
        total = self._order.budget_tokens
        for frame in self._trainer.exchange(_chunks(scorer.training_windows()), last=True):
            if frame.kind == PROGRESS:
                tokens, loss = unpack_progress(frame.payload)
                self._say(Progress("train", min(tokens, total), total, loss))
            else:
                self._trainer.kill()
                kill_descendants(spare=(self._evaluator.pid,))
                seconds, weights = split_result(frame.payload)
                self._work_seconds += min(seconds, time.monotonic() - self._began)
                return weights
        raise AssertionError("an exchange ends by raising")

    def _evaluate(self, weights: bytes, scorer: Scorer) -> None:
        """Have every held-out window answered by the fresh child, and score the answers."""
        self._evaluator.start_clock(self._trainer.cpu_seconds)
        leading = [counted(weights)]
        done, total = 0, self._order.eval_bytes
        for batch in scorer.batches(BATCH_WINDOWS):
            started = time.monotonic()
            for frame in self._evaluator.exchange([*leading, counted(batch.inputs.tobytes())]):
                if frame.kind == RESULT:
                    break
            leading.clear()
            scorer.score(batch, self._logits)
            self._work_seconds += time.monotonic() - started
            done += batch.targets.size
            self._say(Progress("evaluate", done, total, None))
        self._evaluator.kill()

    def _stop(self) -> None:
        self._trainer.kill()
        self._evaluator.kill()

    def _say(self, progress: Progress) -> None:
        self._node.sendall(answer_line(progress))

    def _ended(
        self,
        status: RunStatus,
        value_nano: int | None = None,
        blocks: tuple[tuple[int, int], ...] = (),
    ) -> RunResult:
        children = (self._trainer, self._evaluator)
        return RunResult(
            status=status,
            value_nano=value_nano,
            blocks=blocks,
            cpu_milliseconds=int(1000 * sum(child.cpu_seconds for child in children)),
            wall_milliseconds=int(1000 * (time.monotonic() - self._began)),
            work_milliseconds=int(1000 * self._work_seconds),
            peak_memory_bytes=max(child.peak_memory_bytes for child in children),
            isolation=self._sandbox.name,
            log_tail=self._log.text(),
        )


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
