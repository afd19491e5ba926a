"""
What happens in a node, kept for those who look.

A ring of the last entries, each with a number that only rises, and what is being
measured now. A reader remembers the number it has seen and asks for what came after,
so a slow reader costs nothing here and a broken stream is resumed where it broke.

Law: bounded, and nothing waits for a reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from swarm import events
from watch.event_text import document_of, name_of, text_of
from watch.json_text import to_json

KEPT = 1_000
MOST_PAIRS = 64


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry; `line` is its document as JSON."""

    number: int
    line: bytes


@dataclass(slots=True)
class Running:
    """What is known of something that is being measured now."""

    number: int
    kind: str
    started_at_ms: int
    title: str
    family: str | None = None
    proposer: str | None = None
    why: str | None = None
    rationale: str | None = None
    record: str | None = None
    nickname: str | None = None
    fresh: bool = False
    pairs: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    run: dict[str, object] | None = None

    def document(self) -> dict[str, object]:
        """As the status and the stream show it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Feed:
    """
    The entries of one run of a node.

    Args:
        instance: Tells this run from others.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(self, instance: str, now_ms: Callable[[], int]) -> None:
        self.instance = instance
        self.last = 0
        self.baseline: float | None = None
        self.champion: dict[str, object] | None = None
        self.workers = 0
        self._now_ms = now_ms
        self._entries: deque[Logged] = deque(maxlen=KEPT)
        self._running: dict[int, Running] = {}
        self._news = trio.Event()

    @property
    def news(self) -> trio.Event:
        """Set at the next entry, or when `wake` is called."""
        return self._news

    @property
    def running(self) -> list[dict[str, object]]:
        """What is being measured now."""
        return [each.document() for each in self._running.values()]

    def note(self, event: events.Event) -> None:
        """Take in what happened; quick."""
        self._follow(event)
        if not isinstance(event, events.RunProgress):
            self._log(event)

    def after(self, number: int) -> list[Logged] | None:
        """The entries after this one; None where some of those are gone."""
        if number > self.last or number < self.last - len(self._entries):
            return None
        newer = self.last - number
        return list(self._entries)[len(self._entries) - newer :] if newer else []

    def latest(self, limit: int) -> list[Logged]:
        """The last entries, the oldest of them first."""
        return list(self._entries)[-limit:]

    def wake(self) -> None:
        """Have all who wait look again."""
        self._news.set()
        self._news = trio.Event()

    def _log(self, event: events.Event) -> None:
        self.last += 1
        entry = {
            "id": self.last,
            "at_ms": self._now_ms(),
            "event": name_of(event),
            "text": text_of(event),
        }
        self._entries.append(Logged(self.last, to_json(entry | document_of(event))))
        self.wake()

    def _follow(self, event: events.Event) -> None:
        match event:
            case events.Started():
                self.workers = event.workers
            case events.GoingOn() if event.champion is not None:
                self.champion = {"record": None, "title": event.champion}
            case events.ChampionChanged():
                self.champion = {"record": event.record, "title": event.title}
            case events.BaselineMeasured():
                self.baseline = event.value
                self._running.pop(0, None)
            case events.ExperimentStarted():
                self._running[event.number] = self._experiment(event)
            case events.CheckStarted():
                self._running[event.number] = self._check(event)
            case events.ExperimentFinished() | events.CheckFinished():
                self._running.pop(event.number, None)
            case events.RunProgress():
                self._progress(event)
            case events.PairMeasured():
                self._pair(event)
            case events.MeasuringAgain() if event.number in self._running:
                again = self._running[event.number]
                again.fresh, again.pairs = True, []
            case _:
                pass

    def _experiment(self, event: events.ExperimentStarted) -> Running:
        idea = event.hypothesis
        return Running(
            event.number,
            "experiment",
            self._now_ms(),
            idea.title,
            family=idea.family,
            proposer=idea.proposer,
            why=event.why,
            rationale=idea.rationale,
        )

    def _check(self, event: events.CheckStarted) -> Running:
        return Running(
            event.number,
            "check",
            self._now_ms(),
            event.title,
            why=event.why,
            record=event.record,
            nickname=event.nickname,
        )

    def _progress(self, event: events.RunProgress) -> None:
        if event.number == 0 and 0 not in self._running:
            self._running[0] = Running(0, "baseline", self._now_ms(), "the unchanged baseline")
        if event.number in self._running:
            self._running[event.number].run = {
                "arm": event.arm,
                "seed": event.seed,
                "phase": event.phase,
                "tokens": event.tokens,
                "budget_tokens": event.budget_tokens,
                "loss": event.loss,
            }

    def _pair(self, event: events.PairMeasured) -> None:
        running = self._running.get(event.number)
        if running is not None and len(running.pairs) < MOST_PAIRS:
            running.pairs.append({"base": event.base, "candidate": event.candidate})
            running.run = None
