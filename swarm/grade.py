"""
How dangerous a tree is to run: only settings turned, or code changed.

Law: the grade is computed by whoever receives a tree, from the bytes alone. It
is `knob` only if the bytes are the task's own baseline with declared settings at
values that their knobs admit; whatever is in doubt is `code`.
"""

from __future__ import annotations

from typing import Literal

from swarm.knob import Knob
from swarm.settings_block import SettingsBlockError, read_literals, read_settings, write_literals
from swarm.task import Task
from swarm.tree import Tree

Grade = Literal["knob", "code"]


def grade(baseline: Tree, tree: Tree, task: Task) -> Grade:
    """
    The grade of a tree of this task.

    Args:
        baseline: The task's baseline, whose code is trusted.
        tree: An untrusted tree, however many wins it is away from the baseline.

    Returns:
        `knob`: safe to run as the baseline is; `code`: only under isolation.
    """
    if baseline.keys() != tree.keys():
        return "code"
    knobs = {knob.name: knob for knob in task.knobs}
    turned = all(_only_turned(baseline[path], tree[path], knobs) for path in tree)
    return "knob" if turned else "code"


def _only_turned(before: bytes, after: bytes, knobs: dict[str, Knob]) -> bool:
    """Whether `after` is `before` with some settings at values their knobs admit."""
    if before == after:
        return True
    try:
        literals, values = read_literals(after), read_settings(after)
        known = read_literals(before)
        changed = {name for name in literals if literals[name] != known.get(name)}
        same_code = write_literals(before, {name: literals[name] for name in changed}) == after
    except SettingsBlockError:
        return False
    return same_code and all(name in knobs and knobs[name].admits(values[name]) for name in changed)
