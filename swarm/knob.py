"""
What a task lets experiments turn: settings by name, with their values.

Law: a knob admits what is declared and nothing else, by value and by kind, so
every peer agrees on which changes are turns of knobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from swarm.families import FAMILIES
from swarm.settings_block import Scalar, SettingsBlockError, read_settings
from swarm.toml_table import Table, TableError, is_number
from swarm.tree import Tree

_SETTING = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Knob:
    """
    One setting that experiments may turn without touching code.

    Attributes:
        name: The setting's name in the settings block.
        kind: "choice" has `choices`; "int" and "float" have `low` and `high`.
        family: The family of ideas that turning it belongs to.
        choices: The values allowed, all of them literals.
        low, high: The range allowed, both ends included.
        log: Whether the range is best searched on a logarithmic scale.
        sources: Where an idea comes from, by `str(choice)`; "*" for the knob itself.
        when: Values of other settings without which turning this one changes nothing.
    """

    name: str
    kind: Literal["choice", "int", "float"]
    family: str
    choices: tuple[Scalar, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict[str, tuple[Scalar, ...]])

    def matters(self, settings: Mapping[str, Scalar]) -> bool:
        """Whether turning it can change anything, with these settings."""
        return all(
            any(_same(settings.get(name), value) for value in values)
            for name, values in self.when.items()
        )

    def admits(self, value: object) -> bool:
        """Whether a value is one this knob may take; `True` is never the number 1."""
        if self.kind == "choice":
            return any(_same(value, choice) for choice in self.choices)
        if not is_number(value) or (self.kind == "int" and not isinstance(value, int)):
            return False
        assert self.low is not None and self.high is not None
        return self.low <= value <= self.high

    def source_of(self, value: Scalar) -> str | None:
        """The literature behind a value, or behind the knob, if the task names it."""
        return self.sources.get(str(value), self.sources.get("*"))


def read_knobs(table: Table, baseline: Tree) -> tuple[Knob, ...]:
    """
    The knobs that the table `[knobs]` of a task.toml declares.

    Args:
        table: One table per knob, by name.
        baseline: The editable files; each knob is a setting of theirs.

    Raises:
        TableError: Naming the key at fault.
    """
    settings = _baseline_settings(baseline)
    knobs = tuple(_knob(name, table) for name in table.names())
    for knob in knobs:
        if unknown := sorted(knob.when.keys() - settings.keys()):
            raise TableError(table.key(f"{knob.name}.when"), f"there is no setting {unknown[0]}")
        if knob.name not in settings:
            raise TableError(table.key(knob.name), "no editable file has a setting of this name")
        if not knob.admits(value := settings[knob.name]):
            raise TableError(table.key(knob.name), f"does not admit the baseline's {value!r}")
    return knobs


def _baseline_settings(baseline: Tree) -> dict[str, Scalar]:
    """Settings of every editable file that has a settings block."""
    settings: dict[str, Scalar] = {}
    for source in baseline.values():
        try:
            settings |= read_settings(source)
        except SettingsBlockError:
            continue
    return settings


def _knob(name: str, parent: Table) -> Knob:
    table = parent.table(name)
    if not _SETTING.fullmatch(name):
        raise TableError(parent.key(name), "a knob's name is upper case, such as LEARNING_RATE")
    family = table.choice("family", tuple(FAMILIES))
    kind = table.choice("type", ("choice", "int", "float"), "choice")
    sources = table.table("sources")
    named = {key: sources.text(key) for key in sources.names()}
    condition = table.table("when")
    when = {key: _values(condition, key) for key in condition.names()}
    if kind == "choice":
        choices = _choices(table)
        knob = Knob(name, "choice", family, choices, sources=named, when=when)
    else:
        low, high = table.number("low", -1e12, 1e12), table.number("high", -1e12, 1e12)
        log = table.flag("log", False)
        number = "int" if kind == "int" else "float"
        knob = Knob(name, number, family, (), low, high, log, named, when)
        _check_range(table, knob)
    table.done()
    unknown = [key for key in named if key != "*" and key not in map(str, knob.choices)]
    if unknown:
        raise TableError(sources.key(unknown[0]), "a source for a value that is no choice")
    return knob


def _choices(table: Table) -> tuple[Scalar, ...]:
    choices = _values(table, "choices")
    if len(choices) < 2:
        raise TableError(table.key("choices"), "expected at least two values")
    return choices


def _values(table: Table, name: str) -> tuple[Scalar, ...]:
    """A list of different, short literals."""
    values: list[Scalar] = []
    for value in table.items(name):
        if not (isinstance(value, str | bool) or is_number(value)) or len(str(value)) > 40:
            raise TableError(table.key(name), f"{value!r} is not a short literal")
        if any(_same(value, other) for other in values):
            raise TableError(table.key(name), f"{value!r} is there twice")
        values.append(value)
    return tuple(values)


def _check_range(table: Table, knob: Knob) -> None:
    assert knob.low is not None and knob.high is not None
    if knob.low >= knob.high:
        raise TableError(table.key("low"), f"{knob.low} is not below high = {knob.high}")
    if knob.log and knob.low <= 0:
        raise TableError(table.key("low"), "a logarithmic range starts above 0")
    if knob.kind == "int" and not (knob.low.is_integer() and knob.high.is_integer()):
        raise TableError(table.key("low"), "an int range has integer ends")


def _same(value: object, choice: Scalar) -> bool:
    """Equal and of a kind: 1 and 1.0 are, 1 and True are not."""
    return value == choice and (
        type(value) is type(choice) or (is_number(value) and is_number(choice))
    )
