"""Hints can be typed as they stand."""

import sys
from pathlib import Path

import pytest

from cli.hints import command, spelled, starting
from swarm.settings import Settings


@pytest.mark.parametrize(
    ("called", "hint"),
    [
        ((".venv/bin/swarm", "status"), ".venv/bin/swarm start"),
        (("/x y/swarm",), "'/x y/swarm' start"),
        (("/r/cli/main.py", "status"), "swarm start"),
        (("/r/cli/main.py", "status", "--home", "/h"), "swarm start --home /h"),
        (("/r/cli/main.py", "--home=/a b", "status"), "swarm start --home '/a b'"),
    ],
)
def test_a_hint_repeats_how_the_program_was_called(called: tuple[str, ...], hint: str) -> None:
    assert command("start", called) == hint


def test_a_program_on_the_path_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "swarm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert command("stop", (str(program),)) == f"{program} stop"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("stop", (str(program),)) == "swarm stop"


def test_a_home_goes_where_there_is_room_for_one() -> None:
    called = ("swarm", "--home", "/h")
    assert command("task list", called) == "swarm task list"
    assert command("stop --home /other", called) == "swarm stop --home /other"


def test_texts_are_spelled_hint_by_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bin/swarm", "best", "--home", "/h"])
    assert spelled("`swarm start` or `swarm show ID`: no `code`, no swarm") == (
        "`bin/swarm start --home /h` or `bin/swarm show ID --home /h`: no `code`, no swarm"
    )


def test_a_start_names_the_topic_or_a_task_that_is_not_the_default() -> None:
    assert starting("quick", "lab") == "start --topic lab"
    assert starting(Settings.model_validate({}).task) == "start"
    assert starting("my tasks/one") == "start --task 'my tasks/one'"
