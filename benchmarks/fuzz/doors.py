"""
The doors: each takes bytes of a stranger and gives a value or its one typed error.

`python -m benchmarks.bench_fuzz` throws a million inputs at each, guided by
coverage; `tests/contracts/test_doors.py` throws a few hundred.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from benchmarks.fuzz.inputs import DEEPEST, Source, altered, edited
from experiments.proposers import llm_answer
from experiments.proposers.llm_answer import AnswerError, read_answer
from gossip.ranges import END, Part, Range
from gossip.sync_messages import (
    AskKeys,
    AskParts,
    AskRecords,
    AskVisit,
    Records,
    SyncError,
    read_keys,
    read_parts,
    read_question,
    read_records,
    write_keys,
    write_parts,
    write_question,
    write_records,
)
from swarm.canonical import pack, unpack
from swarm.diff import DiffError, apply_diff
from swarm.envelope import MAX_ENVELOPE_BYTES, EnvelopeError, open_envelope
from swarm.grade import grade
from swarm.invite import InviteError, line_of, read_invite
from swarm.records import RecordError, decode, encode
from swarm.settings_block import SettingsBlockError, read_settings
from swarm.signals import (
    Claim,
    Idea,
    InvalidSignal,
    Presence,
    is_signal,
    seal_signal,
    validate_signal,
)
from swarm.task import TaskError, declared_files, parse_task
from swarm.validation import Invalid, validate
from tests.swarm.record_samples import ANN, DIFF, NOW_MS, RECORDS, SCOPE, TRIALS, WIN

_SCOPE = "/research-swarm/1/task#1"
_SPANS = (Range(b"", b"\x80"), Range(b"\x90", END))

_TREE = {
    "model.py": b"".join(b"line %d\n" % number for number in range(30)),
    "train.py": b"LEARNING_RATE = 3e-4\nBATCH = 8\n\xc3\xa9 = 1\nno end",
}
_DIFFS = (
    DIFF.replace("@@ -1 +1 @@\n", "@@ -1,2 +1,2 @@\n") + " BATCH = 8\n",
    "--- a/model.py\n+++ b/model.py\n@@ -3,3 +3,4 @@\n line 2\n+new\n line 3\n line 4\n"
    "--- a/train.py\n+++ b/train.py\n@@ -3,2 +3,2 @@\n é = 1\n-no end\n"
    "\\ No newline at end of file\n+an end\n",
)
_DIFF_WORDS = (
    "--- a/",
    "+++ b/",
    "@@ -1 +1 @@",
    "@@ -0,0 +1 @@",
    ",",
    "-",
    "+",
    " ",
    "\\ No newline",
)

_TASK = """\
name = "tiny"
title = "Bytes that count"
editable = ["train.py"]
frozen = ["prepare.py"]
context = 32
eval_bytes = 2048
min_effect = 0.01
sigma = 0.01

[metric]
name = "val_bpb"
direction = "minimize"
unit = "bits per byte"
goal = 3.0

[budget]
tokens = 8192
compute_cap = 3.0

[corpus]
val = "{zeros}"

[knobs.RATE]
family = "learning_rate"
type = "float"
low = 1e-5
high = 0.1
log = true
sources = {{ "*" = "Smith 2017" }}

[knobs.NORM]
family = "norm"
choices = ["layer", "rms"]
""".format(zeros="0" * 64)
_SCRIPT = """\
# --- settings: one NAME = value per line ---
RATE = 0.003  # of the optimizer
NORM = "layer"

# --- end of settings ---
print(RATE)
"""
_TASK_FILES = {"train.py": _SCRIPT.encode(), "prepare.py": b"pass\n"}
_TASK_WORDS = (
    *("[", "]", "[[", "{", "}", "=", '"', "'''", "#", ".", "true", "inf", "nan", "-0", "1e999"),
    *("9" * 400, "0x1", "1979-05-27T07:32:00Z", "..", "/etc/passwd", "\\u202e", "command", "steps"),
    *('harness = "command"', 'steps = ["true"]', "[knobs.A]", 'type = "int"', "seconds = 1"),
)
_SCRIPT_WORDS = (
    *("= ", "'", '"', "True", "1e99", "1_000", "0x1", "-", "#", "__import__('os')", "RATE = 1"),
    *("# --- settings: one NAME = value per line ---", "# --- end of settings ---", "\\", ";"),
)


@dataclass(frozen=True, slots=True)
class Door:
    """
    One way in for bytes.

    Attributes:
        name: As figures name it.
        opens: Gives a value or raises `refusal`, whatever the bytes.
        refusal: The one error it may raise.
        examples: Inputs it accepts.
        edit: An example, changed as a source decides.
    """

    name: str
    opens: Callable[[bytes], object]
    refusal: type[Exception]
    examples: tuple[bytes, ...]
    edit: Callable[[bytes, Source], bytes]

    def input(self, data: bytes) -> bytes:
        """The input that fuzzed bytes stand for: themselves, or an edited example."""
        if not data or data[0] % 2 == 0:
            return data[1:]
        source = Source(data[1:])
        return self.edit(self.examples[source.below(len(self.examples))], source)

    def accepts(self, data: bytes) -> bool:
        """Whether the door gives a value; any other error than its own comes through."""
        try:
            self.opens(data)
        except self.refusal:
            return False
        return True


@cache
def _unpacked(example: bytes) -> object:
    return unpack(example, max_bytes=MAX_ENVELOPE_BYTES)


@cache
def _payload(envelope: bytes) -> bytes:
    return open_envelope(envelope)[1]


def _edit_packed(example: bytes, source: Source) -> bytes:
    return pack(altered(_unpacked(example), source), max_depth=2 * DEEPEST)


def _edit_envelope(example: bytes, source: Source) -> bytes:
    """A sealed record with some of its bytes changed, or with edits its author signed."""
    if source.below(3) == 0:
        return ANN.seal_payload(_edit_packed(_payload(example), source))
    changed = bytearray(example)
    for _ in range(1 + source.below(4)):
        changed[source.below(len(changed))] ^= 1 << source.below(8)
    return bytes(changed[: len(changed) - source.below(3)]) + source.raw(source.below(3))


def _edit_text(words: tuple[str, ...]) -> Callable[[bytes, Source], bytes]:
    return lambda example, source: edited(example.decode(), words, source).encode()


def _apply(data: bytes) -> object:
    """Records carry diffs as text that is UTF-8 already."""
    tree = apply_diff(_TREE, data.decode(errors="replace"), ("model.py", "train.py"))
    assert tree.keys() == _TREE.keys()
    return tree


def _read_sync(data: bytes) -> object:
    """As a question and as each answer; one that is read as nothing is refused."""
    readers: tuple[Callable[[], object], ...] = (
        lambda: read_question(data, _SCOPE),
        lambda: read_parts(data, _SPANS),
        lambda: read_keys(data, _SPANS),
        lambda: read_records(data, 5),
    )
    read: list[object] = []
    for reader in readers:
        try:
            read.append(reader())
        except SyncError:
            continue
    if not read:
        raise SyncError("no message of sync")
    return read


def _read_task(data: bytes) -> object:
    declared_files(data)
    return parse_task(data, _TASK_FILES)


def _read_signal(data: bytes) -> object:
    """What is no signal by its first look is none by the second."""
    seems = is_signal(data)
    signal = validate_signal(data, SCOPE)
    assert seems
    return signal


def _read_script(data: bytes) -> object:
    """The receiver's grade never fails; the settings block is read or refused."""
    assert grade(_GRADED.baseline, {"train.py": data}, _GRADED) in ("knob", "code")
    return read_settings(data)


def _read_invite(data: bytes) -> object:
    return read_invite(data.decode(errors="replace"))


def _edit_invite(example: bytes, source: Source) -> bytes:
    """An invite to something else, its checksum made good again; or one with a slip in it."""
    if source.below(3):
        return line_of(_edit_packed(_INVITED, source)).encode()
    at = source.below(len(example))
    return example[:at] + source.raw(source.below(3)) + example[at + source.below(2) :]


def _answer(data: bytes) -> object:
    """Read, and its edits made: no other files, nothing too large, code that compiles."""
    answer = read_answer(data.decode(errors="replace"))
    tree = llm_answer.edited(_GRADED.baseline, answer.edits, _GRADED.baseline)
    assert tree.keys() == _GRADED.baseline.keys() and tree != _GRADED.baseline
    return tree


def _edit_answer(example: bytes, source: Source) -> bytes:
    """One of its values changed, or its text; among other words, or alone."""
    if source.below(2):
        changed = _json(altered(json.loads(example), source))
    else:
        changed = edited(example.decode(), _ANSWER_WORDS, source)
    return (("", "Sure:\n```json\n", "<think>{}</think>")[source.below(3)] + changed).encode()


def _json(value: object) -> str:
    return json.dumps(value, default=repr)


_GRADED = parse_task(_TASK.encode(), _TASK_FILES)
_SYNC = (
    *(
        write_question(_SCOPE, question)
        for question in (
            AskParts("win", _SPANS, 64),
            AskKeys("win", _SPANS),
            AskRecords("win", (b"a" * 16, b"b" * 16)),
            AskVisit(),
        )
    ),
    write_parts(Part(span, 3, bytes(16)) for span in _SPANS),
    write_keys((b"a" * 16, b"b" * 16)),
    write_records(Records((b"one", b"two"), 3)),
)

_SIGNALS = tuple(
    seal_signal(signal, ANN.sign, ANN.public_key)
    for signal in (
        Claim(
            ANN.peer_id,
            SCOPE.topic,
            SCOPE.task,
            NOW_MS,
            (Idea("0a" * 32, "0b" * 32, "norm", (("NORM", "'rms'"),)),),
        ),
        Presence(
            ANN.peer_id,
            "ann",
            SCOPE.topic,
            SCOPE.task,
            NOW_MS,
            "cpu-laptop",
            "Example CPU, 2 cores",
            12,
            3,
            ("NORM layer → rms",),
        ),
    )
)

_ANSWER_WORDS = (
    *('"', "{", "}", "[", "]", ",", ":", "\\u0000", "\\ud800", "\\u202e", "\\n", "null", "1e999"),
    *('"edits": [', "../", "prepare.py", "train.py", "RATE = ", "0.003", "(", "NaN", "```", "{}"),
)
_ANSWERS = tuple(
    json.dumps(
        {
            "title": "A larger rate",
            "rationale": "Runs are short.\nSo be quick.",
            "family": "learning_rate",
            "edits": [
                {"path": "train.py", "search": search, "replace": replace}
                for search, replace in edits
            ],
        },
        indent=indent,
    ).encode()
    for indent, edits in (
        (None, [("RATE = 0.003", "RATE = 0.01")]),
        (1, [("0.003", "0.01"), ('"layer"\n', '"rms"\n'), ("print(RATE)", "print(2 * RATE)")]),
    )
)

_INVITED = pack(
    {
        "addrs": [[ANN.peer_id, ["/ip4/192.0.2.7/tcp/4001", "/dns4/lab.example/tcp/1"]]],
        "closed": False,
        "epoch": 1,
        "expires": 1_800_000_000,
        "id": bytes(16),
        "name": "lab",
        "secret": bytes(32),
        "task": SCOPE.task,
    }
)

DOORS: tuple[Door, ...] = (
    Door("invite", _read_invite, InviteError, (line_of(_INVITED).encode(),), _edit_invite),
    Door(
        "envelope",
        open_envelope,
        EnvelopeError,
        tuple(ANN.seal(record) for record in (WIN, TRIALS)),
        _edit_envelope,
    ),
    Door("record", decode, RecordError, tuple(map(encode, RECORDS)), _edit_packed),
    Door(
        "validation",
        lambda data: validate(data, SCOPE),
        Invalid,
        tuple(ANN.seal(record) for record in (WIN, TRIALS)),
        _edit_envelope,
    ),
    Door("signal", _read_signal, InvalidSignal, _SIGNALS, _edit_envelope),
    Door(
        "diff", _apply, DiffError, tuple(diff.encode() for diff in _DIFFS), _edit_text(_DIFF_WORDS)
    ),
    Door("sync", _read_sync, SyncError, _SYNC, _edit_packed),
    Door("task file", _read_task, TaskError, (_TASK.encode(),), _edit_text(_TASK_WORDS)),
    Door("llm answer", _answer, AnswerError, _ANSWERS, _edit_answer),
    Door(
        "settings block",
        _read_script,
        SettingsBlockError,
        (_SCRIPT.encode(),),
        _edit_text(_SCRIPT_WORDS),
    ),
)


def door(name: str) -> Door:
    """
    The door of this name.

    Raises:
        KeyError: There is none.
    """
    return {each.name: each for each in DOORS}[name]
