"""How often a model's ideas are tried, beside all others."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.proposers.llm import LlmProposer
from experiments.proposers.llm_answer import read_answer
from experiments.proposers.mixed import every_proposer
from tests.experiments.lab import Lab, toy
from tests.experiments.llm_server import GOOD
from tests.experiments.test_no_repeats import baseline, chooser_of


def test_a_models_ideas_get_their_share_whatever_their_family(tmp_path: Path) -> None:
    """A quarter of the choices, first in their family; the others go by the odds."""
    lab, llm = Lab(toy().task), LlmProposer()
    situation = chooser_of(tmp_path, lab).situation(baseline(lab))
    llm.take(situation, read_answer(json.dumps({**GOOD, "family": "code"})))
    chosen: list[str] = []
    for seed in range(24):
        chooser = chooser_of(tmp_path, lab, seed=seed, proposers=every_proposer(llm))
        found = chooser.next(baseline(lab))
        assert found is not None
        chosen.append(found[0].proposer)
    assert len(chosen) > chosen.count("llm") >= len(chosen) // 8


def test_it_is_not_given_twice_and_research_goes_on_without(tmp_path: Path) -> None:
    lab, llm = Lab(toy().task), LlmProposer()
    chooser = chooser_of(tmp_path, lab, proposers=every_proposer(llm))
    llm.take(chooser.situation(baseline(lab)), read_answer(json.dumps(GOOD)))
    chosen = [chooser.next(baseline(lab)) for _ in range(20)]
    proposers = [each[0].proposer for each in chosen if each is not None]
    assert proposers.count("llm") == 1 and len(proposers) > 10
    assert llm.waiting(chooser.situation(baseline(lab))) == 0
