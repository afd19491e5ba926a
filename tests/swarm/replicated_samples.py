"""Boards of replicated wins, seen on three texts, for tests of wear and of the holdout."""

import numpy as np

from swarm.board import Board, Claim
from swarm.challenge import select
from swarm.cid import cid_of
from swarm.records import RecordId
from swarm.validation import challenge_message
from swarm.verdict import Evidence, Pairs, Yardstick
from tests.swarm.record_samples import ANN, Author

YARDSTICK = Yardstick("minimize", sigma=0.004, min_effect=0.005, seeds=1_000_000)
REPLICATORS = (Author(2), Author(3))
GAIN = 0.03


def scaled(pairs: Pairs, factor: float, shift: float = 0.0) -> Pairs:
    """The same runs on a text `factor` as hard, the candidate off by `shift`."""
    return tuple(
        (seed, round(base * factor), round(candidate * factor + shift * 1e9))
        for seed, base, candidate in pairs
    )


def board_of(gaps: list[float], holdout_gaps: list[float] | None = None) -> Board:
    """A lineage of wins, each replicated twice; validation flatters win i by gaps[i]."""
    rng = np.random.default_rng(len(gaps))
    wins: dict[RecordId, Claim] = {}
    replications: dict[RecordId, Evidence] = {}
    base: RecordId | None = None
    level, holdout = 3.6, 3.7
    for i, gap in enumerate(gaps):
        win = cid_of(b"win %d" % i)
        tree = f"{i:064x}"
        seeds = (1, 2, 3)
        claimed = tuple((seed, int(level * 1e9), int((level - GAIN) * 1e9)) for seed in seeds)
        wins[win] = Claim(ANN.peer_id, "", "t", "init", "cpu", i, base, (), tree, claimed)
        holdout -= GAIN + (holdout_gaps[i] if holdout_gaps else 0.0)
        for author in REPLICATORS:
            challenge = author.sign(challenge_message(win))
            pairs = tuple(
                (seed, round((level + a) * 1e9), round((level - GAIN + b) * 1e9))
                for seed in select(challenge, YARDSTICK).seeds
                for a, b in [rng.normal(0, 0.003, 2)]
            )
            replications[cid_of(challenge)] = Evidence(
                author=author.peer_id,
                win=win,
                challenge=challenge,
                pairs=pairs,
                validation=scaled(pairs, 1.05, -gap),
                baseline=(),
                holdout_nano=round(holdout * 1e9) if holdout_gaps else None,
            )
        base, level = win, level - GAIN
    return Board(wins, replications)
