"""What a person can fix is said in one sentence; a bug keeps its traceback."""

from importlib import import_module
from pathlib import Path

import pytest

from cli.failures import EXPLAINED, explained
from gossip.journal_faults import missing


@pytest.mark.parametrize(("module", "name"), EXPLAINED)
def test_every_error_that_is_explained_exists(module: str, name: str) -> None:
    assert issubclass(getattr(import_module(module), name), Exception)


def test_a_known_error_is_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(missing(Path("a\x1b[31mb"))) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: no journal at a[31mb: start a node with `swarm start`\n"


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        explained(ZeroDivisionError())
