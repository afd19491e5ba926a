"""
A warm process that forks one supervisor per run.

Importing torch and building a first optimiser take seconds; a fork from a
process that has done so takes milliseconds. It holds no data, no key and none
of the node's environment, and ends when the node closes its end of the socket.

Run by `experiments.stream` as ``python -m experiments.forkserver DESCRIPTOR NICENESS``.
"""

import gc
import os
import select
import signal
import socket
import sys

import torch

from experiments.computing import devices_unseen
from experiments.orders import MAX_ORDER_BYTES, order_from_line
from experiments.process_tree import adopt_orphans, die_with_parent, kill_descendants
from experiments.sandbox.libraries import library_paths
from experiments.supervisor import supervise

READY_LINE = b"ready\n"
_REAP_EVERY_SECONDS = 1.0


def warm_up() -> None:
    """
    Use, on one thread, what training code will need.

    The first optimiser imports some 400 modules of sympy through
    `torch._dynamo`, which a confined child could not read any more. No device is
    touched: what is on one does not survive a fork.
    """
    library_paths()
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    with devices_unseen():
        take_a_step()


def take_a_step() -> None:
    """Train a layer for a step with every optimizer that torch may have."""
    model = torch.nn.Linear(8, 8, bias=False)
    for name in ("SGD", "AdamW", "Muon"):
        if not hasattr(torch.optim, name):  # Muon came with torch 2.9
            continue
        optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1)
        loss = torch.nn.functional.cross_entropy(model(torch.ones(4, 8)), torch.zeros(4).long())
        optimizer.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()


def serve(node: socket.socket) -> None:
    """Fork a supervisor for every order on `node`, until the node closes it."""
    supervisors: set[int] = set()
    while True:
        _reap(supervisors)
        if select.select([node], [], [], _REAP_EVERY_SECONDS)[0]:
            line, descriptors = _read_order(node)
            if not line:
                return
            supervisors.add(_fork(line, socket.socket(fileno=descriptors[0]), node))


def _read_order(node: socket.socket) -> tuple[bytes, list[int]]:
    """One line and the socket attached to it; an empty line once the node has gone."""
    line, descriptors, _, _ = socket.recv_fds(node, MAX_ORDER_BYTES, 1)
    while line and not line.endswith(b"\n"):
        more = node.recv(MAX_ORDER_BYTES)
        line = line + more if more else b""
    return line, descriptors


def _fork(line: bytes, answers: socket.socket, node: socket.socket) -> int:
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent(server)
            node.close()
            supervise(order_from_line(line), answers)
        finally:
            os._exit(0)
    answers.close()
    return pid


def _reap(supervisors: set[int]) -> None:
    """Bury the dead; should a supervisor have been killed, what it left comes to us and ends."""
    killed = False
    while supervisors:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            break
        killed |= status != 0
        supervisors.discard(pid)
    if killed:
        kill_descendants(spare=supervisors)


def main() -> None:
    """Warm up, say so, serve."""
    node = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(int(sys.argv[2]))
    adopt_orphans()
    warm_up()
    gc.collect()
    gc.freeze()
    node.sendall(READY_LINE)
    try:
        serve(node)
    finally:
        kill_descendants()


if __name__ == "__main__":
    main()
