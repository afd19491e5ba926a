"""The list of trusted peers survives, and what is not one is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossip.trust_file import MAX_PEERS, TrustError, load, save
from tests.swarm.record_samples import ANN, BOB


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """And no file is nobody."""
    path = tmp_path / "trust.json"
    assert load(path) == frozenset()
    save(path, {ANN.peer_id, BOB.peer_id})
    assert load(path) == {ANN.peer_id, BOB.peer_id}
    save(path, ())
    assert load(path) == frozenset()


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "{}", "[1]", '["12D3KooWnot"]', "[[]]", "[null]", "[" * 9999, '"12D3"'],
)
def test_a_file_that_is_no_list_of_peers_is_an_error(tmp_path: Path, content: str) -> None:
    """Never an empty list: that would silently change whose word counts."""
    path = tmp_path / "trust.json"
    path.write_text(content)
    with pytest.raises(TrustError, match=str(path)):
        load(path)


def test_the_list_is_bounded(tmp_path: Path) -> None:
    """One more than fits is refused, and nothing is written."""
    with pytest.raises(TrustError, match="remove one"):
        save(tmp_path / "trust.json", [f"peer{i}" for i in range(MAX_PEERS + 1)])
    assert not (tmp_path / "trust.json").exists()
