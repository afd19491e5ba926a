"""
A network of namespaces with delay, loss and cuts, for kernels without netem.

Run as root, as ``python -m benchmarks.tun_link PREFIX COUNT``: it takes hold of the TUN
device ``tun0`` in each of the network namespaces PREFIX0, PREFIX1, …, whose addresses
are 10.77.0.1, 10.77.0.2, …, and carries IP packets between them. Lines of JSON on
standard input change what it does to packets; each is answered by an empty object.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
PACKET_BYTES = 65536
WAITING_PACKETS = 2000
"""Of more packets on their way than this, new ones are dropped, as by a full router."""


@dataclass
class Weather:
    """
    What happens to packets.

    Attributes:
        delay_s: From one node to another.
        loss: Share of packets lost.
        groups: By node, the side of a split it is on; packets stay on theirs.
        slow: By node, delay and loss of its own, instead.
    """

    delay_s: float = 0.0
    loss: float = 0.0
    groups: dict[int, int] = field(default_factory=dict[int, int])
    slow: dict[int, tuple[float, float]] = field(default_factory=dict[int, tuple[float, float]])

    def fate(self, sender: int, receiver: int) -> float | None:
        """Seconds that a packet takes, or None if it is lost."""
        if self.groups.get(sender, 0) != self.groups.get(receiver, 0):
            return None
        ends = [self.slow.get(node) for node in (sender, receiver)]
        delay_s, loss = next((each for each in ends if each), (self.delay_s, self.loss))
        return None if random.random() < loss else delay_s

    def change(self, asked: dict[str, object]) -> None:
        """Take on what a line of JSON says."""
        for name, value in asked.items():
            if name in ("groups", "slow") and isinstance(value, dict):
                value = {int(str(key)): each for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            setattr(self, name, value)


def hold_of(namespace: str) -> int:
    """A descriptor of the device ``tun0`` in a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open("rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"tun0", IFF_TUN | IFF_NO_PI))
    return device


def carry(devices: list[int]) -> None:
    """Carry packets until standard input ends."""
    weather, number = Weather(), count()
    waiting: list[tuple[float, int, int, bytes]] = []
    sender_of = {device: at for at, device in enumerate(devices)}
    lines = bytearray()
    while True:
        due_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for ready in select.select([0, *devices], [], [], due_s)[0]:
            if ready != 0:
                _take(ready, sender_of, devices, weather, waiting, number)
                continue
            piece = os.read(0, PACKET_BYTES)
            if not piece:
                return
            lines += piece
            while (end := lines.find(b"\n")) >= 0:
                weather.change(json.loads(lines[:end]))
                del lines[: end + 1]
                print("{}", flush=True)
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, receiver, packet = heapq.heappop(waiting)
            try:
                os.write(devices[receiver], packet)
            except OSError:
                continue


def _take(
    device: int,
    sender_of: dict[int, int],
    devices: list[int],
    weather: Weather,
    waiting: list[tuple[float, int, int, bytes]],
    number: count[int],
) -> None:
    """Read what a node sends, and decide what becomes of it."""
    while True:
        try:
            packet = os.read(device, PACKET_BYTES)
        except OSError:
            return
        if packet[0] >> 4 != 4 or packet[16:19] != bytes((10, 77, 0)):
            continue
        receiver = packet[19] - 1
        if not 0 <= receiver < len(devices) or len(waiting) >= WAITING_PACKETS:
            continue
        seconds = weather.fate(sender_of[device], receiver)
        if seconds is not None:
            entry = (time.monotonic() + seconds, next(number), receiver, packet)
            heapq.heappush(waiting, entry)


def main() -> None:
    """Take hold of every device, say so, and carry."""
    prefix, nodes = sys.argv[1], int(sys.argv[2])
    devices = [hold_of(f"{prefix}{at}") for at in range(nodes)]
    print("{}", flush=True)
    carry(devices)


if __name__ == "__main__":
    main()
