"""Many names under one will: what they can say, whom they convince, and whom not."""

from __future__ import annotations

from dataclasses import replace

from experiments.opinions import Opinions
from experiments.proposers.known import foldable_wins
from gossip.identity import Identity
from swarm.cid import cid_of
from swarm.findings import Finding, findings
from swarm.records import Record, RecordId, Replication, encode
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint
from tests.experiments.lab import SOMEBODY, Lab, claimed, toy
from tests.hostile.forgeries import LIARS, best_ever, seen_by

TASK = toy().task
RULE = Yardstick.of(TASK)
REAL = {"SHIFT": "small"}


def lab_with(*records: Record) -> Lab:
    """A node to which all of this came, in this order."""
    lab = Lab(TASK)
    lab.hear(*records)
    return lab


def finding(lab: Lab, record: RecordId, viewpoint: Viewpoint) -> Finding:
    (found,) = [each for each in findings(lab.board, RULE, viewpoint) if record in each.records]
    return found


def mine(lab: Lab) -> Viewpoint:
    return Viewpoint(lab.anchors())


def foldable(lab: Lab) -> list[RecordId]:
    found = Opinions(TASK, lab).mine()
    return [win.record for win in foldable_wins(lab.board, None, found, "minimize", lab.tree_of)]


def own_check(lab: Lab, record: RecordId, gain: float) -> Replication:
    return seen_by(lab.identity, record, TASK, gain)


def test_sybils_who_confirm_each_other_convince_the_shared_board_alone() -> None:
    """Ten names say so and the board repeats it; a node that looks itself believes itself."""
    win = best_ever(TASK, {"SLOPE": 0.05}, LIARS[0])
    record = cid_of(encode(win))
    lab = lab_with(win, *(seen_by(liar, record, TASK, 2.6) for liar in LIARS[1:]))
    assert finding(lab, record, NEUTRAL).state == "replicated", "what trust.md does not promise"
    assert finding(lab, record, mine(lab)).state == "claimed"
    assert Opinions(TASK, lab).known() == {lab.identity.peer_id}
    lab.hear(own_check(lab, record, 0.0))
    assert finding(lab, record, mine(lab)).verdict.confirming == 0
    assert foldable(lab) == []


def test_sybils_who_deny_a_win_do_not_keep_a_node_from_it() -> None:
    """Nine false negatives turn the shared board; who measured it goes on building on it."""
    record, win = claimed(TASK, 0.3, {**REAL})
    lab = lab_with(win, *(seen_by(liar, record, TASK, -0.3) for liar in LIARS))
    assert finding(lab, record, NEUTRAL).state == "refuted", "what trust.md does not promise"
    assert foldable(lab) == [record], "before it was measured here"
    lab.hear(own_check(lab, record, 0.3))
    assert foldable(lab) == [record], "and after"
    assert SOMEBODY.peer_id in Opinions(TASK, lab).known()


def test_a_copied_win_shares_an_entry_and_earns_nothing() -> None:
    """Dated back, measurements and all: one entry, one set of pairs, no voice, no trust."""
    record, win = claimed(TASK, 0.3, {**REAL})
    thief = LIARS[0]
    copy = replace(win, author=thief.peer_id, created_at_ms=1)
    lab = lab_with(win, copy)
    shared = finding(lab, record, NEUTRAL)
    assert shared.records == (cid_of(encode(copy)), record), "dates are said, not proven"
    assert len(shared.pairs) == len(win.pairs)
    assert foldable(lab) == [record], "what is measured is the claim that came first"
    for author in (thief, SOMEBODY):
        lab.hear(seen_by(author, record, TASK, 0.3))
    assert finding(lab, record, NEUTRAL).voices == (), "nobody is a voice on their own claim"
    lab.hear(own_check(lab, record, 0.3))
    assert Opinions(TASK, lab).known() == {lab.identity.peer_id, SOMEBODY.peer_id}


def test_a_replication_handed_round_among_names_counts_once() -> None:
    """Equal measurements under ten names are one voice, or none where the seeds are another's."""
    record, win = claimed(TASK, 0.3, {**REAL})
    first = seen_by(LIARS[0], record, TASK, 2.6)
    again = [_under_another_name(liar, first) for liar in LIARS[1:]]
    lab = lab_with(win, first, *again)
    assert len(finding(lab, record, NEUTRAL).voices) == 1
    assert finding(lab, record, NEUTRAL).state == "claimed"


def _under_another_name(liar: Identity, said: Replication) -> Replication:
    own = seen_by(liar, said.win, TASK, 0.0)
    return replace(own, pairs=said.pairs, challenge_pairs=said.challenge_pairs)
