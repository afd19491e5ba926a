"""
How many records a second one thread validates, and appends to a journal.

The records are wins of a typical size: a diff of 120 lines, eight pairs and 40
held-out files. One Ed25519 verification is the floor under every figure, so the
promise is a ratio to it: validating and appending a record costs at most
1 / 0.24 verifications, which is 5,000 records a second where one core verifies
21,000. The steps take turns over small batches and the best batch counts, so
that a busy machine spoils all of them alike.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nacl.bindings import crypto_sign_open

from benchmarks.result import write_result
from gossip.journal import Journal, Stored
from swarm.records import Block, Pair, kind_of
from swarm.validation import Valid, validate
from tests.swarm.record_samples import ANN, DIFF, SCOPE, WIN

RECORDS = 10_000
BATCH = 250
ACCEPT_OVER_VERIFY = 0.24


def main() -> int:
    """Time the steps in turns; 1 where the promise is missed."""
    envelopes = [_envelope(number) for number in range(RECORDS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        with Journal.open(path) as journal:
            verified, validated, accepted = _rates(envelopes, journal)
            assert journal.count() == RECORDS
    ratio = round(accepted / verified, 3)
    write_result(
        "records",
        {
            "records": RECORDS,
            "envelope_bytes": len(envelopes[0]),
            "batch_records": BATCH,
            "verify_signature_per_second": round(verified),
            "validate_per_second": round(validated),
            "validate_and_append_per_second": round(accepted),
            "validate_over_verify": round(validated / verified, 3),
            "accept_over_verify": ratio,
            "promised_accept_over_verify": ACCEPT_OVER_VERIFY,
        },
    )
    return 0 if ratio >= ACCEPT_OVER_VERIFY else 1


def _rates(envelopes: Sequence[bytes], journal: Journal) -> tuple[float, float, float]:
    """Records per second of the best batch: verified only, validated, validated and appended."""
    message = bytes(len(envelopes[0]))
    signed = ANN.sign(message) + message
    best = [float("inf")] * 3
    for start in range(0, len(envelopes), BATCH):
        batch = envelopes[start : start + BATCH]
        seconds = (
            _seconds(lambda: [crypto_sign_open(signed, ANN.public_key) for _ in range(BATCH)]),
            _seconds(lambda batch=batch: [validate(envelope, SCOPE) for envelope in batch]),
            _seconds(lambda batch=batch: _accept(batch, journal)),
        )
        best = list(map(min, best, seconds))
    return BATCH / best[0], BATCH / best[1], BATCH / best[2]


def _accept(batch: Sequence[bytes], journal: Journal) -> None:
    """What a node does with bytes from the network: validate each, append them at once."""
    journal.append([_stored(validate(envelope, SCOPE)) for envelope in batch])


def _stored(valid: Valid) -> Stored:
    record = valid.record
    return Stored(valid.id, kind_of(record), record.author, record.created_at_ms, valid.envelope)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _envelope(number: int) -> bytes:
    """A win of about 4 KB, different for each number."""
    lines = "".join(f"-setting_{n} = {n}\n+setting_{n} = {n * 7919 + number}\n" for n in range(60))
    win = replace(
        WIN,
        created_at_ms=WIN.created_at_ms + number,
        diff=DIFF + lines,
        pairs=tuple(Pair(seed, 3_653_000_000 + seed, 3_020_000_000 + seed) for seed in range(8)),
        blocks=tuple(Block(20_000 + n, 584 * 10**12 + n, 483 * 10**12 + n) for n in range(40)),
    )
    return ANN.seal(win)


if __name__ == "__main__":
    sys.exit(main())
