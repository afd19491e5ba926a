"""docs/protocol.md and its test vectors say what the code does."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from libp2p.peer.envelope import unmarshal_envelope
from libp2p.peer.id import ID

from gossip import calls, sync_answers, sync_messages, sync_pull, transport
from gossip.libp2p_host import CALL_PROTOCOL, MESHSUB
from gossip.ranges import END, FINGERPRINT_BYTES, KEY_BYTES, LISTED_AT_MOST
from gossip.sync_messages import read_question
from swarm import admission, envelope, heard, retention, signals
from swarm.cid import cid_of
from swarm.fields import names_of
from swarm.records import SCHEMA_VERSION
from swarm.stopping import POINTS
from swarm.validation import Scope, validate
from tests.vectors import FILE, vectors

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text()
SAID = cast("dict[str, Any]", json.loads(FILE.read_text()))
RECORDS = cast("list[dict[str, str]]", SAID["records"])


def test_the_vectors_are_what_the_code_gives() -> None:
    assert vectors() == SAID


@pytest.mark.parametrize("row", RECORDS, ids=lambda row: row["kind"])
def test_a_record_follows_from_the_page_alone(row: dict[str, str]) -> None:
    """Put together by hand as the page says, and opened by libp2p's own envelope."""
    payload, public_key = bytes.fromhex(row["payload"]), bytes.fromhex(row["public_key"])
    assert validate(bytes.fromhex(row["envelope"]), Scope(SAID["topic"], SAID["task"])).id == (
        cid_of(payload)
    )
    opened = unmarshal_envelope(bytes.fromhex(row["envelope"]))
    opened.validate("research-swarm-record")
    assert opened.raw_payload == payload
    key = b"\x08\x01\x12\x20" + public_key
    size = len(payload)
    varint = bytes([size & 0x7F | 0x80, size >> 7]) if size > 0x7F else bytes([size])
    assert bytes.fromhex(row["envelope"])[:-64] == (
        b"\x0a\x24" + key + b"\x12\x16/research-swarm/record\x1a" + varint + payload + b"\x2a\x40"
    )
    assert str(ID(b"\x00\x24" + key)) == row["author"]
    assert sha256(row["id"].encode()).digest()[:16].hex() == row["key"]


def test_the_fingerprint_is_of_the_keys_in_order() -> None:
    keys = sorted(bytes.fromhex(row["key"]) for row in RECORDS)
    assert sha256(b"".join(keys)).digest()[:16].hex() == SAID["sync"]["fingerprint"]
    for ask in ("parts", "keys", "records"):
        read_question(bytes.fromhex(SAID["sync"][ask]["question"]), SAID["sync"]["scope"])


@pytest.mark.parametrize(
    "sentence",
    [
        f"at most {envelope.MAX_ENVELOPE_BYTES} bytes",
        f"`{envelope.DOMAIN}`",
        f"`{envelope.PAYLOAD_TYPE.decode()}`",
        f"`{CALL_PROTOCOL}`",
        *(f"`{protocol}`" for protocol in MESHSUB),
        f"at most {transport.MAX_REQUEST_BYTES} bytes and an answer {transport.MAX_RESPONSE_BYTES}",
        f"the first {KEY_BYTES} bytes of the SHA-256 of the id's",
        f"{len(END)} × `ff`",
        f"the first {FINGERPRINT_BYTES} bytes of the SHA-256 of the keys",
        f"`ranges` (1 to {sync_messages.MAX_RANGES}), `pieces` (0 to {sync_messages.MAX_PIECES},",
        f"at most {sync_messages.MAX_PARTS})",
        f"the first {sync_messages.MAX_KEYS} |",
        f"at most {sync_messages.MAX_RECORDS} keys)",
        f"about {sync_messages.MAX_FETCH_BYTES // 2**20} MiB",
        f"at most {sync_answers.VISIT_S:g} seconds",
        f"in {sync_pull.PIECES[1]} pieces, and those that differ in {sync_pull.PIECES[2]},",
        f"at most {LISTED_AT_MOST} keys there",
        f"at most {calls.PER_PEER} calls open here, each within {calls.ANSWER_S:g} seconds",
        f"{calls.AT_ONCE} answers are worked out",
        f"at most {admission.MAX_AHEAD_MS // 3_600_000} hours ahead",
        f"{admission.DEFAULT_RATES['win'].burst_bytes // 2**20} MiB at once and "
        f"{admission.DEFAULT_RATES['win'].bytes_per_second // 2**10} KiB a second",
        f"counting {admission.RECORD_COST_BYTES} bytes more",
        f"dropped {admission.TRIALS_LIFETIME_MS // 3_600_000} hours after",
        f"at most {retention.KEPT_PER_EPOCH['win']} wins, "
        f"{retention.KEPT_PER_EPOCH['replication']} replications and "
        f"{retention.KEPT_PER_EPOCH['trials']} batches",
        f"newest {retention.EPOCHS_KEPT} days",
        f"the schema version ({SCHEMA_VERSION})",
        f"at most {signals.MAX_SIGNAL_BYTES} bytes; its GossipSub",
        f"ends {heard.LIFETIME_MS // 60_000} minutes after it was heard",
        f"more than {heard.MAX_AHEAD_MS // 60_000} minutes ahead, or heard within "
        f"{heard.LEAST_GAP_MS / 1000:g} s",
        f"at most {signals.MAX_IDEAS} maps",
        f"at most {signals.MAX_IDEA_KNOBS} rows",
        f"at most {signals.MAX_RUNNING} titles of at most {signals.MAX_TITLE}",
        f"1 to {POINTS} rows",
    ],
)
def test_every_number_on_the_page_is_the_codes(sentence: str) -> None:
    assert sentence in PAGE


def test_every_question_is_on_the_page() -> None:
    table = PAGE.split("| `ask` |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        "parts",
        "keys",
        "records",
        "visit",
    ]


def test_every_signal_is_on_the_page_with_all_its_fields() -> None:
    section = PAGE.split("## Signals")[1].split("## Sync")[0]
    rows = re.findall(r"^\| `(\w+)`[^|]*\|(.*)", section, re.MULTILINE)
    kinds = dict(cast("list[tuple[str, str]]", rows))
    common = names_of(signals.Claim, "kind", "version")
    kinds.pop("kind")
    for kind in (signals.Claim, signals.Presence, signals.Lead):
        own = set(names_of(kind)) - (set(common) - {"ideas"})
        row = kinds.pop(kind.__name__.lower())
        assert own <= set(re.findall(r"`(\w+)`", row)), kind
    assert not kinds
    assert {f"`{name}`" for name in common if name != "ideas"} <= set(re.findall("`\\w+`", section))
