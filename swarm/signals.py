"""
What peers say of this moment: claims, presences and leads, heard and forgotten.

A claim lists what its author measures now, so that others try something else first.
A presence says who is there, on what hardware, and what it runs. A lead has the losses of
its author's best run, so that friends see early which of theirs will not come near it.
All travel in the envelope of records, by gossip alone: they are never stored and never
synced, and a newer one of the same author replaces the one before.

Law: `validate_signal` is total and timeless, as `swarm.validation.validate` is, and a
signal is never a record. Nothing is believed because a signal says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from swarm.canonical import CanonicalError, pack, unpack_unchecked
from swarm.envelope import EnvelopeError, open_envelope, peek_payload, seal
from swarm.fields import INT_LIMIT, Fields, RecordError, names_of, plain_map
from swarm.hypothesis import Hypothesis
from swarm.peer_id import peer_id_of
from swarm.records import SCHEMA_VERSION, PeerId, TaskId, TreeHash
from swarm.stopping import POINTS
from swarm.validation import Scope

MAX_SIGNAL_BYTES = 32 * 1024
MAX_IDEAS = 32
MAX_IDEA_KNOBS = 16
MAX_RUNNING = 8
MAX_TITLE = 120


class InvalidSignal(ValueError):  # noqa: N818 - a verdict on the peer's bytes, not our error
    """Bytes that no honest peer sends as a signal; the message names the field."""


@dataclass(frozen=True, slots=True)
class Idea:
    """A change under way: which tree on which base, and the settings that differ."""

    base_tree: TreeHash
    tree: TreeHash
    family: str
    knobs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, hypothesis: Hypothesis) -> Idea:
        """What a hypothesis comes to; without its knobs where they are too many to tell."""
        knobs = hypothesis.knobs if len(hypothesis.knobs) <= MAX_IDEA_KNOBS else ()
        return cls(hypothesis.base_tree, hypothesis.tree, hypothesis.family, knobs)


@dataclass(frozen=True, slots=True)
class Claim:
    """All that its author measures now; an empty one takes back the one before."""

    author: PeerId
    topic: str
    task: TaskId
    created_at_ms: int
    ideas: tuple[Idea, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is there. ``running`` holds titles; the counts are its author's own."""

    author: PeerId
    nickname: str
    topic: str
    task: TaskId
    created_at_ms: int
    hardware_class: str
    device: str
    experiments: int
    wins: int
    running: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """
    How its author's best run of the task's own code went, whatever its settings.

    Attributes:
        value_nano: The metric in the end.
        curve: (tokens seen, nano-units of training loss since the point before), tokens rising.
    """

    author: PeerId
    topic: str
    task: TaskId
    created_at_ms: int
    value_nano: int
    curve: tuple[tuple[int, int], ...]


Signal = Claim | Presence | Lead


def seal_signal(signal: Signal, sign: Callable[[bytes], bytes], public_key: bytes) -> bytes:
    """
    The envelope of a signal.

    Raises:
        InvalidSignal: Nobody would take it; the message names the field.
    """
    payload = pack({"kind": _KINDS[type(signal)], "version": SCHEMA_VERSION} | plain_map(signal))
    envelope = seal(payload, sign, public_key)
    validate_signal(envelope, Scope(signal.topic, signal.task))
    return envelope


def is_signal(data: bytes) -> bool:
    """Whether bytes call themselves a signal; nothing else about them is checked. Total."""
    return len(data) <= MAX_SIGNAL_BYTES and _kind(peek_payload(data)) in _KINDS.values()


def validate_signal(data: bytes, scope: Scope) -> Signal:
    """
    The signal in an envelope.

    Args:
        data: Untrusted bytes.
        scope: The topic and task it must have been made for.

    Raises:
        InvalidSignal: Malformed, too large, or it names another author, topic or task.
    """
    if len(data) > MAX_SIGNAL_BYTES:
        raise InvalidSignal(f"{len(data)} bytes, at most {MAX_SIGNAL_BYTES} allowed")
    try:
        public_key, payload = open_envelope(data)
        signal = _decode(payload)
    except (EnvelopeError, RecordError) as error:
        raise InvalidSignal(str(error)) from error
    if signal.author != peer_id_of(public_key):
        raise InvalidSignal("author: the signal is signed by another peer than it names")
    if signal.topic != scope.topic or signal.task != scope.task:
        raise InvalidSignal("topic, task: the signal was made for others")
    return signal


def _kind(payload: bytes) -> object:
    try:
        return _map(payload).get("kind")
    except RecordError:
        return None


def _decode(payload: bytes) -> Signal:
    fields = _map(payload)
    kind, version = fields.get("kind"), fields.get("version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise RecordError(f"version: this node reads signals of version {SCHEMA_VERSION}")
    if not isinstance(kind, str) or kind not in _READERS:
        raise RecordError(f"kind: expected one of {', '.join(_READERS)}")
    names, read = _READERS[kind]
    return read(Fields(fields, names, ""))


def _map(payload: bytes) -> dict[str, object]:
    try:
        value = unpack_unchecked(payload, max_bytes=MAX_SIGNAL_BYTES, max_items=MAX_IDEAS)
    except CanonicalError as error:
        raise RecordError(f"signal: {error}") from error
    if not isinstance(value, dict):
        raise RecordError("signal: expected a map")
    return cast("dict[str, object]", value)


def _claim(fields: Fields) -> Claim:
    ideas = fields.array("ideas", MAX_IDEAS)
    return Claim(
        author=fields.peer_id("author"),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        ideas=tuple(
            _idea(Fields(idea, _IDEA_NAMES, f"ideas.{index}")) for index, idea in enumerate(ideas)
        ),
    )


def _idea(fields: Fields) -> Idea:
    return Idea(
        base_tree=fields.tree_hash("base_tree"),
        tree=fields.tree_hash("tree"),
        family=fields.line("family", 32),
        knobs=fields.settings("knobs", MAX_IDEA_KNOBS),
    )


def _presence(fields: Fields) -> Presence:
    return Presence(
        author=fields.peer_id("author"),
        nickname=fields.line("nickname", 40, least=0),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        hardware_class=fields.line("hardware_class", 32),
        device=fields.line("device", 120, least=0),
        experiments=fields.integer("experiments"),
        wins=fields.integer("wins"),
        running=fields.lines("running", MAX_RUNNING, MAX_TITLE),
    )


def _lead(fields: Fields) -> Lead:
    curve = fields.rows("curve", 2, POINTS, least=1, lowest=1)
    if any(later[0] <= point[0] for point, later in pairwise(curve)):
        raise RecordError(f"{fields.path('curve')}: the tokens do not rise")
    return Lead(
        author=fields.peer_id("author"),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        value_nano=fields.integer("value_nano", least=-INT_LIMIT),
        curve=cast("tuple[tuple[int, int], ...]", curve),
    )


_KINDS: Mapping[type[Signal], str] = {Claim: "claim", Presence: "presence", Lead: "lead"}
_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[Fields], Signal]]] = {
    "claim": (names_of(Claim, "kind", "version"), _claim),
    "presence": (names_of(Presence, "kind", "version"), _presence),
    "lead": (names_of(Lead, "kind", "version"), _lead),
}
_IDEA_NAMES = names_of(Idea)
