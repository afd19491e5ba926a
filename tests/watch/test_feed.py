"""What is kept of what happens in a node."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

import pytest

from swarm import events
from swarm.statistics import Effect
from tests.watch.test_event_stream import IDEA
from watch.event_text import name_of, text_of
from watch.feed import KEPT, MOST_PAIRS, Feed
from watch.json_text import as_array, to_json, with_rows

SAMPLES: dict[str, Any] = {
    "int": 3,
    "float": 1.5,
    "bool": True,
    "str": "words",
    "Direction": "minimize",
    "RecordId": "b" * 59,
    "Hypothesis": IDEA,
    "Effect": Effect(0.5, 0.25, 0.75, 3),
}


def sample(kind: type[Any]) -> events.Event:
    """An event of a kind, its fields filled by their types."""
    given: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        given[each.name] = SAMPLES[str(each.type).partition(" ")[0]]
    return kind(**given)


@pytest.mark.parametrize("kind", get_args(events.Event), ids=lambda kind: kind.__name__)
def test_every_event_can_be_told_and_kept(kind: type[Any]) -> None:
    """In one line, and as JSON that holds no path and no token of this machine."""
    event, feed = sample(kind), Feed("9f2c61d0", lambda: 7)
    assert text_of(event) and "\n" not in text_of(event)
    feed.note(event)
    for entry in feed.latest(KEPT):
        told = json.loads(entry.line)
        assert (told["id"], told["at_ms"], told["event"]) == (1, 7, name_of(event))
        assert not told.keys() & {"home", "url", "diff"}


def test_the_ring_is_bounded_and_knows_what_it_forgot() -> None:
    feed = Feed("9f2c61d0", lambda: 0)
    for number in range(KEPT + 10):
        feed.note(events.NetworkTrouble(str(number)))
    assert feed.after(9) is None
    kept = feed.after(10)
    assert kept is not None and len(kept) == KEPT and kept[0].number == 11
    assert feed.after(feed.last) == [] and feed.after(feed.last + 1) is None


def test_a_measurement_is_followed_from_its_start_to_its_end() -> None:
    """What is measured again begins its pairs anew; pairs are bounded."""
    feed = Feed("9f2c61d0", lambda: 0)
    feed.note(events.ExperimentStarted(4, IDEA, "why not"))
    feed.note(events.CheckStarted(-1, "b", "theirs", "bob", "its turn"))
    feed.note(events.RunProgress(0, "baseline", 1, "train", 1, 2, None))
    assert [each["kind"] for each in feed.running] == ["experiment", "check", "baseline"]
    for _ in range(MOST_PAIRS + 1):
        feed.note(events.PairMeasured(4, 1, 2.0, 1.0))
    assert len(feed.running[0]["pairs"]) == MOST_PAIRS  # pyright: ignore[reportArgumentType]
    feed.note(events.MeasuringAgain(4, 5))
    assert feed.running[0]["pairs"] == [] and feed.running[0]["fresh"]
    feed.note(events.BaselineMeasured(3.5, 20.0))
    feed.note(events.CheckFinished(-1, "b", "theirs", 0.5, None, "no code here", 1.0))
    feed.note(events.ExperimentFinished(4, IDEA, "win", None, "", 1.0))
    feed.note(events.PairMeasured(4, 1, 2.0, 1.0))
    assert feed.running == [] and feed.baseline == 3.5


def test_json_has_no_word_for_what_is_not_finite() -> None:
    value = {"a": [float("nan"), 1.5, (float("inf"), "ü")], "b": {"c": float("-inf")}}
    assert to_json(value) == b'{"a":[null,1.5,[null,"\\u00fc"]],"b":{"c":null}}'


def test_rows_are_joined_to_a_document() -> None:
    assert with_rows({"a": 1}, {"rows": as_array([b"1", b"{}"])}) == b'{"a":1,"rows":[1,{}]}'
    assert with_rows({}, {"rows": as_array([])}) == b'{"rows":[]}'
