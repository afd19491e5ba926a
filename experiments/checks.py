"""
The share of a node's compute that measures again what peers claim.

Law: what is measured is chosen by `swarm.replication`, the seeds and the text by
this node's signature over the win's id, and what was started is published,
whatever it says: a check that was cut off is taken up at the next start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import trio

from experiments.findings import Author, replication_record
from experiments.opinions import Opinions
from experiments.outside import Swarm
from experiments.replicate import Replicated, replicate
from experiments.run import RunRequest, RunResult
from swarm import events
from swarm.canonical import CanonicalError, pack, unpack
from swarm.challenge import Challenge, select
from swarm.grade import grade
from swarm.ladder import step_nano
from swarm.lineage import Incomplete, InvalidWin
from swarm.newcomers import Piece, Spending
from swarm.records import RecordId, from_nano
from swarm.replication import OpenWin, next_win, open_wins, reputations
from swarm.statistics import Effect, paired_effect
from swarm.task import Task
from swarm.validation import challenge_message

Run = Callable[[int, RunRequest, str], Awaitable[RunResult]]
"""Runs a request for a piece of work, named by its number, and one of its arms."""

CHECK_PIECES = 4.0
"""What a check costs, in experiments: three runs on each of three seeds."""

_CHECKING = "checking"
_MAX_REMEMBERED_BYTES = 1 << 20


class Checks:
    """
    Chooses wins of peers, measures them again and publishes what was seen.

    Args:
        run: Runs a request; checks have numbers below 0.
        opinions: What this node thinks of the board.
        code_allowed: This node has the isolation that strangers' code needs.
        share: Of the time spent, how much may go into checks; 0: none.
        spending: What this node's time goes into, experiments included.
        report: Where events go; must not block.
        uniform: A number in [0, 1), new at each call.
    """

    def __init__(
        self,
        task: Task,
        author: Author,
        swarm: Swarm,
        run: Run,
        opinions: Opinions,
        *,
        code_allowed: bool,
        share: float,
        spending: Spending,
        report: Callable[[events.Event], None],
        uniform: Callable[[], float],
    ) -> None:
        self._task = task
        self._author = author
        self._swarm = swarm
        self._run = run
        self._code_allowed = code_allowed
        self._share = share
        self._spending = spending
        self._report = report
        self._uniform = uniform
        self._opinions = opinions
        self._yardstick = opinions.yardstick
        self._begun = 0
        self._lot = uniform()
        self._under_way: dict[RecordId, trio.Event] = {}
        self._interrupted = _from_bytes(swarm.remembered(_CHECKING)) if share else []

    @property
    def enabled(self) -> bool:
        """Whether this node checks anything at all."""
        return self._share > 0

    @property
    def titles(self) -> Sequence[str]:
        """What is being checked now."""
        wins = self._swarm.board.wins
        return [f"checking “{wins[record].title}”" for record in self._under_way if record in wins]

    def due(self) -> RecordId | None:
        """
        The win to check now, if checks have not had their share and one is up.

        A check is begun before or after its share is saved up, by lot: of a swarm whose
        nodes do not live long neither none nor most of the compute goes into checks.
        """
        while self._interrupted:
            record = self._interrupted.pop()
            if not self.done(record) and self._may_run(record):
                return record
        ahead = self._lot * CHECK_PIECES
        due = self._spending.has_room(lambda piece: piece.check, self._share, ahead)
        return self._next(sparing=True) if due else None

    def any(self) -> RecordId | None:
        """The win to check now, whatever was spent; for a node that has nothing else to do."""
        return self._next(sparing=False) if self.enabled else None

    def _next(self, *, sparing: bool) -> RecordId | None:
        """The win to check now; `sparing` keeps newcomers to their share."""
        board, own = self._swarm.board, self._author.peer_id
        waiting = [
            win
            for win in open_wins(
                board, self._opinions.neutral(), self._opinions.mine(), own, self._yardstick
            )
            if win.record not in self._under_way
        ]
        if sparing:
            waiting = self._without_a_crowd(waiting)
        known = reputations(board, self._opinions.mine())
        peers, uniform = self._swarm.peers(), self._uniform
        while (chosen := next_win(waiting, known, peers=peers, uniform=uniform)) is not None:
            if self._may_run(chosen.record):
                return chosen.record
            waiting.remove(chosen)
        return None

    def _without_a_crowd(self, waiting: Sequence[OpenWin]) -> list[OpenWin]:
        """Those of authors who are known, and of one newcomer while newcomers have room."""
        welcome = self._opinions.known()
        if self._spending.has_room_for_newcomers(welcome):
            authors = {win.author for win in waiting}
            drawn = self._opinions.one_newcomer(authors, {}, self._uniform)
            welcome |= {drawn} if drawn else set()
        return [win for win in waiting if win.author in welcome]

    def done(self, record: RecordId) -> bool:
        """Whether this node has published what it saw of a win."""
        own = self._author.peer_id
        replications = self._swarm.board.replications.values()
        return any(each.win == record and each.author == own for each in replications)

    def challenge(self, record: RecordId) -> Challenge:
        """What this node's signature draws for a win."""
        return select(self._signature(record), self._task)

    async def check(self, record: RecordId) -> None:
        """
        Measure a win again and publish what was seen; once, however often it is asked for.

        Raises:
            Incomplete, InvalidWin: Its tree cannot be rebuilt.
        """
        if (under_way := self._under_way.get(record)) is not None:
            await under_way.wait()
        if self.done(record):
            return
        self._lot = self._uniform()
        over = self._under_way[record] = trio.Event()
        piece = Piece(True, frozenset({self._swarm.board.wins[record].author}))
        started = trio.current_time()
        self._spending.begin(piece)
        try:
            await self._remember()
            await self._check(record)
        finally:
            self._spending.end(piece, trio.current_time() - started)
            del self._under_way[record]
            over.set()
        await self._remember()

    async def _check(self, record: RecordId) -> None:
        self._begun += 1
        number, started = -self._begun, trio.current_time()
        claim = self._swarm.board.wins[record]
        said = paired_mean(claim.pairs)
        self._report(
            events.CheckStarted(number, record, claim.title, claim.nickname, self._why(record))
        )
        tree = self._swarm.tree_of(record)
        found = await replicate(
            self._swarm.tree_of(claim.base),
            tree,
            self.challenge(record),
            task=self._task,
            code=grade(self._task.baseline, tree, self._task) == "code",
            run=lambda request, arm: self._run(number, request, arm),
        )
        await self._swarm.publish(
            replication_record(
                self._author,
                record,
                self._signature(record),
                found,
                step_nano(self._yardstick),
                self._swarm.now_ms(),
            )
        )
        seconds = trio.current_time() - started
        self._report(
            events.CheckFinished(
                number, record, claim.title, said, seen(found), found.reason, seconds
            )
        )

    def _why(self, record: RecordId) -> str:
        replications = self._swarm.board.replications.values()
        others = len({each.author for each in replications if each.win == record})
        if not others:
            return "So far there is only its author's word for it."
        return f"{others} other{'' if others == 1 else 's'} measured it again so far."

    def _may_run(self, record: RecordId) -> bool:
        """Whether its tree is here and this node may run it."""
        try:
            tree = self._swarm.tree_of(record)
        except (Incomplete, InvalidWin, KeyError):
            return False
        return self._code_allowed or grade(self._task.baseline, tree, self._task) == "knob"

    def _signature(self, record: RecordId) -> bytes:
        return self._swarm.sign(challenge_message(record))

    async def _remember(self) -> None:
        begun = {*self._interrupted, *self._under_way}
        await self._swarm.remember(_CHECKING, pack(sorted(begun)))


def paired_mean(pairs: Sequence[tuple[int, int, int]]) -> float:
    """Mean of candidate − base over (seed, base, candidate), in the metric's unit."""
    return from_nano(sum(candidate - base for _, base, candidate in pairs)) / len(pairs)


def seen(found: Replicated) -> Effect | None:
    """The effect on the challenge slice where at least two pairs were completed."""
    differences = [
        from_nano(pair.candidate_nano - pair.base_nano) for pair in found.challenge_pairs
    ]
    return paired_effect(differences) if len(differences) > 1 else None


def _from_bytes(data: bytes | None) -> list[RecordId]:
    """The checks that an earlier process had begun; none where the bytes are another version's."""
    try:
        found = unpack(data, max_bytes=_MAX_REMEMBERED_BYTES) if data else ()
    except CanonicalError:
        return []
    return [str(each) for each in cast("Sequence[object]", found)]
