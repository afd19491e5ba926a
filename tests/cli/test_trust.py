"""`swarm trust` names peers, lists them and takes them off."""

from __future__ import annotations

from pathlib import Path

from gossip.identity import load_or_create
from tests.cli.homes import swarm
from tests.swarm.record_samples import ANN, BOB


def test_peers_are_named_listed_and_removed(tmp_path: Path) -> None:
    """In a home that no node has used yet."""
    assert "nobody yet" in swarm("trust", "--list", home=tmp_path).out
    for author in (ANN, BOB):
        assert swarm("trust", author.peer_id, home=tmp_path).status == 0
    both = sorted([ANN.peer_id, BOB.peer_id])
    assert swarm("trust", "--list", home=tmp_path).out.split() == both
    assert swarm("trust", "--list", "--json", home=tmp_path).json == {"trusted": both}
    assert swarm("trust", "--remove", ANN.peer_id, home=tmp_path).status == 0
    assert swarm("trust", "--list", home=tmp_path).out.split() == [BOB.peer_id]


def test_what_cannot_be_trusted_is_said(tmp_path: Path) -> None:
    """No peer, not a peer id, not on the list, and this node itself."""
    own = load_or_create(tmp_path / "identity.key").peer_id
    for words, said in (
        ((), "swarm trust PEER"),
        (("bob",), "no peer id"),
        (("--remove", BOB.peer_id), "is not trusted"),
        ((own,), "this node itself"),
    ):
        ran = swarm("trust", *words, home=tmp_path)
        assert ran.status == 1 and said in ran.err and "Traceback" not in ran.err
