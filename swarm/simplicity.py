"""
When a change wins by being simpler.

It must be no worse, and that must be shown: "no significant difference" is no
difference found, not equality. A test of non-inferiority has to place what it loses
below `min_effect`, at the looks and levels of the rule that decides gains; that it
gains, if not enough for that rule, is nothing against it. And it must be simpler by a
count, not by taste: parameters or syntax-tree nodes down by 5 %, or fewer settings off
their default, and neither size up by 5 %.

Comments, docstrings, blank lines and layout are no nodes, so dropping them is no
gain. Long literals count by their length, so code hidden in a string is not gone.

Such a win is told by its record: it is of the family `simplify`, and its own pairs
show less than half of `min_effect` of gain. What it promises is to lose less than
`min_effect`; replications hold it to that, and it ranks no higher than its base.
That it is simpler is for whoever builds on it to count again.

Law: pure and total; sources are parsed, never run.

Source: the one of Schuirmann's two one-sided tests that bounds the loss, "A comparison
of the two one-sided tests procedure and the power approach", Journal of
Pharmacokinetics and Biopharmaceutics 15 (1987).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.settings_block import SettingsBlockError, read_settings
from swarm.statistics import Decision, Direction, Rule, decide, mean_and_spread
from swarm.tree import Tree
from swarm.verdict import Yardstick

FAMILY = "simplify"
"""The family of ideas whose wins need not gain."""
SMALLER = 0.95
"""A size that is down to this share of the base's is simpler."""
CHARACTERS_PER_NODE = 16
"""A literal counts as one more node for so many characters of it."""


@dataclass(frozen=True, slots=True)
class Size:
    """
    How much there is to a tree.

    Attributes:
        parameters: Of the trained model; None where nobody counted.
        nodes: Of the syntax trees of all Python files; None where one does not parse.
        turned: Settings that are not at the baseline's value.
    """

    parameters: int | None
    nodes: int | None
    turned: int


def size_of(tree: Tree, baseline: Tree, parameters: int | None = None) -> Size:
    """
    The size of a tree.

    Args:
        baseline: The task's baseline, whose settings are the defaults.
        parameters: As the runner counted them.
    """
    counts = [_nodes(tree[path]) for path in sorted(tree) if path.endswith(".py")]
    known = [count for count in counts if count is not None]
    nodes = sum(known) if len(known) == len(counts) else None
    turned = sum(_turned(tree[path], baseline[path]) for path in tree if path in baseline)
    return Size(parameters, nodes, turned)


def why_simpler(base: Size, candidate: Size) -> str | None:
    """In what a candidate is simpler than its base, for people; None if in nothing."""
    sizes = (
        ("parameters", base.parameters, candidate.parameters),
        ("syntax-tree nodes", base.nodes, candidate.nodes),
    )
    known = [(name, was, now) for name, was, now in sizes if was and now is not None]
    if any(now * SMALLER >= was for _, was, now in known):
        return None
    for name, was, now in known:
        if now <= was * SMALLER:
            return f"{1 - now / was:.0%} fewer {name}"
    fewer = base.turned - candidate.turned
    if fewer < 1:
        return None
    return f"{fewer} setting{'s' if fewer > 1 else ''} back at the default"


def is_simplification(
    family: str, pairs: Sequence[tuple[int, int, int]], yardstick: Yardstick
) -> bool:
    """
    Whether a win claims to be simpler and no worse, instead of to gain.

    Args:
        pairs: (seed, base, candidate) as its author measured them, in nano-units.
    """
    if family != FAMILY:
        return False
    sign = 1e-9 if yardstick.direction == "minimize" else -1e-9
    gain = sign * sum(base - candidate for _, base, candidate in pairs) / len(pairs)
    return gain < yardstick.bar


def allowed_loss(yardstick: Yardstick, *, simpler: bool) -> float:
    """How much a win may lose against its base and keep its word, in the metric's unit."""
    return yardstick.min_effect if simpler else 0.0


def decide_either(
    differences: Sequence[float], rule: Rule, direction: Direction, *, simpler: bool
) -> tuple[Decision, bool]:
    """
    Whether a change gains, or is no worse than its base where it is simpler.

    Each of the two is decided as if the other were not looked at, so each keeps the
    level of the rule.

    Args:
        differences: Candidate − base, one per seed, in their order, in the metric's unit.
        simpler: The change is simpler than its base by a count.

    Returns:
        The decision, and whether it is about being no worse.
    """
    gain = decide(differences, rule, direction)
    if gain is Decision.WIN or not simpler:
        return gain, False
    as_good = decide_no_worse(differences, rule, direction)
    if as_good is not Decision.WIN and gain is Decision.CONTINUE:
        return gain, False
    return as_good, True


def decide_no_worse(differences: Sequence[float], rule: Rule, direction: Direction) -> Decision:
    """
    Whether the pairs so far, in their order, show that a change loses less than `min_effect`.

    `WIN`: at a look, the one-sided test against that much loss holds. `FUTILE`: what is
    lost is too much for that. The first pair that decides is final.

    Args:
        differences: Candidate − base, one per seed, in the metric's unit.
    """
    sign = -1.0 if direction == "minimize" else 1.0
    gains = [sign * difference for difference in differences]
    for n in range(1, len(gains) + 1):
        decision = _after(gains[:n], rule)
        if decision is not Decision.CONTINUE:
            return decision
    return Decision.CONTINUE


def _after(gains: Sequence[float], rule: Rule) -> Decision:
    n = len(gains)
    if n in rule.looks and _is_no_worse(gains, rule):
        return Decision.WIN
    if n >= rule.looks[-1]:
        return Decision.EXHAUSTED
    hoped_for = math.fsum(gains) / n + 0.5 * rule.sigma / math.sqrt(n)
    return Decision.FUTILE if not hoped_for > -rule.min_effect else Decision.CONTINUE


def _is_no_worse(gains: Sequence[float], rule: Rule) -> bool:
    n = len(gains)
    mean, spread = mean_and_spread(gains)
    bar = rule.critical[rule.looks.index(n)] * max(spread, rule.sigma / 2) / math.sqrt(n)
    return mean + rule.min_effect > bar


def _nodes(source: bytes) -> int | None:
    """Nodes of the syntax tree without docstrings; None where the source does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return sum(_weight(node) for node in ast.walk(_without_docstrings(tree)))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_remark(each)]
    return tree


def _is_remark(statement: ast.stmt) -> bool:
    """A docstring, or another string that nothing is done with."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _weight(node: ast.AST) -> int:
    """A node counts once, and a literal again for its length; load or store is no node."""
    if isinstance(node, ast.expr_context):
        return 0
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str | bytes):
        return 1 + len(value) // CHARACTERS_PER_NODE
    return 1 + (value.bit_length() // 4 // CHARACTERS_PER_NODE if isinstance(value, int) else 0)


def _turned(source: bytes, default: bytes) -> int:
    """Settings of `source` that the baseline has at another value, or not at all."""
    try:
        here, usual = read_settings(source), read_settings(default)
    except SettingsBlockError:
        return 0
    return sum(repr(usual.get(name)) != repr(value) for name, value in here.items())
