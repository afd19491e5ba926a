"""A node whose journal is taken away and filled with fabrications adopts none of them."""

from __future__ import annotations

from pathlib import Path

from experiments.history import History
from experiments.task_folder import load_task
from gossip.journal import Journal, Stored
from swarm.envelope import open_envelope
from swarm.records import Replication, Trial, Win, decode
from tests.hostile.forgeries import fabrications, stored
from tests.processes import TOY, NodeProcess, nodes

NOTHING_BUT_FOLDS = (
    "[search]\nfold_share = 1\nreplicate_share = 0.5\n"
    'exclude_families = ["learning_rate", "init", "width_depth", "simplify"]\n'
)


def test_wins_from_a_modified_peer_are_measured_and_none_is_adopted(tmp_path: Path) -> None:
    """
    Sixty records, one of them named as the champion, in a journal that is otherwise empty.

    The node has nothing else to try, looks at what is there, and stays where it was.
    """
    task = load_task(str(TOY)).task
    with nodes(tmp_path, 1, NOTHING_BUT_FOLDS) as (node,):
        made_up = {item.id for item in fill(node)}
        node.start("--experiments", "2")
        assert node.process is not None and node.process.wait(600) == 0, node.tell()
        own = {row_id: record for row_id, record in records(node).items() if row_id not in made_up}
        looked_at = {parent for trial in trials(node, task.id) for parent in trial.parents} | {
            record.win for record in own.values() if isinstance(record, Replication)
        }
        assert looked_at & made_up, node.tell()
        built = [record for record in own.values() if isinstance(record, Win)]
        assert not [win for win in built if made_up & {win.base, *win.parents}]
        assert all(trial.outcome != "win" for trial in trials(node, task.id))
        assert all(trial.base is None for trial in trials(node, task.id))
        states = {entry["record"]: entry["state"] for entry in node.board()["entries"]}
        assert made_up & states.keys(), "the board still shows what was said"


def fill(node: NodeProcess) -> list[Stored]:
    """Put the fabrications where the journal of a node is, one of them as its champion."""
    task = load_task(str(TOY)).task
    items = [stored(record) for record in fabrications(task)]
    with Journal.open(node.home.journal(task.id)) as journal:
        journal.append(items)
        journal.set_state("champion", items[0].id.encode())
    return items


def records(node: NodeProcess) -> dict[str, object]:
    with Journal.open(node.journal(), read_only=True) as journal:
        return {row.id: decode(open_envelope(row.envelope)[1]) for _, row in journal.replay()}


def trials(node: NodeProcess, task: str) -> list[Trial]:
    history = History(node.home.history, task)
    found = history.all()
    history.close()
    return found
