"""What the person who started a node reads, on a terminal and in a file."""

import io
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from cli.console import NodeConsole
from swarm import events
from swarm.hypothesis import Hypothesis
from swarm.statistics import Effect

BEGIN = events.Started(
    "quick", "val_bpb", "bits/byte", "minimize", 2.0, 0.05, 1, "/data/ann/swarm", "ann"
)
IDEA = Hypothesis(
    None, "0" * 64, (), "", "1" * 64, "TIED False → True", "Why not.", "init", "knobs", (), False
)
ENDED = events.ExperimentFinished(3, IDEA, "no_gain", None, "unlikely", 12.0)


def told(*seen: events.Event, width: int = 160, terminal: bool = False) -> list[str]:
    """The lines that these events give."""
    out = io.StringIO()
    screen = Console(
        file=out, width=width, force_terminal=terminal, highlight=False, soft_wrap=True,
        color_system=None,
    )  # fmt: skip
    console = NodeConsole(screen)
    for event in seen:
        console.report(event)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_start_says_what_for_where_and_how_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/swarm", "start", "--home", "/h"])
    task, node, look = told(BEGIN)
    assert "quick: val_bpb in bits/byte, lower is better, goal 2; kept is what gains 0.05" in task
    assert "1 worker, as “ann”, home /data/ann/swarm" in node
    assert "Ctrl-C stops it; look from elsewhere: .venv/bin/swarm leaderboard --home /h" in look
    assert "observing only, without a nickname" in told(replace(BEGIN, workers=0, nickname=""))[1]


def test_a_restart_says_that_it_goes_on_and_the_end_counts_on() -> None:
    out = io.StringIO()
    console = NodeConsole(Console(file=out, width=160))
    console.report(events.GoingOn(2, 1, "TIED False → True"))
    console.report(replace(ENDED, outcome="win", effect=Effect(-0.06, -0.08, -0.04, 5)))
    console.goodbye()
    going, kept, end = out.getvalue().splitlines()
    assert going.strip() == "going on  2 experiments, 1 win so far; builds on “TIED False → True”"
    assert "KEPT -0.0600, 95 % interval -0.0800 to -0.0400 [12 s]" in kept
    assert end.strip() == "end  3 experiments, 2 wins so far; see `swarm leaderboard`"


def test_few_pairs_are_said_to_be_few() -> None:
    """One pair has a difference, two have no interval worth telling."""
    begun = events.ExperimentStarted(3, IDEA, "Because.")
    pair = events.PairMeasured(3, 1, 5.5, 5.6)
    *_, shown, verdict = told(begun, pair, ENDED)
    assert shown.strip() == "#3  pair 1 of at most 8: 5.5000 → 5.6000 (+0.1000)"
    assert "not kept (no gain) +0.1000 in one pair: unlikely" in verdict
    two = told(begun, pair, pair, replace(ENDED, effect=Effect(0.1, -1.0, 1.2, 2)))[-1]
    assert "+0.1000 in 2 pairs: unlikely" in two


def test_fresh_pairs_are_counted_anew() -> None:
    again = events.MeasuringAgain(3, 5)
    shown = told(events.PairMeasured(3, 3, 5.6, 5.5), again, events.PairMeasured(3, 1, 5.6, 5.5))
    assert "fresh pair 1 of 5" in shown[-1]


def test_small_values_keep_their_digits() -> None:
    shown = told(events.PairMeasured(1, 1, 0.00012346, 0.0001))
    assert "0.0001235 → 0.0001 (-2.346e-05)" in shown[0]


def test_long_messages_hang_on_a_terminal_and_stay_whole_elsewhere() -> None:
    words = "a sentence that goes on for longer than sixty columns have room for, as some do"
    trouble = events.NetworkTrouble(words)
    lines = told(trouble, width=60, terminal=True)
    assert len(lines) == 2 and lines[1].startswith(" " * 12) and lines[1].strip() in words
    assert told(trouble, width=60) == [f"   network  {words}"]
    address = (
        "listening on /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj"
    )
    heard = events.Listening(address.removeprefix("listening on "))
    assert told(heard, width=60, terminal=True) == [address]


@pytest.mark.parametrize("width", [60, 120])
def test_a_run_says_its_phase_and_fits(width: int) -> None:
    out = io.StringIO()
    screen = Console(file=out, width=width, force_terminal=True, color_system=None)
    console = NodeConsole(screen)
    run = events.RunProgress(12, "candidate", 7, "train", 500, 1000, 3.941)
    with console:
        console.report(run)
        console.report(replace(run, phase="evaluate", loss=None))
        console.report(replace(run, number=-1, arm="base"))
        console.report(replace(run, number=0, arm="baseline", budget_tokens=0))
        console._progress.refresh()  # pyright: ignore[reportPrivateUsage]
        lines = out.getvalue().replace("\r", "\n").splitlines()
    shown = [line.partition("\x1b[2K")[2] or line for line in lines]
    assert any("#12 pair 1 candidate, evaluating" in line and " 50 %" in line for line in shown)
    assert any("check base, training" in line for line in shown)
    assert any("loss 3.94 nats" in line for line in shown) == (width == 120)
