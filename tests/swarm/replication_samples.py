"""Replications on the seeds that their author's signature selects."""

from dataclasses import replace

from swarm.challenge import select
from swarm.cid import cid_of
from swarm.records import Pair, RecordId, Replication, encode
from swarm.validation import challenge_message
from swarm.verdict import Yardstick
from tests.swarm.record_samples import REPLICATION, Author

YARDSTICK = Yardstick("minimize", sigma=0.05, min_effect=0.05, seeds=1_000_000)


def replication_of(
    win: RecordId,
    author: Author,
    gain: float,
    *,
    base: float = 3.6,
    baseline: float | None = None,
    holdout: float | None = None,
) -> Replication:
    """
    What `author` measured of a win: `gain` on the challenge slice and on validation.

    The slice is harder or easier from author to author, and seeds differ a little.
    """
    signature = author.sign(challenge_message(win))
    slice_nano = int.from_bytes(signature[:3], "big")
    seeds = select(signature, YARDSTICK).seeds
    base_nano = round(base * 1e9) + slice_nano
    better = round(gain * 1e9)
    return replace(
        REPLICATION,
        author=author.peer_id,
        win=win,
        challenge=signature,
        pairs=tuple(Pair(seed, base_nano, base_nano - better) for seed in seeds),
        challenge_pairs=tuple(
            Pair(seed, base_nano, base_nano - better + 1_000_000 * number)
            for number, seed in enumerate(seeds)
        ),
        baseline=()
        if baseline is None
        else tuple((seed, round(baseline * 1e9) + slice_nano) for seed in seeds),
        holdout_nano=None if holdout is None else round(holdout * 1e9),
    )


def identified(record: Replication) -> tuple[RecordId, Replication]:
    """A replication with its id."""
    return cid_of(encode(record)), record
