"""
`swarm watch`: the swarm's story in a terminal, live.

Law: reads only. Whatever ends it, the terminal is as it was before.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.live import Live

from cli.output import console
from cli.watch_source import Watcher
from cli.watch_view import screenful

LOOK_SECONDS = 1.0
PRINTED_LINES = 48
_QUIT = (b"q", b"Q", b"\x03", b"\x04")


def watch(root: Path) -> None:
    """
    Show the home in `root` until q or Ctrl-C; once, where there is no terminal.

    Raises:
        JournalError, HistoryError, SettingsError, TaskError: As the commands that read do.
    """
    watcher, screen = Watcher(root), console()
    if not (sys.stdin.isatty() and screen.is_terminal):
        screen.print(screenful(watcher.look(), screen.width, PRINTED_LINES), height=PRINTED_LINES)
        return
    try:
        _live(watcher, screen)
    except KeyboardInterrupt:
        return


def _live(watcher: Watcher, screen: Console) -> None:
    scene = watcher.look()
    with (
        _keyboard() as keyboard,
        Live(console=screen, screen=True, auto_refresh=False, redirect_stderr=False) as live,
    ):
        while True:
            live.update(screenful(scene, screen.width, screen.height), refresh=True)
            key = keyboard.wait(LOOK_SECONDS)
            if key in _QUIT:
                return
            if key is None:
                scene = watcher.look()


class _Keyboard:
    """Keys as they are pressed, and a nudge when the window changes its size."""

    def __init__(self, terminal: int, nudge: int) -> None:
        self._terminal = terminal
        self._nudge = nudge

    def wait(self, seconds: float) -> bytes | None:
        """The next key; empty after a nudge; None when the time is over."""
        ready, _, _ = select.select([self._terminal, self._nudge], [], [], seconds)
        if self._nudge in ready:
            os.read(self._nudge, 1024)
            return b""
        if self._terminal in ready:
            # An empty read is the end of the terminal.
            return os.read(self._terminal, 1) or b"q"
        return None


@contextmanager
def _keyboard() -> Generator[_Keyboard]:
    """Single keys without echo, until the block ends in whatever way."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def nudge(_number: int, _frame: FrameType | None) -> None:
        os.write(writing, b".")

    resized = signal.signal(signal.SIGWINCH, nudge)
    ended = signal.signal(signal.SIGTERM, _leave)
    try:
        tty.setcbreak(terminal)
        yield _Keyboard(terminal, reading)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, resized)
        signal.signal(signal.SIGTERM, ended)
        os.close(reading)
        os.close(writing)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End in order, so that the terminal is put back."""
    sys.exit(128 + number)
