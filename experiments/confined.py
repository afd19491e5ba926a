"""
What happens between a fork and the first untrusted line, and after the last.

Runs in the child. Everything that could go wrong before the sandbox holds is
the harness's fault and is said before READY; what comes after is the fault of
what ran.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from experiments.frames import FAILURE, READY, write_frame
from experiments.limits import apply_limits, prefer_for_out_of_memory_kill
from experiments.process_tree import die_with_parent
from experiments.run import RunStatus

if TYPE_CHECKING:
    from experiments.child import Cell

Main = Callable[[int, int], None]
"""Runs confined; takes the descriptors of its inlet and its outlet."""

INLET, OUTLET = 3, 4
_OUT_OF_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


class NotFiniteError(ArithmeticError):
    """A loss or a logit is infinite or not a number."""


def live(main: Main, cell: Cell, supervisor: int, pipes: tuple[int, int, int]) -> NoReturn:
    """
    Be the child: confine this process, run `main`, end.

    Args:
        main: What to run.
        cell: What to be confined in.
        supervisor: Process id of the parent.
        pipes: The child's ends of inlet, outlet and log.
    """
    status = 1
    try:
        die_with_parent(supervisor)
        os.setsid()
        _keep_only(*pipes)
        _settle(cell)
        write_frame(OUTLET, READY)
        main(INLET, OUTLET)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the child's last containment: it must say why and end
        try:
            _flush()
        finally:
            write_frame(OUTLET, FAILURE, _account(error))
    finally:
        try:
            _flush()
        finally:
            os._exit(status)


def _flush() -> None:
    """Hand over what was printed; the harness looks no further once it has the account."""
    sys.stdout.flush()
    sys.stderr.flush()


def _keep_only(inlet: int, outlet: int, printed: int) -> None:
    """Close all the supervisor had open; the three pipes become 3, 4 and 1 with 2."""
    inlet, outlet, printed = (fcntl.fcntl(d, fcntl.F_DUPFD, 10) for d in (inlet, outlet, printed))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2), (inlet, 3), (outlet, 4)):
        os.dup2(source, target)
    os.closerange(5, 65536)


def _settle(cell: Cell) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(cell.scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(cell.scratch)
    prefer_for_out_of_memory_kill()
    apply_limits(cell.limits)
    cell.sandbox.enter(cell.confinement)


def _account(error: BaseException) -> bytes:
    """Payload of a FAILURE frame: a status, and a traceback whose last line is the error."""
    trace = "".join(traceback.format_exception(error, limit=-16)).strip()
    status = _status_of(error).value.encode()
    return status + b"\n" + trace.encode(errors="replace")[-12000:]


def _status_of(error: BaseException) -> RunStatus:
    if isinstance(error, NotFiniteError):
        return RunStatus.DIVERGED
    spoken = str(error).lower()
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in spoken for words in _OUT_OF_MEMORY_WORDS)
    ):
        return RunStatus.OUT_OF_MEMORY
    return RunStatus.CRASHED
