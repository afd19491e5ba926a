"""
Whose wins proposers may look at now.

Law: wins of newcomers come one author at a time, drawn by lot, and never mixed with
others: a change of no use must not ride along with good ones. What a newcomer says its
whole tree is worth counts for nothing, so that its tree is not adopted for what it was
built on; its change is merged and measured by itself. `swarm.newcomers` says who is one,
and how much of the compute they get.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from experiments.history import Past
from experiments.opinions import Opinions
from experiments.outside import Swarm
from experiments.proposers import KnownWin, Situation
from swarm.newcomers import Piece, Spending
from swarm.records import PeerId

DRAWS_WHEN_IDLE = 3


class Welcome:
    """
    Lets wins in, in turns.

    Args:
        fold_share: Of this node's compute that folds may take.
        uniform: A number in [0, 1), new at each call.
    """

    def __init__(
        self,
        swarm: Swarm,
        history: Past,
        opinions: Opinions,
        spending: Spending,
        fold_share: float,
        uniform: Callable[[], float],
    ) -> None:
        self._swarm = swarm
        self._history = history
        self._opinions = opinions
        self._spending = spending
        self._fold_share = fold_share
        self._uniform = uniform

    def in_turn(self, situation: Situation) -> Iterator[Situation]:
        """
        The same with some of its wins, the first choice first.

        A node that still builds on the baseline starts with those of known authors. Then,
        within their shares: a newcomer's, those of known authors, none. Beyond, for a
        node that has nothing else to do: those of known authors, then of newcomers.
        """
        known = self._opinions.known()
        familiar = replace(
            situation, wins=[win for win in situation.wins if self._author(win) in known]
        )
        if situation.champion.record is None and familiar.wins:
            yield familiar
        if self._spending.has_room(_is_fold, self._fold_share):
            if self._spending.has_room_for_newcomers(known):
                yield self._of_a_newcomer(situation)
            yield familiar
        yield replace(situation, wins=())
        yield familiar
        for _ in range(DRAWS_WHEN_IDLE):
            yield self._of_a_newcomer(situation)

    def _of_a_newcomer(self, situation: Situation) -> Situation:
        authors = {self._author(win) for win in situation.wins}
        drawn = self._opinions.one_newcomer(authors, self._folds_failed(), self._uniform)
        value = situation.champion.value
        wins = [
            win if value is None else replace(win, value=value)
            for win in situation.wins
            if self._author(win) == drawn
        ]
        return replace(situation, wins=wins)

    def _author(self, win: KnownWin) -> PeerId:
        return self._swarm.board.wins[win.record].author

    def _folds_failed(self) -> Counter[PeerId]:
        """How many folds of an author's wins were no win here."""
        wins = self._swarm.board.wins
        return Counter(
            wins[parent].author
            for trial in self._history.all()
            if trial.outcome != "win"
            for parent in trial.parents
            if parent in wins
        )


def _is_fold(piece: Piece) -> bool:
    return bool(piece.authors) and not piece.check
