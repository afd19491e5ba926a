"""
What a language model was paid for and nobody has tried yet, as bytes that outlive the node.

Law: what is read back is read as strictly as an answer. Bytes that are damaged, too many
or of another version are nothing at all: the model is then asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.proposers.llm_answer import MAX_TITLE, Answer, AnswerError, answer_of
from swarm.canonical import CanonicalError, pack, unpack
from swarm.diff import MAX_DIFF_BYTES
from swarm.fields import Fields, RecordError, names_of, plain_map
from swarm.records import OUTCOMES, TreeHash

VERSION = 1
"""Of these bytes; another version's are not read."""

MAX_BYTES = 2 << 20
MAX_IDEAS = 4
MAX_REPAIRS = 64
MAX_LOG = 4000


@dataclass(frozen=True, slots=True)
class Failure:
    """An idea that did not run, to be repaired: its diff, how it failed, the end of its log."""

    title: str
    diff: str
    outcome: str
    log: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An idea for the champion whose tree has this hash."""

    base: TreeHash
    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure of an idea for the champion whose tree has this hash."""

    base: TreeHash
    failure: Failure


@dataclass(frozen=True, slots=True)
class Pending:
    """
    All that would be lost with the process.

    Attributes:
        ideas: The oldest first.
        failed: What is to be given back to the model.
        repairs: Trees that came of giving back, which is done once.
    """

    ideas: tuple[Waiting, ...] = ()
    failed: Failed | None = None
    repairs: tuple[TreeHash, ...] = ()

    def to_bytes(self) -> bytes:
        """
        Canonical bytes.

        Raises:
            CanonicalError: A text has none.
        """
        return pack({"version": VERSION, **plain_map(self)})

    @staticmethod
    def of_bytes(data: bytes) -> Pending:
        """Inverse of `to_bytes`; nothing is pending where it cannot be read."""
        try:
            return _pending(unpack(data, max_bytes=MAX_BYTES))
        except (CanonicalError, RecordError, AnswerError):
            return Pending()


_TOP = names_of(Pending, "version")
_IDEA = names_of(Waiting)
_FAILED = names_of(Failed)
_FAILURE = names_of(Failure)


def _pending(value: object) -> Pending:
    top = Fields(value, _TOP, "")
    top.integer("version", least=VERSION, most=VERSION)
    failed = top.value("failed")
    return Pending(
        tuple(_idea(Fields(each, _IDEA, "ideas")) for each in top.array("ideas", MAX_IDEAS)),
        None if failed is None else _failed(Fields(failed, _FAILED, "failed")),
        top.lines("repairs", MAX_REPAIRS, 64),
    )


def _idea(fields: Fields) -> Waiting:
    return Waiting(fields.tree_hash("base"), answer_of(fields.value("answer")))


def _failed(fields: Fields) -> Failed:
    failure = Fields(fields.value("failure"), _FAILURE, "failure")
    return Failed(
        fields.tree_hash("base"),
        Failure(
            title=failure.line("title", MAX_TITLE),
            diff=failure.code("diff", MAX_DIFF_BYTES),
            outcome=failure.one_of("outcome", OUTCOMES),
            log=_log(failure.value("log")),
        ),
    )


def _log(value: Any) -> str:
    """What an experiment printed, whatever the characters."""
    if type(value) is not str or len(value) > MAX_LOG:
        raise RecordError(f"failure.log: expected text of at most {MAX_LOG} characters")
    return value
