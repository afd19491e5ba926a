"""Valid records and their signers, for tests to break one thing at a time."""

from nacl.signing import SigningKey

from swarm.cid import cid_of
from swarm.envelope import seal
from swarm.peer_id import peer_id_of
from swarm.records import (
    Block,
    Environment,
    Pair,
    Record,
    Replication,
    Trial,
    Trials,
    Win,
    encode,
)
from swarm.validation import Scope, challenge_message

NOW_MS = 1_790_000_000_000
TASK = cid_of(b"a task")
TOPIC = f"/research-swarm/1/{TASK}"
SCOPE = Scope(TOPIC, TASK)
SOME_ID = cid_of(b"a record")
DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-LEARNING_RATE = 3e-4\n+LEARNING_RATE = 3e-3\n"


class Author:
    """An Ed25519 key that signs what it is given; the same `seed` is the same peer."""

    def __init__(self, seed: int = 1) -> None:
        self._key = SigningKey(bytes([seed]) * 32)
        self.public_key = bytes(self._key.verify_key)
        self.peer_id = peer_id_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message`."""
        return self._key.sign(message).signature

    def seal(self, record: Record) -> bytes:
        """The envelope of `record`, signed by this author whoever it names."""
        return self.seal_payload(encode(record))

    def seal_payload(self, payload: bytes) -> bytes:
        """The envelope of any payload."""
        return seal(payload, self.sign, self.public_key)


ANN = Author(1)
BOB = Author(2)

ENVIRONMENT = Environment(
    hardware_class="cpu-laptop",
    device="Example CPU @ 2.4 GHz",
    torch_version="2.13.0+cpu",
    milliseconds=93_000,
    peak_memory_bytes=480_000_000,
    isolation="landlock",
)
WIN = Win(
    author=ANN.peer_id,
    nickname="ann",
    topic=TOPIC,
    task=TASK,
    created_at_ms=NOW_MS,
    base=None,
    parents=(SOME_ID,),
    diff=DIFF,
    tree="0a" * 32,
    title="Ten times the learning rate",
    rationale="The naive rate is far too low.\nπ ≈ 3.",
    family="learning_rate",
    proposer="knobs",
    pairs=(Pair(1, 3_653_000_000, 3_020_000_000), Pair(2, 3_660_000_000, 3_010_000_001)),
    blocks=(Block(20_000, 584_480_000_000_000, 483_200_000_000_000), Block(512, 9, 8)),
    environment=ENVIRONMENT,
)
REPLICATION = Replication(
    author=BOB.peer_id,
    nickname="bob",
    topic=TOPIC,
    task=TASK,
    created_at_ms=NOW_MS + 1,
    win=SOME_ID,
    challenge=BOB.sign(challenge_message(SOME_ID)),
    pairs=(Pair(7, 3_651_000_000, 3_030_000_000),),
    challenge_pairs=(Pair(9, 3_651_000_000, -1),),
    baseline=((7, 3_651_000_000), (9, 3_652_000_000)),
    holdout_nano=3_040_000_000,
    environment=ENVIRONMENT,
)
TRIAL = Trial(
    base=SOME_ID,
    base_tree="0b" * 32,
    tree="0c" * 32,
    title="AdamW, β₂ 0.95",
    family="optimizer",
    proposer="knobs",
    parents=(),
    knobs=(("OPTIMIZER", "'adamw'"), ("BETA2", "0.95")),
    pairs=(),
    outcome="crashed",
    milliseconds=1_200,
    finished_at_ms=NOW_MS - 5_000,
)
TRIALS = Trials(
    author=ANN.peer_id,
    nickname="",
    topic=TOPIC,
    task=TASK,
    created_at_ms=NOW_MS,
    hardware_class="cpu-laptop",
    trials=(TRIAL, TRIAL),
)
RECORDS: tuple[Record, ...] = (WIN, REPLICATION, TRIALS)
