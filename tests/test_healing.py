"""Three real nodes: one in the middle is frozen and killed, and nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

from benchmarks.swarm_of_nodes import Commanded, alike, ended

WAIT_S = 120.0


def test_two_sides_that_were_cut_off_hold_the_same_once_the_middle_is_back(
    tmp_path: Path,
) -> None:
    """
    Both sides join the middle alone. While it is frozen, and then killed with what it was
    told last, each goes on; when it is back all hold what was durable anywhere.
    """
    nodes = [Commanded(tmp_path / f"node{at}", prefix=()) for at in range(3)]
    one, middle, other = nodes
    durable = set[str]()

    def say(node: Commanded) -> None:
        durable.update(node.do("speak")["published"])

    with ended(nodes):
        middle.start().ready()
        for node in (one, other):
            node.start(middle.addrs)
        for node in (one, other):
            node.ready()
            say(node)
        say(middle)
        middle.send(signal.SIGSTOP)
        say(one)
        say(other)
        middle.send(signal.SIGCONT)
        say(middle)
        middle.kill()
        say(one)
        say(other)
        middle.start().ready()
        alike(nodes, len(durable), WAIT_S)
        assert durable == one.ids()
        assert [node.stop() for node in nodes] == [0, 0, 0]
        assert [node.complaints() for node in nodes] == [[], [], []]
