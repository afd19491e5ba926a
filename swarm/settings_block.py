"""
The marked block of settings in a training script.

Between two marker lines stand `NAME = literal  # comment` lines, comments and
blank lines, and nothing else. A program can read and change the values without
running or parsing Python, and a change of values alone cannot hide code.

Law: a literal is a number, a plain string, True or False, spelled so that Python
reads the same value. Writing changes literals only; every other byte stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["END", "START", "Scalar", "SettingsBlockError", "read_literals", "read_settings"]
__all__ += ["write_literals", "write_settings"]

Scalar: TypeAlias = int | float | str | bool

START = "# --- settings: one NAME = value per line ---"
END = "# --- end of settings ---"

_INTEGER = r"-?(?:0|[1-9]\d{0,17}|[1-9]\d{0,2}(?:_\d{3}){1,5})"
_FLOAT = r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,20}(?:e[+-]?\d{1,2})?|e[+-]?\d{1,2})"  # always finite
_STRING = r'"[^"\\\x00-\x1f\x7f]{0,200}"' + r"|'[^'\\\x00-\x1f\x7f]{0,200}'"
_LITERAL = re.compile(f"{_FLOAT}|{_INTEGER}|True|False|{_STRING}", re.ASCII)
_SETTING = re.compile(
    rf"(?P<head>(?P<name>[A-Za-z_][A-Za-z0-9_]{{0,63}}) = )(?P<literal>{_LITERAL.pattern})"
    r"(?P<tail> *(?:#[^\x00-\x1f\x7f]*)?)",
    re.ASCII,
)
_COMMENT = re.compile(r" *(?:#[^\x00-\x1f\x7f]*)?")


class SettingsBlockError(ValueError):
    """A source has no well-formed settings block, or a value does not fit in; says where."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A source taken apart: the settings by name, and which line each stands on."""

    lines: list[str]
    settings: dict[str, re.Match[str]]
    line_of: dict[str, int]


def read_settings(source: bytes) -> dict[str, Scalar]:
    """
    The values in the settings block of `source`, in the order of its lines.

    Raises:
        SettingsBlockError: No block, a line in it that is not a
            setting, or a name that comes twice.
    """
    return {name: _value(literal) for name, literal in read_literals(source).items()}


def read_literals(source: bytes) -> dict[str, str]:
    """As `read_settings`, with the literals as they are spelled."""
    return {name: found["literal"] for name, found in _parse(source).settings.items()}


def write_settings(source: bytes, changes: Mapping[str, Scalar]) -> bytes:
    """
    `source` with the settings named in `changes` at those values.

    A setting that already has its value keeps its spelling.

    Raises:
        SettingsBlockError: No well-formed block, a name that is not in it, or a
            value that has no plain literal.
    """
    now = read_settings(source)
    return write_literals(
        source,
        {name: _literal(value) for name, value in changes.items() if not _same(now, name, value)},
    )


def write_literals(source: bytes, changes: Mapping[str, str]) -> bytes:
    """As `write_settings`, for values that are already spelled."""
    block = _parse(source)
    lines = list(block.lines)
    for name, literal in changes.items():
        found = block.settings.get(name)
        if found is None:
            raise SettingsBlockError(f"the settings block has no {name!r}")
        if _LITERAL.fullmatch(literal) is None:
            raise SettingsBlockError(f"{name} = {literal[:80]!r} is not a plain literal")
        lines[block.line_of[name]] = found["head"] + literal + found["tail"]
    return "\n".join(lines).encode()


def _parse(source: bytes) -> _Block:
    try:
        lines = source.decode().split("\n")
    except UnicodeDecodeError as error:
        raise SettingsBlockError("the source is not UTF-8 text") from error
    if lines.count(START) != 1 or END not in lines[lines.index(START) :]:
        raise SettingsBlockError(f"the source needs one line {START!r} and, below it, {END!r}")
    block = _Block(lines, {}, {})
    first = lines.index(START) + 1
    for number in range(first, lines.index(END, first)):
        _read_line(block, number)
    return block


def _read_line(block: _Block, number: int) -> None:
    line = block.lines[number]
    if _COMMENT.fullmatch(line):
        return
    found = _SETTING.fullmatch(line)
    if found is None:
        raise SettingsBlockError(f"line {number + 1}, {line[:80]!r}: expected NAME = literal")
    name = found["name"]
    if name in block.settings:
        raise SettingsBlockError(f"line {number + 1}: {name} is set twice")
    block.settings[name] = found
    block.line_of[name] = number


def _value(literal: str) -> Scalar:
    if literal in ("True", "False"):
        return literal == "True"
    if literal[0] in "\"'":
        return literal[1:-1]
    return float(literal) if "." in literal or "e" in literal else int(literal)


def _literal(value: Scalar) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value)


def _same(settings: Mapping[str, Scalar], name: str, value: Scalar) -> bool:
    """Whether a setting has this value already: 1, 1.0 and True are three values."""
    return name in settings and repr(settings[name]) == repr(value)
