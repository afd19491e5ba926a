"""`swarm plot`: the progress of the swarm as one picture."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.text import Text

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import DIM, console, counted, number
from cli.story import Story, read_story
from cli.text import plain
from watch.plot import Picture, picture

DEFAULT_FILE = Path("progress.png")
_MOST_COLUMNS, _MOST_LINES = 140, 34


def plot(root: Path, *, output: Path | None, terminal: bool) -> None:
    """
    Draw every experiment: into a PNG file, or with `terminal` on the screen.

    Raises:
        CommandError: Nothing was tried yet, or the file cannot be written.
        JournalError: The journal is there but cannot be read.
    """
    if terminal and output is not None:
        raise CommandError("--terminal draws here and --output into a file: give one of them")
    story = read_story(root)
    if not story.tried:
        start = story.snapshot.start
        raise CommandError(f"nothing was tried yet: let a node run with `swarm {start}`")
    shown = picture(story.tried, story.states, story.metric)
    if terminal:
        _draw(shown, plain(story.snapshot.task.name))
        return
    path = DEFAULT_FILE if output is None else output
    if path.suffix not in ("", ".png"):
        raise CommandError(f"{path}: the picture is a PNG; give a name that ends in .png")
    content = png_of(story, shown)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written ({error.strerror})") from error
    print(f"wrote {path}: {summary(shown)}")


def png_of(story: Story, shown: Picture) -> bytes:
    """The picture as the bytes of a PNG file."""
    # That a font has to be looked for once is nothing to tell a person.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from watch.plot_png import png

    return png(shown, story.snapshot.task.name)


def summary(shown: Picture) -> str:
    """The picture in words."""
    words = f"{counted(shown.experiments, 'experiment')}, {len(shown.wins):,} kept"
    if shown.baseline is None or not shown.steps:
        return words
    name = plain(shown.metric.name)
    return f"{words}, {name} {number(shown.baseline)} → {number(shown.steps[-1].value)}"


def _draw(shown: Picture, name: str) -> None:
    from watch.plot_terminal import drawn

    screen = console()
    aim = "lower" if shown.metric.direction == "minimize" else "higher"
    columns, lines = min(screen.width, _MOST_COLUMNS), min(screen.height - 5, _MOST_LINES)
    screen.print(Text.assemble((name, "bold"), f"  {summary(shown)}"))
    drawing = drawn(shown, columns, lines, coloured=screen.is_terminal and not screen.no_color)
    screen.print(Text.from_ansi(drawing), soft_wrap=True)
    scale = f"{plain(shown.metric.name)} in {plain(shown.metric.unit)}, {aim} is better"
    screen.print(Text(f"{scale}; x: experiments, oldest first", DIM))
    beyond = sum(not shown.bottom <= dot.value <= shown.top for dot in shown.dots)
    if beyond or shown.failed:
        left_out = f"not drawn: {beyond:,} far off, {len(shown.failed):,} stopped early or failed"
        screen.print(Text(spelled(f"{left_out} (`swarm trials` lists them)"), DIM))
