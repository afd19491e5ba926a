"""What is chosen next, where newcomers or folds have had their share."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.choosing import Chooser
from experiments.history import History
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.proposers import Champion, Proposer
from experiments.proposers.fold import FoldProposer
from experiments.proposers.knobs import KnobProposer
from swarm.newcomers import Piece, Spending
from swarm.settings import SearchSettings
from tests.experiments.lab import SOMEBODY, Lab, claimed, toy

OWN = Piece()
STRANGERS = Piece(authors=frozenset({SOMEBODY.peer_id}))
FRIENDS = Piece(authors=frozenset({"a friend"}))


def chosen_families(
    tmp_path: Path, spent: dict[Piece, float], *proposers: Proposer, under_way: int = 0
) -> set[str]:
    """Families of what is chosen first, over many draws, where a stranger's win waits."""
    task = toy().task
    lab = Lab(task)
    lab.hear(claimed(task, 0.3, {"SHIFT": "small"})[1])
    spending = Spending()
    for piece, seconds in spent.items():
        spending.begin(piece)
        spending.end(piece, seconds)
    for _ in range(under_way):
        spending.begin(FRIENDS)
    families: set[str] = set()
    for number in range(40):
        chooser = Chooser(
            task,
            History(tmp_path / f"h{number}-{len(families)}", task.id),
            proposers or (KnobProposer(), FoldProposer()),
            lab,
            Memory(lab, task.baseline),
            lab.author,
            SearchSettings(),
            Opinions(task, lab),
            spending,
            code_allowed=False,
            uniform=iter([0.06 + number / 50, *[0.5] * 999]).__next__,
        )
        chosen = chooser.next(Champion(None, task.baseline, None))
        assert chosen is not None
        families.add(chosen[0].family)
    return families


def test_a_newcomers_win_is_folded_while_newcomers_have_room(tmp_path: Path) -> None:
    assert "fold" in chosen_families(tmp_path, {OWN: 95.0, STRANGERS: 5.0})


@pytest.mark.parametrize(
    ("spent", "under_way"),
    [
        ({OWN: 85.0, STRANGERS: 15.0}, 0),
        ({OWN: 70.0, FRIENDS: 30.0}, 0),
        ({OWN: 95.0, STRANGERS: 5.0}, 3),
    ],
    ids=["newcomers had their tenth", "folds had their share", "folds under way fill it"],
)
def test_it_waits_once_the_share_is_used_up(
    tmp_path: Path, spent: dict[Piece, float], under_way: int
) -> None:
    assert "fold" not in chosen_families(tmp_path, spent, under_way=under_way)


def test_a_node_with_nothing_else_to_do_looks_at_newcomers_all_the_same(tmp_path: Path) -> None:
    assert chosen_families(tmp_path, {STRANGERS: 9.0}, FoldProposer()) == {"fold"}
