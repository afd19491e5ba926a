"""
Commands, spelled so that the person at this terminal can type them.

Law: texts everywhere say `swarm …` in backticks; the path by which the program was
called and the home that was named are put in here, as late as they are printed.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

PUBLIC_TOPIC = "public"
DEFAULT_TASK = "tinypy"
"""The defaults of `swarm.settings`, which quick commands do not import."""

_HINT = re.compile(r"`swarm(?: ([^`\n]+))?`")
_HOMELESS = ("demo", "task")
"""Commands that have no `--home`."""


def spelled(text: str) -> str:
    """`text` with every command in backticks as it must be typed here."""
    return _HINT.sub(lambda hint: f"`{command(hint[1] or '')}`", text)


def command(words: str, arguments: Sequence[str] | None = None) -> str:
    """
    How to type `swarm` with these words.

    Args:
        words: What comes after the program's name.
        arguments: What this process was called with; None for `sys.argv`.
    """
    called, *given = sys.argv if arguments is None else arguments
    parts = [program(called), *([words] if words else [])]
    home = _home(given)
    if home is not None and words and words.split()[0] not in _HOMELESS and "--home" not in words:
        parts.append(f"--home {shlex.quote(home)}")
    return " ".join(parts)


def program(called: str | None = None) -> str:
    """How to call `swarm` here: as this process was called, None for `sys.argv`."""
    called = sys.argv[0] if called is None else called
    path = Path(called)
    found = shutil.which("swarm")
    if path.name != "swarm" or (found is not None and Path(found).resolve() == path.resolve()):
        return "swarm"
    return shlex.quote(called)


def starting(task: str, topic: str = PUBLIC_TOPIC) -> str:
    """The command that starts a node on a task, named unless it is the one taken anyway."""
    if topic != PUBLIC_TOPIC:
        return f"start --topic {topic}"
    return "start" if task == DEFAULT_TASK else f"start --task {shlex.quote(task)}"


def _home(given: Sequence[str]) -> str | None:
    """The `--home` that was typed, if one was."""
    for word, after in zip(given, (*given[1:], ""), strict=False):
        if word == "--home":
            return after
        if word.startswith("--home="):
            return word.removeprefix("--home=")
    return None
