"""What is chosen next, where newcomers or folds have had their share."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.choosing import Chooser
from experiments.history import History
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.proposers import Champion, Proposer, Situation
from experiments.proposers.fold import FoldProposer
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.known import foldable_wins
from experiments.welcome import Welcome
from gossip.identity import new_identity
from swarm.newcomers import Piece, Spending
from swarm.records import PeerId
from swarm.settings import SearchSettings
from swarm.settings_block import Scalar
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


def test_newcomers_are_let_in_one_by_one_and_their_trees_are_not_adopted(tmp_path: Path) -> None:
    """No change rides along with another author's, nor with the tree it was built on."""
    task = toy().task
    lab = Lab(task)
    others = [new_identity(bytes([number]) * 32) for number in (21, 22)]
    shifts: list[Scalar] = ["small", "large"]
    lab.hear(
        *(
            claimed(task, 0.3, {"SHIFT": shift}, author)[1]
            for author, shift in zip(others, shifts, strict=True)
        )
    )
    opinions, spending = Opinions(task, lab), Spending()
    spending.begin(OWN)
    spending.end(OWN, 10.0)
    found = foldable_wins(lab.board, None, opinions.mine(), "minimize", lab.tree_of)
    champion = Champion(None, task.baseline, 3.0)
    situation = Situation(task, champion, found, False, lambda base, tree: False, lambda: 0.5)
    history = History(tmp_path / "h", task.id)
    for number in (0.1, 0.9):
        welcome = Welcome(lab, history, opinions, spending, 0.25, lambda number=number: number)
        first, familiar, none, *_ = welcome.in_turn(situation)
        assert len(first.wins) == 1
        assert first.wins[0].value == champion.value
        assert list(familiar.wins) == list(none.wins) == []


class Befriended(Lab):
    """Its owner named SOMEBODY as trusted."""

    def anchors(self) -> frozenset[PeerId]:
        return super().anchors() | {SOMEBODY.peer_id}


def test_a_node_on_the_baseline_starts_with_what_those_it_knows_have_found(
    tmp_path: Path,
) -> None:
    """Before any work of its own; once it builds on a win, folds have to wait for their share."""
    task = toy().task
    lab = Befriended(task)
    lab.hear(claimed(task, 0.3, {"SHIFT": "small"})[1])
    opinions = Opinions(task, lab)
    found = foldable_wins(lab.board, None, opinions.mine(), "minimize", lab.tree_of)
    history = History(tmp_path / "h", task.id)
    welcome = Welcome(lab, history, opinions, Spending(), 0.25, lambda: 0.5)
    for record, shown in ((None, 1), ("a win", 0)):
        champion = Champion(record, task.baseline, 3.0)
        situation = Situation(task, champion, found, False, lambda base, tree: False, lambda: 0.5)
        assert len(next(welcome.in_turn(situation)).wins) == shown
