"""A real terminal around a real command: what a person sees, and what they press."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pyte

from tests.cli.homes import REPOSITORY

SECONDS = 90.0
_New: Any = cast(Any, pyte)


@dataclass
class Terminal:
    """A command under a pseudo-terminal, and the screen it draws."""

    pid: int
    descriptor: int
    columns: int
    lines: int
    raw: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._screen = _New.Screen(self.columns, self.lines)
        self._stream = _New.ByteStream(self._screen)
        self._size()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(cast("list[str]", self._screen.display))

    def wait_for(self, seen: Callable[[str], bool]) -> str:
        """Read until the screen is as wanted; fails with the screen after a long time."""
        deadline = time.monotonic() + SECONDS
        while not seen(self.text):
            assert time.monotonic() < deadline, self.text
            assert self._read(), f"it ended:\n{self.text}\n{bytes(self.raw)[-2000:]!r}"
        return self.text

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window, as dragging its corner does."""
        self.columns, self.lines = columns, lines
        self._screen.resize(lines, columns)
        self._size()

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.descriptor, keys)

    def ended(self) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, self.text
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _size(self) -> None:
        size = struct.pack("HHHH", self.lines, self.columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def _read(self) -> bool:
        """Take in what comes in half a second; False at the end."""
        ready, _, _ = select.select([self.descriptor], [], [], 0.5)
        if not ready:
            return True
        try:
            data = os.read(self.descriptor, 65_536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(*words: str, home: Path, columns: int, lines: int) -> Generator[Terminal]:
    """`swarm` with these words in a terminal of its own; ended with the block."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
        kept = {key: value for key, value in kept.items() if key not in ("COLUMNS", "LINES")}
        command = [sys.executable, "-m", "cli.main", *words, "--home", str(home)]
        os.execve(sys.executable, command, kept | {"TERM": "xterm-256color"})
    opened = Terminal(pid, descriptor, columns, lines)
    try:
        yield opened
    finally:
        if opened.pid:
            with suppress(ProcessLookupError):
                os.kill(opened.pid, signal.SIGKILL)
            os.waitpid(opened.pid, 0)
        os.close(descriptor)
