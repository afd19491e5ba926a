"""
Events as documents and as lines for people.

Law: a line says what happened, in words that hold without the lines around it. What
peers wrote is quoted as it is: a page shows it as text, a terminal makes it plain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from swarm import events
from swarm.hypothesis import Hypothesis
from swarm.records import PROMISING
from swarm.statistics import Effect

_OWNERS_ONLY = ("home", "url")
"""Fields that name paths or tokens of this machine."""
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def name_of(event: events.Event) -> str:
    """`experiment_finished` for an `ExperimentFinished`."""
    return _WORD.sub("_", type(event).__name__).lower()


def document_of(event: events.Event) -> dict[str, object]:
    """The fields of an event, those of its hypothesis among them, without the diff."""
    found: dict[str, object] = {}
    for each in fields(event):
        if each.name in _OWNERS_ONLY:
            continue
        value = getattr(event, each.name)
        if isinstance(value, Hypothesis):
            found |= hypothesis_document(value)
        else:
            found[each.name] = effect_document(value) if isinstance(value, Effect) else value
    return found


def hypothesis_document(hypothesis: Hypothesis) -> dict[str, object]:
    """A hypothesis without its diff."""
    return {
        "title": hypothesis.title,
        "family": hypothesis.family,
        "proposer": hypothesis.proposer,
        "rationale": hypothesis.rationale,
        "base": hypothesis.base,
        "parents": list(hypothesis.parents),
        "knobs": dict(hypothesis.knobs),
        "code": hypothesis.code,
    }


def effect_document(effect: Effect) -> dict[str, float]:
    """An effect with its interval."""
    return {"mean": effect.mean, "low": effect.low, "high": effect.high, "n": effect.n}


def text_of(event: events.Event) -> str:
    """An event in one line."""
    said = _TEXTS.get(type(event))
    return name_of(event).replace("_", " ") if said is None else said(event)


def _started(event: events.Started) -> str:
    aim = "lower" if event.direction == "minimize" else "higher"
    does = f"{event.workers} at once" if event.workers else "observing only"
    return f"started on {event.task}: {event.metric} in {event.unit}, {aim} is better; {does}"


def _goes_on(event: events.GoingOn) -> str:
    base = "the baseline" if event.champion is None else f"“{event.champion}”"
    return f"{event.experiments} experiments and {event.wins} wins so far; builds on {base}"


def _pair(event: events.PairMeasured) -> str:
    change = event.candidate - event.base
    values = f"{event.base:.4f} → {event.candidate:.4f} ({change:+.4f})"
    return f"{_number(event.number)} pair {event.pairs}: {values}"


def _finished(event: events.ExperimentFinished) -> str:
    words = {"win": "kept", PROMISING: PROMISING}
    verdict = words.get(event.outcome, f"not kept ({event.outcome.replace('_', ' ')})")
    effect = "" if event.effect is None else f", {_interval(event.effect)}"
    return f"{_number(event.number)} {event.hypothesis.title}: {verdict}{effect}"


def _checked(event: events.CheckFinished) -> str:
    seen = f"not measured: {event.reason}" if event.seen is None else _interval(event.seen)
    return f"“{event.title}” measured again: said {event.said:+.4f}, seen here {seen}"


def _accepted(event: events.WinAccepted) -> str:
    who = "own win" if event.own else f"win by {event.nickname or 'a peer'}"
    more = f" and {event.more:,} more" if event.more else ""
    return f"{who}: “{event.title}”{more}"


def _number(number: int) -> str:
    return f"#{number}" if number > 0 else "check" if number else "baseline"


def _interval(effect: Effect) -> str:
    if effect.n < 3:
        return f"{effect.mean:+.4f} in {effect.n} pairs"
    return f"{effect.mean:+.4f}, 95 % interval {effect.low:+.4f} to {effect.high:+.4f}"


_TEXTS: Mapping[type[Any], Callable[[Any], str]] = {
    events.Started: _started,
    events.GoingOn: _goes_on,
    events.Listening: lambda e: f"listening on {e.multiaddr}",
    events.Watching: lambda e: "the API is served",
    events.NetworkTrouble: lambda e: e.message,
    events.ModelTrouble: lambda e: e.message,
    events.PeerConnected: lambda e: f"peer {e.peer} connected, {e.peers} now",
    events.PeerDisconnected: lambda e: f"peer {e.peer} left, {e.peers} now",
    events.Preparing: lambda e: e.message,
    events.BaselineMeasured: lambda e: (
        f"the baseline gives {e.value:.4f} here, in {e.cpu_seconds:.1f} CPU-seconds"
    ),
    events.ExperimentStarted: lambda e: f"#{e.number} trying “{e.hypothesis.title}”: {e.why}",
    events.RunProgress: lambda e: f"{_number(e.number)} {e.arm}: {e.tokens} of {e.budget_tokens}",
    events.PairMeasured: _pair,
    events.MeasuringAgain: lambda e: (
        f"#{e.number} is better; up to {e.pairs} fresh pairs will say by how much"
    ),
    events.ExperimentFinished: _finished,
    events.CheckStarted: lambda e: (
        f"measuring again “{e.title}” by {e.nickname or 'a peer'}: {e.why}"
    ),
    events.CheckFinished: _checked,
    events.WinAccepted: _accepted,
    events.RecordRefused: lambda e: f"a record was refused: {e.reason}",
    events.ChampionChanged: lambda e: f"this node now builds on “{e.title}”",
    events.Stopping: lambda e: e.reason,
}
