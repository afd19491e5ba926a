"""One thing `swarm doctor` looked at, and how it is printed."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich.text import Text

Level: TypeAlias = Literal["ok", "off", "note", "missing"]

_SIGNS: dict[Level, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "off": ("·", "dim"),
    "note": ("!", "yellow"),
    "missing": ("✗", "bold red"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What was found.

    Attributes:
        level: `off` for what is not used and need not be.
        subject: One word.
        words: What is there.
        fix: What to do where `level` is not ok; may have several lines.
        details: More about it, by subject.
    """

    level: Level
    subject: str
    words: str
    fix: str = ""
    details: tuple[tuple[str, str], ...] = ()


def document(finding: Finding) -> dict[str, object]:
    """The finding as `--json` shows it."""
    return {
        "level": finding.level,
        "subject": finding.subject,
        "words": finding.words,
        "fix": finding.fix,
        "details": dict(finding.details),
    }


def line(finding: Finding) -> Text:
    """The finding on one line, with details and fix below it."""
    sign, style = _SIGNS[finding.level]
    text = Text.assemble((sign, style), f" {finding.subject:<10} {finding.words}")
    for name, words in finding.details:
        text.append(f"\n{'':13}{name:<10} {words}", "dim")
    for part in finding.fix.splitlines():
        text.append(f"\n{'':13}{part}", "cyan")
    return text
