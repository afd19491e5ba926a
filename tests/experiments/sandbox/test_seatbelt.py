"""The rules written for macOS; whether they hold can only be tried there, by the contract."""

from __future__ import annotations

from pathlib import Path

from experiments.sandbox import Confinement
from experiments.sandbox.seatbelt import SeatbeltSandbox, profile


def test_all_is_denied_but_what_is_named(tmp_path: Path) -> None:
    """Writing is allowed in the writable folders alone, starting programs to commands alone."""
    for_child = profile(Confinement((tmp_path / "work",), (tmp_path / "scratch",)), programs=False)
    rules = for_child.splitlines()
    assert rules[:2] == ["(version 1)", "(deny default)"]
    writing = [rule for rule in rules if "file-write" in rule]
    assert writing == [f'(allow file-write* (subpath "{tmp_path / "scratch"}"))']
    assert "network" not in for_child and "process-exec" not in for_child
    assert "process-fork" not in for_child
    assert "(allow process-exec*)" in profile(Confinement(()), programs=True)
    assert for_child.count("(") == for_child.count(")")


def test_a_path_cannot_end_its_quotation(tmp_path: Path) -> None:
    """A folder's name is data, whatever is in it."""
    text = profile(Confinement((), (tmp_path / 'a")) (allow default) (x "',)), programs=False)
    assert '\\")) (allow default) (x \\"' in text


def test_a_command_is_wrapped_with_its_profile(tmp_path: Path) -> None:
    wrapped = SeatbeltSandbox().wrap(["true"], Confinement((), (tmp_path,)))
    assert wrapped[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert wrapped[-1] == "true"
