"""
What Prometheus is told of a node.

Counters and the histogram follow the node's events; gauges are read when asked.

Law: the set of series is bounded: no label holds anything that a peer wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from swarm import events
from swarm.records import OUTCOMES

PREFIX = "research_swarm"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS_BUCKETS = (1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)

Reading = tuple[str, str, dict[str, str], float | None]
"""Name without the prefix, help, labels, value; None is left out."""

disable_created_metrics()


class Metrics:
    """The metrics of one node, since its start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._experiments = self._counter(
            "experiments", "Experiments finished since the start", "outcome"
        )
        for outcome in OUTCOMES:
            self._experiments.labels(outcome)
        self._seconds = Histogram(
            f"{PREFIX}_experiment_seconds",
            "What finished experiments took",
            buckets=SECONDS_BUCKETS,
            registry=self._registry,
        )
        self._checks = self._counter("checks", "Peers' wins measured again since the start")
        self._tokens = self._counter("trained_tokens", "Tokens trained on since the start")
        self._refused = self._counter("records_refused", "Records refused at the door")
        self._trained: dict[tuple[int, str], tuple[int, int]] = {}

    def note(self, event: events.Event) -> None:
        """Count what happened; quick."""
        match event:
            case events.RunProgress() if event.phase == "train":
                self._train(event)
            case events.ExperimentFinished():
                known = event.outcome if event.outcome in OUTCOMES else "dropped"
                self._experiments.labels(known).inc()
                self._seconds.observe(event.seconds)
                self._forget(event.number)
            case events.CheckFinished():
                self._checks.inc()
                self._forget(event.number)
            case events.RecordRefused():
                self._refused.inc()
            case _:
                pass

    def text(self, gauges: Iterable[Reading]) -> bytes:
        """Everything, with what is true now, in the text format."""
        now = CollectorRegistry(auto_describe=False)
        now.register(_Gauges(gauges))
        return generate_latest(now) + generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", about, labels, registry=self._registry)

    def _train(self, event: events.RunProgress) -> None:
        key = (event.number, event.arm)
        seed, before = self._trained.get(key, (event.seed, 0))
        if seed != event.seed or event.tokens < before:
            before = 0
        self._trained[key] = (event.seed, event.tokens)
        self._tokens.inc(max(0, event.tokens - before))

    def _forget(self, number: int) -> None:
        for key in [key for key in self._trained if key[0] == number]:
            del self._trained[key]


class _Gauges(Collector):
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = list(readings)

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, about, labels, value in self._readings:
            if value is None:
                continue
            if name not in families:
                families[name] = GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()
