"""
What happens inside a node, said as data.

Law: events describe, they never decide. The screen, the log and the page all
read the same stream; losing one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm.hypothesis import Hypothesis
from swarm.records import RecordId
from swarm.statistics import Direction, Effect


@dataclass(frozen=True, slots=True)
class Started:
    """
    A node begins.

    Attributes:
        task, metric, unit, direction, goal, min_effect: What it works on, as the task says.
        workers: Experiments at once; 0 where it observes.
        home: Its folder.
        nickname: May be empty.
        topic: `public`, or what its owner calls it.
    """

    task: str
    metric: str
    unit: str
    direction: Direction
    goal: float | None
    min_effect: float
    workers: int
    home: str
    nickname: str
    topic: str = "public"


@dataclass(frozen=True, slots=True)
class GoingOn:
    """Earlier runs of this node have left something; `champion` is what it builds on, if any."""

    experiments: int
    wins: int
    champion: str | None


@dataclass(frozen=True, slots=True)
class Listening:
    """The node can be dialled at this full multiaddr."""

    multiaddr: str


@dataclass(frozen=True, slots=True)
class Watching:
    """
    The node can be watched at this address; `moved` because the usual one is taken.

    The address may hold the token of those who may read: it is for this node's owner.
    """

    url: str
    moved: bool


@dataclass(frozen=True, slots=True)
class NetworkTrouble:
    """Something about the network a person may want to fix; research goes on."""

    message: str


@dataclass(frozen=True, slots=True)
class ModelTrouble:
    """Something about the language model a person may want to fix; research goes on without."""

    message: str


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """A peer is now connected."""

    peer: str
    peers: int


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """A peer went away."""

    peer: str
    peers: int


@dataclass(frozen=True, slots=True)
class Preparing:
    """Something slow is under way before research can go on."""

    message: str


@dataclass(frozen=True, slots=True)
class BaselineMeasured:
    """The task's unchanged baseline has been run on this machine."""

    value: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class ExperimentStarted:
    """A hypothesis begins to be measured; `why` says why this one."""

    number: int
    hypothesis: Hypothesis
    why: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """
    A training run has consumed this many tokens; `loss` in nats per token, if known.

    `phase` is `train` or `evaluate`, where `tokens` are bytes.
    `number` is the experiment's, 0 for the baseline, below 0 for checks of peers' wins.
    """

    number: int
    arm: str
    seed: int
    phase: str
    tokens: int
    budget_tokens: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class PairMeasured:
    """Base and candidate have both been measured on one more seed."""

    number: int
    pairs: int
    base: float
    candidate: float


@dataclass(frozen=True, slots=True)
class MeasuringAgain:
    """A hypothesis was found better; fresh pairs now say by how much."""

    number: int
    pairs: int


@dataclass(frozen=True, slots=True)
class ExperimentFinished:
    """A hypothesis has been decided. `effect` is None where no pair was completed."""

    number: int
    hypothesis: Hypothesis
    outcome: str
    effect: Effect | None
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckStarted:
    """A peer's win begins to be measured again here; `why` says why this one."""

    number: int
    record: RecordId
    title: str
    nickname: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """
    A peer's win has been measured again, and what was seen is published.

    Attributes:
        said: The author's mean of candidate − base.
        seen: This node's; None where fewer than two pairs were completed.
        reason: Why there are no pairs, if there are none.
    """

    number: int
    record: RecordId
    title: str
    said: float
    seen: Effect | None
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WinAccepted:
    """A win, own or foreign, is now on the board, and `more` that are not told of."""

    record: RecordId
    title: str
    nickname: str
    own: bool
    more: int = 0


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """A record was refused at the door."""

    reason: str
    sender: str


@dataclass(frozen=True, slots=True)
class ChampionChanged:
    """This node now builds on another tree."""

    record: RecordId
    title: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The node is on its way out."""

    reason: str


Event = (
    Started
    | GoingOn
    | Listening
    | Watching
    | NetworkTrouble
    | ModelTrouble
    | PeerConnected
    | PeerDisconnected
    | Preparing
    | BaselineMeasured
    | ExperimentStarted
    | RunProgress
    | PairMeasured
    | MeasuringAgain
    | ExperimentFinished
    | CheckStarted
    | CheckFinished
    | WinAccepted
    | RecordRefused
    | ChampionChanged
    | Stopping
)
