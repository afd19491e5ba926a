"""
What the node asks of the forkserver, and what a supervisor answers.

One order is one run. It travels as a line of JSON with a socket attached; the
supervisor answers on that socket with lines of JSON, and dies when the node
closes its end.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, cast

from experiments.run import Exam, Progress, RunResult, RunStatus, Score
from swarm.devices import Numerics, Seat

MAX_ORDER_BYTES = 16384
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RunOrder:
    """
    One run, ready to go.

    Attributes:
        work: Folder with the tree's files.
        scratch: Empty folder the training child may write to.
        prepare: The task's frozen `prepare.py`.
        cache: Where `prepare.py` keeps the corpus.
        seed: Of initialisation and of the order of the data.
        budget_tokens: How many tokens to stream.
        context: Tokens a window trains on.
        eval_bytes: How much held-out text to score in each exam.
        exams: What to score the weights on.
        probe: Share of the windows to ask again, spliced.
        against: Training losses of the base, to stop a run that is clearly behind.
        sandbox: Name of the sandbox for all children.
        cpu_seconds: Compute cap of training and evaluation together.
        wall_seconds: Cap on the time each of them takes.
        memory_bytes: Cap on the resident memory of each of them.
        seat: The device that all children compute on; None: the processor.
    """

    work: str
    scratch: str
    prepare: str
    cache: str
    seed: int
    budget_tokens: int
    context: int
    eval_bytes: int
    exams: tuple[Exam, ...]
    probe: float
    sandbox: str
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    against: tuple[tuple[int, float], ...] = ()
    seat: Seat | None = None


class Broken(Exception):  # noqa: N818
    """The harness could not do its part; the run says nothing about the tree."""


def order_to_line(order: RunOrder) -> bytes:
    """An order as one line of JSON."""
    return json.dumps(asdict(order)).encode() + b"\n"


def order_from_line(line: bytes) -> RunOrder:
    """The order a line of JSON holds."""
    fields = json.loads(line)
    exams = tuple(Exam(**exam) for exam in fields["exams"])
    against, seat = _curve(fields["against"]), _seat(fields["seat"])
    return RunOrder(**fields | {"exams": exams, "against": against, "seat": seat})


def answer_line(answer: Progress | RunResult | Broken) -> bytes:
    """What a supervisor says, as one line of JSON."""
    match answer:
        case Progress():
            body: dict[str, Any] = {"progress": asdict(answer)}
        case RunResult():
            body = {"result": asdict(answer) | {"status": answer.status.value}}
        case Broken():
            body = {"broken": str(answer)}
    return json.dumps(body).encode() + b"\n"


def answer_from_line(line: bytes) -> Progress | RunResult | Broken:
    """What a line from a supervisor says."""
    [(kind, body)] = cast(dict[str, Any], json.loads(line)).items()
    match kind:
        case "progress":
            return Progress(**body)
        case "result":
            return _result(body)
        case _:
            return Broken(str(body))


def _result(body: dict[str, Any]) -> RunResult:
    body["status"] = RunStatus(body["status"])
    body["blocks"] = _blocks(body["blocks"])
    body["curve"] = _curve(body.get("curve", []))
    body["scores"] = tuple(
        Score(Exam(**score["exam"]), score["value_nano"], _blocks(score["blocks"]))
        for score in body["scores"]
    )
    return RunResult(**body)


def _curve(rows: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((tokens, loss) for tokens, loss in rows)


def _seat(fields: dict[str, Any] | None) -> Seat | None:
    if fields is None:
        return None
    numerics = Numerics(**fields.pop("numerics"))
    return Seat(numerics=numerics, **fields)


def _blocks(rows: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((size, cost) for size, cost in rows)
