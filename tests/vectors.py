"""
The test vectors of docs/protocol.md, made by the code: `python -m tests.vectors` writes them.

All follow from the Ed25519 seeds 32 × 0x01 and 32 × 0x02 and from records that are
written out in `tests/swarm/record_samples.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

from gossip.ranges import WHOLE, Index, key_of
from gossip.sync_messages import (
    AskKeys,
    AskParts,
    AskRecords,
    Question,
    Records,
    write_keys,
    write_parts,
    write_question,
    write_records,
)
from swarm.cid import cid_of
from swarm.records import encode, kind_of
from tests.swarm.record_samples import ANN, BOB, RECORDS, SCOPE

FILE = Path(__file__).parent.parent / "docs" / "protocol-vectors.json"


def vectors() -> dict[str, object]:
    """Every vector, bytes in hex."""
    records: list[dict[str, str]] = []
    envelopes: list[bytes] = []
    for record in RECORDS:
        author = next(each for each in (ANN, BOB) if each.peer_id == record.author)
        payload, envelope = encode(record), author.seal(record)
        envelopes.append(envelope)
        records.append(
            {
                "kind": kind_of(record),
                "author": author.peer_id,
                "public_key": author.public_key.hex(),
                "payload": payload.hex(),
                "id": cid_of(payload),
                "key": key_of(cid_of(payload)).hex(),
                "envelope": envelope.hex(),
            }
        )
    index = Index().with_ids(row["id"] for row in records)
    scope, keys = f"{SCOPE.topic}#1", tuple(index.keys)

    def said(question: Question, answer: bytes) -> dict[str, str]:
        return {"question": write_question(scope, question).hex(), "answer": answer.hex()}

    return {
        "topic": SCOPE.topic,
        "task": SCOPE.task,
        "records": records,
        "sync": {
            "scope": scope,
            "held": [row["id"] for row in records],
            "fingerprint": index.part(WHOLE).fingerprint.hex(),
            "parts": said(AskParts("win", (WHOLE,), 2), write_parts(index.cut(WHOLE, 2))),
            "keys": said(AskKeys("win", (WHOLE,)), write_keys(keys)),
            "records": said(
                AskRecords("win", keys[:1]), write_records(Records((envelopes[0],), 1))
            ),
        },
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
