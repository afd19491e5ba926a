"""
Which wins the literature knows.

A win that turned one setting to a value for which the task names a source has
*confirmed* that source, once others have replicated it: the idea stood on the menu.
A win that changed code, where the added lines are unmistakably a published idea that
is on nobody's menu, has *rediscovered* it. Each source is met once, by the first win
that was claimed.

Law: a function of the wins and the task; display only, nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from swarm.knob import Knob
from swarm.records import RecordId, Win
from swarm.settings_block import END, START, Scalar, SettingsBlockError, read_settings

_YEAR = re.compile(r"\b(19|20)\d\d\b")
_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class Idea:
    """A published idea: what it is called, when it came out and where to read of it."""

    name: str
    year: int
    source: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Milestone:
    """
    A replicated win that the literature knows.

    Attributes:
        kind: `confirmed`: chosen from the task's menu; `rediscovered`: written as code.
    """

    record: RecordId
    kind: Literal["confirmed", "rediscovered"]
    idea: Idea
    created_at_ms: int

    @property
    def text(self) -> str:
        """In a few words: "confirmed: Kaiming init, 2015"."""
        return f"{self.kind}: {self.idea.name}, {self.idea.year}"


def _idea(name: str, year: int, authors: str, paper: str) -> Idea:
    return Idea(name, year, f"{name}, {authors} {year}", f"https://arxiv.org/abs/{paper}")


KNOWN_CODE: Sequence[tuple[re.Pattern[str], Idea]] = (
    (
        re.compile(r"\.lerp_\(|\bema_decay\b|\bema_weights\b"),
        _idea("Exponential moving average of weights", 2018, "Izmailov et al.", "1803.05407"),
    ),
    (
        re.compile(r"\bz_?loss\b|\blse\.(pow\(2\)|square\(\))"),
        _idea("z-loss", 2022, "Chowdhery et al.", "2204.02311"),
    ),
    (
        re.compile(r"\bdrop_path\b|\bstochastic_depth\b"),
        _idea("Stochastic depth", 2016, "Huang et al.", "1603.09382"),
    ),
    (
        re.compile(r"\blayer_scale\b|\blayerscale\b", re.IGNORECASE),
        _idea("LayerScale", 2021, "Touvron et al.", "2103.17239"),
    ),
    (
        re.compile(r"\brezero\b|\bresidual_alpha\b", re.IGNORECASE),
        _idea("ReZero", 2020, "Bachlechner et al.", "2003.04887"),
    ),
    (
        re.compile(r"\benable_gqa\b|\bkv_heads\b|\bn_kv_heads?\b|\bnum_kv_heads\b"),
        _idea("Grouped-query attention", 2023, "Ainslie et al.", "2305.13245"),
    ),
    (
        re.compile(r"class Lion\b|\bupdate\.sign_?\(\)"),
        _idea("Lion", 2023, "Chen et al.", "2302.06675"),
    ),
    (
        re.compile(r"class Lookahead\b|\bslow_weights\b"),
        _idea("Lookahead optimizer", 2019, "Zhang et al.", "1907.08610"),
    ),
    (
        re.compile(r"\bmixup\b", re.IGNORECASE),
        _idea("mixup", 2017, "Zhang et al.", "1710.09412"),
    ),
    (
        re.compile(r"\bmulti_token\b|\bmtp_heads?\b"),
        _idea("Multi-token prediction", 2024, "Gloeckle et al.", "2404.19737"),
    ),
)
"""Published ideas by what their code cannot do without saying; no pattern looks back."""


def milestones(wins: Iterable[tuple[RecordId, Win]], knobs: Sequence[Knob]) -> list[Milestone]:
    """
    The milestones among some wins, the oldest first.

    Args:
        wins: Replicated wins, by record id.
        knobs: The task's menu.
    """
    ordered = sorted(wins, key=lambda pair: (pair[1].created_at_ms, pair[0]))
    found: dict[Idea, Milestone] = {}
    for record, win in ordered:
        for kind, idea in _ideas(win, knobs):
            found.setdefault(idea, Milestone(record, kind, idea, win.created_at_ms))
    return list(found.values())


def read_source(text: str) -> Idea | None:
    """
    The idea in a source as a task names it, "Kaiming init, He et al. 2015, https://…".

    Returns:
        None where the text names no year: then it says why, and not where from.
    """
    url = _URL.search(text)
    words = _URL.sub("", text).strip().rstrip(",")
    year = _YEAR.search(words)
    if year is None:
        return None
    name = words.split(",")[0].strip()
    return Idea(name, int(year[0]), words, url[0] if url else None)


def _ideas(
    win: Win, knobs: Sequence[Knob]
) -> Iterator[tuple[Literal["confirmed", "rediscovered"], Idea]]:
    turned = _turned(win.diff)
    if turned is None:
        listed = " ".join(source for knob in knobs for source in knob.sources.values())
        added = "\n".join(_changed_lines(win.diff, "+"))
        for pattern, idea in KNOWN_CODE:
            if pattern.search(added) and (idea.url is None or idea.url not in listed):
                yield "rediscovered", idea
    elif len(turned) == 1:
        ((name, value),) = turned.items()
        knob = next((knob for knob in knobs if knob.name == name and knob.admits(value)), None)
        source = None if knob is None else knob.source_of(value)
        if source is not None and (idea := read_source(source)) is not None:
            yield "confirmed", idea


def _turned(diff: str) -> dict[str, Scalar] | None:
    """The settings that a diff turns, by name; None if it changes anything else."""
    before = _settings(_changed_lines(diff, "-"))
    after = _settings(_changed_lines(diff, "+"))
    if before is None or after is None or before.keys() != after.keys():
        return None
    return {name: value for name, value in after.items() if repr(value) != repr(before[name])}


def _settings(lines: Sequence[str]) -> dict[str, Scalar] | None:
    try:
        return read_settings("\n".join([START, *lines, END]).encode())
    except SettingsBlockError:
        return None


def _changed_lines(diff: str, sign: str) -> list[str]:
    """The lines that a unified diff takes away or adds."""
    header = sign * 3 + " "
    lines = diff.split("\n")
    return [line[1:] for line in lines if line.startswith(sign) and not line.startswith(header)]
