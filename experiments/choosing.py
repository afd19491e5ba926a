"""
What to measure next: the strategy picks a family, a proposer an idea in it.

Law: nothing this node has tried is tried again on the same base, and what others
have tried seldom. What was interrupted comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from heapq import merge

from experiments.findings import Author
from experiments.history import Past
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.outlook import Outlook, look_ahead
from experiments.outside import Swarm
from experiments.priors import load_priors
from experiments.proposers import Champion, Proposer, Situation
from experiments.proposers.follow import FOLLOW
from experiments.proposers.known import foldable_wins
from experiments.proposers.llm import NAME as MODEL
from experiments.welcome import Welcome
from swarm.evidence import Standpoint, evidence_of
from swarm.hypothesis import Hypothesis
from swarm.lineage import Incomplete, InvalidWin
from swarm.newcomers import Spending
from swarm.priors import Prior, prior_of
from swarm.records import PROMISING, RecordId, TreeHash
from swarm.repeats import Key, left_to_others
from swarm.seen import SeenTrial
from swarm.settings import SearchSettings
from swarm.strategy import Choice, choose
from swarm.task import Task
from swarm.tree import Tree, tree_hash

FOLLOWED = "A friend found it to be clearly better; whoever else measures it proves it."

MODEL_SHARE = 0.25
"""Of all choices so many go to what a language model has ready, at least."""


class Chooser:
    """
    Chooses hypotheses, each once.

    Args:
        search: What the person set about the search.
        opinions: What this node thinks of the board.
        spending: What this node's time goes into.
        code_allowed: This node has the isolation that a code diff needs.
        uniform: A number in [0, 1), new at each call.
        workers: How many experiments go on at once: no sweep is wider.

    Attributes:
        interrupted: What an earlier life of this node had begun and nobody took up yet.
        waiting: What is left of a sweep that was begun, and why it was.
    """

    def __init__(
        self,
        task: Task,
        history: Past,
        proposers: Sequence[Proposer],
        swarm: Swarm,
        memory: Memory,
        author: Author,
        search: SearchSettings,
        opinions: Opinions,
        spending: Spending,
        *,
        code_allowed: bool,
        uniform: Callable[[], float],
        workers: int = 1,
    ) -> None:
        self._task = task
        self._history = history
        self._proposers = proposers
        self._swarm = swarm
        self._memory = memory
        self._author = author
        self._search = search
        self._bounds = search.bounds
        self._opinions = opinions
        self._welcome = Welcome(swarm, history, opinions, spending, search.fold_share, uniform)
        self._code_allowed = code_allowed
        self._workers = workers
        self._uniform = uniform
        self._left_to_others: Collection[Key] = ()
        self._tried = {(trial.base_tree, trial.tree) for trial in history.all()}
        self._unproven = {
            (trial.base_tree, trial.tree) for trial in history.all() if trial.outcome == PROMISING
        }
        self._made = Counter(trial.proposer for trial in history.all())
        self.interrupted = memory.interrupted()
        self.waiting: list[tuple[Hypothesis, str]] = []

    def next(self, champion: Champion) -> tuple[Hypothesis, str] | None:
        """A hypothesis that counts as tried from now on, and why; None where none is left."""
        chosen = self._again() or self._next_of_sweep(champion) or self._choose(champion)
        if chosen is not None:
            self._tried.add(_key(chosen[0]))
            self._made[chosen[0].proposer] += 1
        return chosen

    def leave_running(self) -> None:
        """What was begun runs now, elsewhere: it is neither taken up nor tried again here."""
        self._tried |= {_key(hypothesis) for hypothesis in self.interrupted}
        self.interrupted.clear()

    def outlook(self, champion: Champion) -> Outlook:
        """How likely each family of ideas is to be tried next, and why."""
        situation, offers = self._on_offer(self.situation(champion))
        return look_ahead(
            offers,
            evidence_of(situation.trials, self._standpoint(champion)),
            self._prior(),
            situation.trials,
            fold_share=self._search.fold_share,
            uniform=self._uniform,
        )

    def situation(self, champion: Champion) -> Situation:
        """All that a proposer may look at now."""
        return Situation(
            task=self._task,
            champion=champion,
            wins=foldable_wins(
                self._swarm.board,
                champion.record,
                self._opinions.mine(),
                self._task.metric.direction,
                self._swarm.tree_of,
            ),
            code_allowed=self._code_allowed,
            tried=lambda base, tree: (base, tree) in self._tried,
            uniform=self._uniform,
            trials=self._seen(),
            bounds=self._bounds,
            claims=self._swarm.claims(),
            friends=self._swarm.anchors(),
            tree_of=self._tree_of,
        )

    def _tree_of(self, record: RecordId | None) -> Tree | None:
        try:
            return self._swarm.tree_of(record)
        except (Incomplete, InvalidWin, KeyError):
            return None

    def _again(self) -> tuple[Hypothesis, str] | None:
        while self.interrupted:
            hypothesis = self.interrupted.pop()
            untried = _key(hypothesis) not in self._tried - self._unproven
            if untried and self._memory.is_here(hypothesis):
                return hypothesis, "It was interrupted when this node last stopped."
        return None

    def _next_of_sweep(self, champion: Champion) -> tuple[Hypothesis, str] | None:
        """The next of a sweep; what is left of one whose base is no longer built on is let go."""
        if self.waiting and self.waiting[0][0].base_tree != tree_hash(champion.tree):
            self._tried -= {_key(hypothesis) for hypothesis, _ in self.waiting}
            self.waiting.clear()
        return self.waiting.pop(0) if self.waiting else None

    def _choose(self, champion: Champion) -> tuple[Hypothesis, str] | None:
        everything = self.situation(champion)
        if (followed := self._followed(everything)) is not None:
            return followed, FOLLOWED
        situation, offers = self._on_offer(everything)
        evidence = evidence_of(situation.trials, self._standpoint(champion))
        prior, fold_share = self._prior(), self._search.fold_share
        while offers:
            wanted = self._of_a_model(offers) or offers
            choice = choose(wanted, evidence, prior, fold_share=fold_share, uniform=self._uniform)
            proposer = offers[choice.family]
            shown = self._shown_to(proposer, situation)
            if (hypothesis := proposer.propose(shown, choice.family)) is not None:
                self._sweep(shown, proposer, choice, hypothesis)
                return hypothesis, choice.why
            del offers[choice.family]
        return None

    def _followed(self, situation: Situation) -> Hypothesis | None:
        """What a friend found, before anything else: to run it proves it and adopts it."""
        if not self._search.fold_share or "fold" in self._search.exclude_families:
            return None
        proposers = (each for each in self._proposers if each.name == FOLLOW)
        found = (each.propose(situation, "fold") for each in proposers)
        return next(filter(None, found), None)

    def _of_a_model(self, offers: dict[str, Proposer]) -> dict[str, Proposer]:
        """The families in which a model has ideas, until these had their share; or none."""
        had = self._made[MODEL] >= MODEL_SHARE * (self._made.total() + 1)
        return {} if had else {name: each for name, each in offers.items() if each.name == MODEL}

    def _sweep(
        self, shown: Situation, proposer: Proposer, choice: Choice, first: Hypothesis
    ) -> None:
        """Propose what is measured at once with the first, if it is a sweep."""
        name = first.knobs[0][0] if len(first.knobs) == 1 else ""
        self._tried.add(_key(first))
        for _ in range(1, min(choice.at_once, self._workers)):
            more = proposer.propose(replace(shown, sweep=name), choice.family)
            if more is None:
                return
            self._tried.add(_key(more))
            why = f"It belongs to a sweep: “{first.title}” and others."
            self.waiting.append((more, why))

    def _prior(self) -> Prior:
        return prior_of(load_priors(), self._author.hardware_class)

    def _on_offer(self, everything: Situation) -> tuple[Situation, dict[str, Proposer]]:
        """What proposers may look at now, and who has something to propose."""
        claims, known = self._swarm.claims(), self._opinions.known()
        held = left_to_others(everything.trials, claims, known, self._uniform())
        for self._left_to_others in (held, ()):
            for situation in self._welcome.in_turn(everything):
                if situation.wins and not self._can_fold(situation):
                    continue
                if offers := self._offers(situation):
                    return situation, offers
        return everything, {}

    def _shown_to(self, proposer: Proposer, situation: Situation) -> Situation:
        """What a proposer may look at; a fold measures on purpose what others have measured."""
        if proposer.name == "fold":
            return situation
        return replace(situation, tried=self._is_taken)

    def _is_taken(self, base: TreeHash, tree: TreeHash) -> bool:
        return (base, tree) in self._tried or (base, tree) in self._left_to_others

    def _can_fold(self, situation: Situation) -> bool:
        return any(each.name == "fold" and each.families(situation) for each in self._proposers)

    def _offers(self, situation: Situation) -> dict[str, Proposer]:
        return {
            family: proposer
            for proposer in self._proposers
            for family in proposer.families(self._shown_to(proposer, situation))
            if family not in self._search.exclude_families
        }

    def _standpoint(self, champion: Champion) -> Standpoint:
        metric = self._task.metric
        return Standpoint(
            base_tree=tree_hash(champion.tree),
            hardware_class=self._author.hardware_class,
            now_ms=self._swarm.now_ms(),
            direction=metric.direction,
            goal=metric.goal,
        )

    def _seen(self) -> list[SeenTrial]:
        """This node's experiments and its peers', as they finished."""
        author = self._author
        own = (
            SeenTrial(author.peer_id, author.hardware_class, True, trial)
            for trial in self._history.all()
        )
        return list(merge(own, self._swarm.peer_trials(), key=lambda s: s.trial.finished_at_ms))


def _key(hypothesis: Hypothesis) -> Key:
    return hypothesis.base_tree, hypothesis.tree
