"""Starts that cannot succeed end at once, in words, and leave a trace."""

from pathlib import Path

from tests.cli.homes import swarm

SILENT = """
name = "silent"
title = "A task whose script does not say its metric"
harness = "command"
editable = ["train.py"]
steps = ["echo working", "python train.py"]
seeds = 1000
min_effect = 0.001
sigma = 0.0005
alpha = 0.01
[metric]
name = "loss"
direction = "minimize"
unit = "m"
[budget]
seconds = 60
"""


def test_a_baseline_that_fails_is_told_cause_first_and_logged(tmp_path: Path) -> None:
    task, home = tmp_path / "task", tmp_path / "home"
    task.mkdir()
    (task / "task.toml").write_text(SILENT)
    (task / "train.py").write_text("print('lozz: 1')\n")
    said = swarm("start", "--task", str(task), "--listen", "/ip4/127.0.0.1/tcp/0", home=home)
    assert said.status == 1
    first, *rest = said.err.splitlines()
    assert first.startswith("error: the baseline of task silent does not complete")
    assert "the metric was not printed; print a line such as `loss: 1.234`" in first
    assert rest[-2:] == ["working", "lozz: 1"]
    assert "silent: loss in m, lower is better" in said.out
    assert "the metric was not printed" in (home / "node.log").read_text()


def test_an_address_to_join_without_a_peer_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    said = swarm("start", "--join", "/ip4/1.2.3.4/tcp/99", home=tmp_path / "home")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("error: the command line: --join: '/ip4/1.2.3.4/tcp/99' does not")


def test_a_home_that_is_not_there_has_no_status(tmp_path: Path) -> None:
    said = swarm("status", home=tmp_path / "nowhere")
    assert (said.status, said.out) == (1, "")
    assert f"there is no home at {tmp_path}/nowhere" in said.err


def test_the_version_can_be_asked() -> None:
    assert swarm("--version").out.startswith("research-swarm ")
