"""
Everything a person may set about a node, with its default and its bounds.

Law: models only. Where a value came from (a flag, the environment, a file) and
how to say that it is wrong is the business of `cli.settings_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from swarm.bounds import Bounds, KnobBounds
from swarm.families import FAMILIES
from swarm.topic import NAME_PATTERN, PUBLIC

MAX_NICKNAME_LENGTH = 32

Multiaddr = Annotated[str, Field(pattern=r"^/(ip4|ip6|dns|dns4|dns6|dnsaddr)/\S+$", max_length=256)]
Accept = Literal["knobs", "code"]
KnobName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")]
KnobValue = StrictBool | StrictInt | StrictFloat | Annotated[str, Field(max_length=40)]
Family = Annotated[str, Field(pattern="^(" + "|".join(FAMILIES) + ")$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSettings(_Section):
    """Who this node is and how much of the machine it may use."""

    nickname: str = Field(default="", max_length=MAX_NICKNAME_LENGTH, pattern=r"^[\w .\-]*$")
    observe: bool = False
    """Take part in the swarm without training."""
    workers: int | None = Field(default=None, ge=1, le=1024)
    """Experiments at once; by default as many as the devices take, or, without any, one less
    than the cores, at least one."""
    gpu: bool = True
    """Whether to run experiments on CUDA devices, where that is faster."""
    nice: int = Field(default=10, ge=0, le=19)
    experiments: int | None = Field(default=None, ge=1)
    """Stop after this many finished experiments of one's own; None: never."""
    stay: bool = False
    """After `experiments`, stay in the swarm as an observer instead of stopping."""


class NetworkSettings(_Section):
    """How this node finds and talks to peers."""

    listen_addrs: tuple[Multiaddr, ...] = ("/ip4/0.0.0.0/tcp/0",)
    bootstrap_peers: tuple[Multiaddr, ...] = ()
    join: tuple[Multiaddr, ...] = ()
    """Peers to dial at this start; they are remembered in the peer book."""
    mdns: bool = True
    """Whether to find peers in this machine's private networks, and to be found there."""
    dht: bool = False
    """Whether to find peers in a DHT that connected peers serve, and to serve it."""
    rendezvous: bool = False
    """Whether to find peers at rendezvous points, and, as a relay, to be one of the topic."""
    relay: bool = False
    """Whether to lead others to peers that cannot be dialled, within bounds."""
    sync_interval_seconds: float = Field(default=20.0, ge=0.5, le=3600)
    publish_per_second: float = Field(default=20.0, gt=0, le=1000)
    max_connections: int = Field(default=128, ge=8, le=4096)
    max_connections_per_ip: int = Field(default=32, ge=1, le=4096)
    """Of these, from one address: of all that are behind one router, too."""
    max_journal_mebibytes: int = Field(default=8192, ge=16, le=2**24)
    """A journal of this size takes records of the authors that are in it, and of no others."""
    pre_shared_key: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", repr=False)
    """A libp2p pre-shared key: only nodes with the same can connect. A secret."""


class KnobSettings(_Section):
    """
    What one knob may be turned to; all that is said here has to hold.

    A setting that is already off these bounds stays as it is: bounds make no changes.
    """

    exclude: bool = False
    """It is not turned at all."""
    pin: KnobValue | None = None
    """The only value it may be turned to."""
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    """The range it may be turned within, both ends included."""
    values: tuple[KnobValue, ...] = Field(default=(), max_length=64)
    """Some of its values, to which alone it may be turned."""


class SearchSettings(_Section):
    """Bounds a person puts on the search."""

    accept: Accept = "code"
    """What to run of peers' changes; `code` needs real isolation and is `knobs` without."""
    fold_share: float = Field(default=0.25, ge=0, le=1)
    """The most of this node's compute that may go into folding peers' wins."""
    replicate_share: float = Field(default=0.2, ge=0, le=1)
    """Share of this node's compute for measuring again what peers claim; 0: none."""
    promotion_pairs: int = Field(default=5, ge=3, le=16)
    """Fresh pairs of every win, measured once it is decided; only these are published."""
    early_stopping: bool = True
    """End a run whose training loss is clearly behind from a quarter on."""
    exclude_families: tuple[Family, ...] = ()
    knobs: Mapping[KnobName, KnobSettings] = Field(default={}, max_length=256)
    """Knobs of the task to pin, exclude or bound, each a table `[search.knobs.NAME]`."""

    @property
    def bounds(self) -> Bounds:
        """The bounds that `knobs` sets."""
        return Bounds({name: KnobBounds(**each.model_dump()) for name, each in self.knobs.items()})


class LlmSettings(_Section):
    """
    A language model that proposes changes; off unless `base_url` and `model` are set.

    Any endpoint that speaks OpenAI's chat completions: Ollama, llama.cpp, vLLM, OpenAI.
    """

    base_url: str = Field(default="", max_length=512, pattern=r"^(https?://[^\s/@]+(/[^\s@]*)?)?$")
    model: str = Field(default="", max_length=200, pattern=r"^[^\s\x00-\x1f]*$")
    api_key_env: str = Field(default="", max_length=64, pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """The environment variable that holds the key; never the key itself. "": none is sent."""
    tokens_per_day: int = Field(default=500_000, ge=0, le=10**12)
    """Of questions and answers together, from midnight to midnight, UTC."""
    money_per_day: float = Field(default=1.0, ge=0, le=1e6, allow_inf_nan=False)
    price_input: float = Field(default=0.0, ge=0, le=1e6, allow_inf_nan=False)
    price_output: float = Field(default=0.0, ge=0, le=1e6, allow_inf_nan=False)
    """Money for a million tokens, in the unit of `money_per_day`."""
    answer_tokens: int = Field(default=8192, ge=256, le=131_072)
    """The longest answer that is asked for, a model's thinking included."""
    timeout_seconds: float = Field(default=180.0, ge=1, le=3600)
    program: str = Field(default="", max_length=4096)
    """A file with the person's words to the model, in place of the task's `program.md`."""

    @property
    def enabled(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self.base_url and self.model)


class WatchSettings(_Section):
    """How people and programs look at this node."""

    api: str = Field(
        default="127.0.0.1:8377",
        max_length=256,
        pattern=r"^(off|([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})$",
    )
    """Where the page and the API are served, HOST:PORT; or `off`. Beyond loopback a token
    is needed."""


class Settings(_Section):
    """All settings of one node."""

    task: str = Field(default="tinypy", min_length=1, max_length=4096)
    """Name of a built-in task, or a folder that holds a `task.toml`. A private topic has
    its own."""
    topic: str = Field(default=PUBLIC, pattern=f"^{NAME_PATTERN}$")
    """`public`, or the name of a private topic of this home."""
    node: NodeSettings = NodeSettings()
    network: NetworkSettings = NetworkSettings()
    search: SearchSettings = SearchSettings()
    llm: LlmSettings = LlmSettings()
    watch: WatchSettings = WatchSettings()
