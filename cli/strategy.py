"""`swarm strategy`: what this node would try next, with what odds, and why."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from cli.failures import CommandError
from cli.onlooker import Onlooker, PastTrials
from cli.output import print_json
from cli.settings_file import load_settings
from cli.snapshot import Snapshot, loaded_task, take_snapshot
from cli.strategy_view import show
from experiments.choosing import Chooser
from experiments.findings import Author
from experiments.hardware import remembered
from experiments.history import read_trials
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.outlook import Outlook
from experiments.priors import load_priors
from experiments.probe import probe
from experiments.proposers import Champion
from experiments.proposers.llm_budget import read_account
from experiments.proposers.mixed import every_proposer
from experiments.sandbox import best_sandbox
from gossip import trust_file
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.hardware import HARDWARE_CLASSES, Probe, hardware_class
from swarm.hypothesis import Hypothesis
from swarm.priors import Prior, prior_of
from swarm.records import Trial
from swarm.settings import Settings
from swarm.task import Task

NEXT = 3
"""Ideas that are shown as what would be tried next."""

SPENT_TRIALS = 20
"""How many of the latest experiments say what the compute went into."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """
    What is known and what follows from it.

    Attributes:
        hardware_class: Of this machine, or the one that was asked about.
        peers: How many peers told of experiments; `peer_trials` is how many of these.
        champion: The title of what is built on; None for the baseline.
        llm: The language model that proposes too and what it has used today; "" if there is none.
        ideas: What it would try next, and why; drawn anew at each choice.
    """

    snapshot: Snapshot
    machine: Probe
    hardware_class: str
    prior: Prior
    own: Sequence[Trial]
    peers: int
    peer_trials: int
    champion: str | None
    llm: str
    fold_share: float
    outlook: Outlook
    ideas: Sequence[tuple[Hypothesis, str]]

    @property
    def wins(self) -> int:
        """How many of this node's experiments were wins."""
        return sum(trial.outcome == "win" for trial in self.own)


def strategy(root: Path, *, hardware: str | None, as_json: bool) -> None:
    """
    Print the odds of every family of ideas, and what would be tried next.

    Args:
        hardware: A class of hardware to look through the eyes of; None for this machine's.

    Raises:
        CommandError: There is no such class of hardware.
        JournalError, HistoryError: A file is there but cannot be read.
        TaskError, SettingsError: The task or a setting cannot be used.
    """
    found = look(root, hardware)
    if as_json:
        print_json(document(found))
    else:
        show(found)


def look(root: Path, hardware: str | None) -> Strategy:
    """
    Work out what the node in `root` would do now.

    Raises:
        CommandError: There is no such class of hardware.
    """
    if hardware is not None and hardware not in HARDWARE_CLASSES:
        raise CommandError(f"no hardware class {hardware!r}: use {', '.join(HARDWARE_CLASSES)}")
    snapshot = take_snapshot(root)
    settings = load_settings(
        home_file=snapshot.home.settings, profile=None, environment=os.environ, flags={}
    )
    own = read_trials(snapshot.home.history, snapshot.work)
    try:
        opened = Journal.open(snapshot.journal, read_only=True)
    except JournalMissing:
        opened = nullcontext()
    with opened as journal:
        trusted = trust_file.load(snapshot.home.trust)
        task = loaded_task(snapshot.task).task
        outside = Onlooker(task, journal, snapshot.peer_id or "", trusted)
        return _looked(snapshot, settings, task, outside, own, hardware)


def _looked(
    snapshot: Snapshot,
    settings: Settings,
    task: Task,
    outside: Onlooker,
    own: Sequence[Trial],
    hardware: str | None,
) -> Strategy:
    machine = remembered(probe(), snapshot.home.cache)
    name = hardware or hardware_class(machine)
    prior = prior_of(load_priors(), name)
    workers = settings.node.workers or max(1, machine.cores - 1)
    if hardware is not None:
        workers = max(workers, prior.at_once)
    author = Author(outside.own, snapshot.nickname, task.topic, task.id, name, "cpu")
    memory = Memory(outside, task.baseline)
    champion = memory.champion()
    chooser = _chooser(settings, task, outside, own, author, memory, workers)
    if snapshot.running:
        chooser.leave_running()
    told = outside.peer_trials()
    return Strategy(
        snapshot=snapshot,
        machine=machine,
        hardware_class=name,
        prior=prior,
        own=own,
        peers=len({seen.author for seen in told}),
        peer_trials=len(told),
        champion=_title(outside, champion),
        llm=_llm(settings, snapshot),
        fold_share=settings.search.fold_share,
        outlook=chooser.outlook(champion),
        ideas=[each for _ in range(NEXT) if (each := chooser.next(champion)) is not None],
    )


def _chooser(
    settings: Settings,
    task: Task,
    outside: Onlooker,
    own: Sequence[Trial],
    author: Author,
    memory: Memory,
    workers: int,
) -> Chooser:
    """The chooser that the node would have; the same ideas for the same past."""
    uniform: Callable[[], float] = random.Random(len(own)).random
    return Chooser(
        task,
        PastTrials(own),
        every_proposer(),
        outside,
        memory,
        author,
        settings.search,
        Opinions(task, outside),
        outside.spending(own[-SPENT_TRIALS:]),
        code_allowed=settings.search.accept == "code" and best_sandbox(task.harness).isolates,
        uniform=uniform,
        workers=workers,
    )


def _llm(settings: Settings, snapshot: Snapshot) -> str:
    if not settings.llm.enabled:
        return ""
    account = read_account(snapshot.home.llm)
    used = account.words(time.time_ns() // 1_000_000) if account else "not asked yet"
    return f"{settings.llm.model} proposes too: {used}"


def _title(outside: Onlooker, champion: Champion) -> str | None:
    return None if champion.record is None else outside.board.wins[champion.record].title


def document(found: Strategy) -> dict[str, object]:
    """The strategy as `--json` shows it; what is not known is null."""
    return {
        "task": found.snapshot.task.document(),
        "hardware_class": found.hardware_class,
        "why_hardware": found.prior.why,
        "gflops": found.machine.gflops,
        "builds_on": found.champion,
        "llm": found.llm or None,
        "evidence": {
            "experiments": len(found.own),
            "wins": found.wins,
            "peer_experiments": found.peer_trials,
            "peers": found.peers,
        },
        "fold_share": found.fold_share,
        "running": list(found.snapshot.now),
        "families": [
            {
                "family": each.family,
                "probability": each.probability,
                "experiments": each.trials,
                "wins": each.wins,
                "peer_experiments": each.peer_trials,
                "peer_wins": each.peer_wins,
                "prior_weight": each.weight,
                "at_once": found.prior.width(each.family),
                "why": each.why,
            }
            for each in found.outlook
        ],
        "next": [
            {
                "family": hypothesis.family,
                "title": hypothesis.title,
                "rationale": hypothesis.rationale,
                "why": why,
            }
            for hypothesis, why in found.ideas
        ],
    }
