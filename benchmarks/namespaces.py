"""
Network namespaces on one machine, connected by `benchmarks.tun_link`: needs root.

Each has one TUN device with a bandwidth of its own (the kernel's tbf); delay, loss and
splits are the link's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

RATE = "10mbit"
DELAY_S = 0.05
LOSS = 0.02


class Link:
    """What carries packets between the namespaces."""

    def __init__(self, prefix: str, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.tun_link", prefix, str(count)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def set(self, **weather: object) -> None:
        """Change the `benchmarks.tun_link.Weather`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(weather) + "\n")
        self._process.stdin.flush()
        self._answer()

    def end(self) -> None:
        """Carry nothing more."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise OSError("the link between the namespaces has ended")


@contextmanager
def namespaces(count: int) -> Generator[tuple[Link, list[list[str]]]]:
    """
    Make so many, addresses 10.77.0.1 and on; remove them when the block ends.

    Yields:
        The link, and for each namespace the words to put before a command in it.

    Raises:
        OSError, subprocess.CalledProcessError: This machine does not let us.
    """
    prefix = f"swarm{os.getpid()}n"
    made = list[str]()
    link: Link | None = None
    try:
        for at in range(count):
            name = f"{prefix}{at}"
            _ip("netns", "add", name)
            made.append(name)
            _prepare(name, f"10.77.0.{at + 1}")
        link = Link(prefix, count)
        link.set(delay_s=DELAY_S, loss=LOSS)
        yield link, [["ip", "netns", "exec", name] for name in made]
    finally:
        if link is not None:
            link.end()
        for name in made:
            _ip("netns", "del", name)


def shape(words: Sequence[str], rate: str) -> None:
    """Set the bandwidth of a namespace."""
    limits = ["rate", rate, "burst", "32kbit", "latency", "400ms"]
    _run(*words, "tc", "qdisc", "replace", "dev", "tun0", "root", "tbf", *limits)


def _prepare(name: str, address: str) -> None:
    inside = ["ip", "netns", "exec", name]
    _run(*inside, "ip", "link", "set", "lo", "up")
    _run(*inside, "ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
    _run(*inside, "ip", "addr", "add", f"{address}/24", "dev", "tun0")
    _run(*inside, "ip", "link", "set", "tun0", "up")
    shape(inside, RATE)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
