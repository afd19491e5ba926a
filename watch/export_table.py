"""
Every experiment as a row of `results.tsv`.

The first five columns are those of Karpathy's autoresearch, so that its analysis
reads the file; ours follow.

Law: one experiment, one line. No text of a peer begins a formula in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from swarm.findings import State
from swarm.records import RecordId
from swarm.task import Metric
from swarm.visible_text import plain
from watch.tried import Tried

OURS = (
    *("outcome", "state", "family", "proposer", "knobs", "base_value", "effect", "effect_low"),
    *("effect_high", "pairs", "author", "nickname", "hardware", "seconds", "finished_at"),
    *("record", "base", "parents", "tree"),
)
SHORT_COMMIT = 7
_FORMULA = ("=", "+", "-", "@", "'")
_NONE = "-"


def columns(metric: Metric) -> tuple[str, ...]:
    """The names in the first line; the metric's is `val_bpb` in the built-in tasks."""
    return ("commit", metric.name, "memory_gb", "status", "description", *OURS)


def results_tsv(
    tried: Iterable[Tried],
    states: Mapping[RecordId, State],
    commits: Mapping[RecordId, str],
    metric: Metric,
) -> bytes:
    """
    The table, tab-separated, in UTF-8.

    Args:
        tried: Oldest first.
        commits: The ids of wins in the Git history of the same records.
    """
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow(columns(metric))
    for each in tried:
        record = each.record if each.won else None
        state = states.get(record) if record is not None else None
        commit = commits.get(record, "") if record is not None else ""
        table.writerow([*_theirs(each, commit), *_ours(each, state)])
    return text.getvalue().encode()


def _theirs(tried: Tried, commit: str) -> list[str]:
    memory = (tried.peak_memory_bytes or 0) / 1e9
    status = "keep" if tried.won else "crash" if tried.value is None else "discard"
    return [
        commit[:SHORT_COMMIT] or _NONE,
        f"{tried.value or 0:.6f}",
        f"{memory:.1f}",
        status,
        _cell(tried.title),
    ]


def _ours(tried: Tried, state: State | None) -> list[str]:
    effect = tried.effect
    known = effect is not None and effect.n > 1
    ended = datetime.fromtimestamp(tried.finished_at_ms / 1000, UTC)
    return [
        tried.outcome,
        state or _NONE,
        _cell(tried.family),
        _cell(tried.proposer),
        _cell(" ".join(f"{name}={value}" for name, value in tried.knobs)),
        _number(tried.base_value),
        _number(None if effect is None else effect.mean),
        _number(effect.low if effect is not None and known else None),
        _number(effect.high if effect is not None and known else None),
        str(len(tried.pairs)),
        tried.author,
        _cell(tried.nickname),
        _cell(tried.hardware),
        f"{tried.milliseconds / 1000:.1f}",
        ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        tried.record or _NONE,
        tried.base or "baseline",
        " ".join(tried.parents) or _NONE,
        tried.tree,
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _cell(text: str) -> str:
    """Text of a peer as a cell that is only ever text."""
    shown = plain(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown or _NONE
