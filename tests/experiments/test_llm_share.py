"""How often a model's ideas are tried, beside all others."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.proposers.llm import LlmProposer
from experiments.proposers.llm_answer import Answer, Edit, read_answer
from experiments.proposers.mixed import every_proposer
from tests.experiments.lab import Lab, toy
from tests.experiments.llm_server import GOOD
from tests.experiments.test_no_repeats import baseline, chooser_of


def idea(knob: str, before: object, after: object) -> Answer:
    edit = Edit("train.py", f"{knob} = {before!r}", f"{knob} = {after!r}")
    return Answer(f"{knob} at {after}", "", "code", (edit,))


def test_a_models_ideas_get_their_share_whatever_their_family(tmp_path: Path) -> None:
    """The first choice and one in four, at least; the others go by the odds."""
    lab, llm = Lab(toy().task), LlmProposer()
    chooser = chooser_of(tmp_path, lab, proposers=every_proposer(llm))
    for knob, before, values in (("SLOPE", 0.1, (0.3, 3.0, 7.0)), ("WIDTH", 1, (3, 5, 6))):
        for value in values:
            llm.take(chooser.situation(baseline(lab)), idea(knob, before, value))
    chosen = [chooser.next(baseline(lab)) for _ in range(12)]
    proposers = [each[0].proposer for each in chosen if each is not None]
    assert proposers[0] == "llm"
    assert len(proposers) == 12 and 3 <= proposers.count("llm") <= 6


def test_it_is_not_given_twice_and_research_goes_on_without(tmp_path: Path) -> None:
    lab, llm = Lab(toy().task), LlmProposer()
    chooser = chooser_of(tmp_path, lab, proposers=every_proposer(llm))
    llm.take(chooser.situation(baseline(lab)), read_answer(json.dumps(GOOD)))
    chosen = [chooser.next(baseline(lab)) for _ in range(20)]
    proposers = [each[0].proposer for each in chosen if each is not None]
    assert proposers.count("llm") == 1 and len(proposers) > 10
    assert llm.waiting(chooser.situation(baseline(lab))) == 0
