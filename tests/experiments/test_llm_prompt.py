"""What a question tells a model."""

from __future__ import annotations

from experiments.proposers import Champion, Situation
from experiments.proposers.llm_prompt import Surroundings, question
from swarm.bounds import Bounds, KnobBounds
from tests.experiments.lab import toy


def test_bounds_are_told_to_the_model() -> None:
    task = toy().task
    bounds = Bounds({"SHIFT": KnobBounds(exclude=True), "SLOPE": KnobBounds(low=0.5)})
    place = Situation(
        task, Champion(None, task.baseline, None), (), False, lambda b, t: False, lambda: 0.5,
        bounds=bounds,
    )  # fmt: skip
    around = Surroundings("", "", (), lambda finding: "", excluded=("batch",))
    [system, user] = [each["content"] for each in question(place, around, "f" * 16)]
    assert "SHIFT: stays as it is" in user and "only low 0.5" in user
    assert "only values in its settings block may change" in user
    assert "batch" not in system and "norm" in system
