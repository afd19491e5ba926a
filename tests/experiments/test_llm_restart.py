"""What a model was paid for outlives the node: ideas that wait, and a repair that is due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from experiments.memory import Memory
from experiments.proposers import Champion
from experiments.proposers.llm_answer import read_answer
from experiments.proposers.llm_pending import MAX_BYTES, Failed, Failure, Pending, Waiting
from swarm.canonical import pack
from swarm.hypothesis import Hypothesis
from swarm.records import TreeHash
from swarm.settings import SearchSettings
from swarm.turning import turned
from tests.experiments.lab import Lab, toy
from tests.experiments.llm_server import Scripted, Step, good, serving, unused_url
from tests.experiments.test_llm_service import (
    Desk,
    crashed,
    desk_of,
    hypothesis_of,
    no_pauses,
    until,
)

__all__ = ["no_pauses"]

NOTHING = Step("no idea")
WAITING = Waiting("a" * 64, read_answer(good().text))
PENDING = Pending(
    ideas=(WAITING,),
    failed=Failed("b" * 64, Failure("t", "--- a\n", "crashed", "it\x1b[2J failed\r\n")),
    repairs=("c" * 64,),
)


def kept(lab: Lab) -> Pending:
    return Memory(lab, lab.task.baseline).pending()


def repairs(script: Scripted) -> list[str]:
    asked = [script.told(number) for number in range(len(script.asked))]
    return [each for each in asked if "That idea of yours did not run" in each]


def was(idea: Hypothesis, base: TreeHash, tree: TreeHash) -> bool:
    return (base, tree) == (idea.base_tree, idea.tree)


async def stocked(lab: Lab, folder: Path, *steps: Step) -> Hypothesis:
    """A life of a node in which an idea was paid for; it ends before the idea was tried."""
    with serving(*steps, NOTHING) as script:
        async with desk_of(script, folder, lab=lab) as desk:
            await until(lambda: kept(lab).ideas)
            return desk.idea()


async def test_ideas_that_were_ready_are_offered_after_a_restart(tmp_path: Path) -> None:
    """The same trees, for no question at all."""
    lab = Lab(toy().task)
    idea = await stocked(lab, tmp_path, good())
    async with desk_of(Scripted((), url=unused_url()), tmp_path, lab=lab) as desk:
        await until(desk.families)
        assert desk.idea() == idea


async def test_what_is_known_by_then_holds_after_a_restart(tmp_path: Path) -> None:
    """An idea that was tried, or that the person does not want any more, does not come back."""
    lab = Lab(toy().task)
    idea = await stocked(lab, tmp_path, good())
    unwanted = SearchSettings(exclude_families=("init",))
    with serving(NOTHING) as script:
        async with desk_of(script, tmp_path, lab=lab, search=unwanted) as desk:
            await until(lambda: script.asked and not kept(lab).ideas)
            assert desk.families() == set()
    await stocked(lab, tmp_path, good())
    with serving(NOTHING) as script:
        async with desk_of(script, tmp_path, lab=lab) as desk:
            desk.situation = replace(desk.situation, tried=partial(was, idea))
            await until(lambda: script.asked and not kept(lab).ideas)
            assert desk.families() == set()


async def test_what_stands_on_another_base_is_dropped(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    idea = await stocked(lab, tmp_path, good())
    failed = Failed(idea.base_tree, Failure("t", idea.diff, "crashed", "it failed"))
    lab.memory["llm"] = replace(kept(lab), failed=failed).to_bytes()
    moved = Champion("b1", turned(lab.task.baseline, {"WIDTH": 4}), 2.2)
    with serving(NOTHING) as script:
        async with desk_of(script, tmp_path, lab=lab, champion=moved) as desk:
            await until(lambda: len(script.asked) > 1 and kept(lab) == Pending())
            assert desk.families() == set()
    assert repairs(script) == []


async def test_a_repair_that_is_due_is_asked_for_after_a_restart_and_once(tmp_path: Path) -> None:
    """The node stops while it waits for an answer, and again before the repair was tried."""
    lab = Lab(toy().task)
    first, second = (
        good(edits=[{"path": "train.py", "search": "import os", "replace": f"import os\n{line}"}])
        for line in ("print(undefined)", "print(1)")
    )
    with serving(first, Step("late", seconds=60)) as script:
        async with desk_of(script, tmp_path, lab=lab) as desk:
            await until(lambda: len(script.asked) == 2)
            desk.service.finished(desk.idea(), crashed("NameError: undefined"))
            await until(lambda: kept(lab).failed)
    async with desk_of(Scripted((), url=unused_url()), tmp_path, lab=lab) as desk:
        await until(lambda: desk.told)
    assert kept(lab).failed is not None, "nobody could be asked"
    with serving(NOTHING, repair=second) as script:
        async with desk_of(script, tmp_path, lab=lab) as desk:
            await until(lambda: kept(lab).repairs)
    assert "NameError: undefined" in repairs(script)[0]
    assert (len(repairs(script)), kept(lab).failed) == (1, None)
    with serving(NOTHING, repair=second) as script:
        async with desk_of(script, tmp_path, lab=lab) as desk:
            await until(lambda: len(ready(desk)) == 2)
            desk.service.finished(hypothesis_of(desk, "print(1)"), crashed("again"))
            await trio.sleep(0.2)
    assert repairs(script) == [], "no second round"


def ready(desk: Desk) -> Sequence[Waiting]:
    return desk.service.proposer.pending()


DAMAGED = (
    b"",
    b"\xff" * 9,
    pack({}),
    pack(["version", 1]),
    b"x" * (MAX_BYTES + 1),
    PENDING.to_bytes()[:-1],
    PENDING.to_bytes().replace(b"version\x01", b"version\x02"),
    replace(PENDING, ideas=(WAITING,) * 5).to_bytes(),
    replace(PENDING, ideas=(replace(WAITING, base="b"),)).to_bytes(),
    replace(
        PENDING, ideas=(Waiting("a" * 64, replace(WAITING.answer, title="a\x1bb")),)
    ).to_bytes(),
    replace(PENDING, failed=Failed("b" * 64, Failure("t", "d", "crashed", "x" * 5000))).to_bytes(),
)


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
async def test_what_cannot_be_read_is_nothing(tmp_path: Path, data: bytes) -> None:
    """The node asks as if it had never run, and what it keeps then is whole."""
    lab = Lab(toy().task)
    lab.memory["llm"] = data
    assert kept(lab) == Pending()
    with serving(good(), NOTHING) as script:
        async with desk_of(script, tmp_path, lab=lab) as desk:
            await until(lambda: kept(lab).ideas)
            assert desk.families() == {"init"}
    assert json.loads(good().text)["title"] == kept(lab).ideas[0].answer.title


def test_what_is_kept_is_read_back_as_it_was() -> None:
    assert Pending.of_bytes(PENDING.to_bytes()) == PENDING
    assert Pending.of_bytes(Pending().to_bytes()) == Pending()


@given(st.data())
def test_bytes_that_change_on_the_disk_harm_nobody(data: st.DataObject) -> None:
    """Whatever is read is within its bounds, or nothing."""
    whole = bytearray(PENDING.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = Pending.of_bytes(bytes(whole))
    assert len(found.ideas) <= 1 and Pending.of_bytes(found.to_bytes()) == found
