"""
The commands that tell a swarm's story: live, as pictures, as lists, as files.

Law: as in `cli.main`: what may be typed, and nothing of what it does.
"""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import HomeOption, JsonOption, home_root

story_app = typer.Typer()

SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only the last so long: 8h, 45min, 2d.", show_default=False),
]


@story_app.command()
def watch(home: HomeOption = None) -> None:
    """The swarm live, in this terminal; q quits."""
    from cli.watch import watch

    watch(home_root(home))


@story_app.command()
def plot(
    home: HomeOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the picture here, as PNG.", show_default="progress.png"
        ),
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw it here, in letters.")] = False,
) -> None:
    """Draw the progress as a picture, or here in letters."""
    from cli.plot import plot

    plot(home_root(home), output=output, terminal=terminal)


@story_app.command()
def trials(
    home: HomeOption = None,
    as_json: JsonOption = False,
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only ideas of this family.")
    ] = None,
    knob: Annotated[
        str | None,
        typer.Option(metavar="NAME[=VALUE]", help="Only what changed this setting, or set it so."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only what ended so: win, no_gain, crashed …")
    ] = None,
    since: SinceOption = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only this node's own.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Experiments to show.")] = 30,
) -> None:
    """What was tried, here and by peers, and what came of it."""
    from cli.trials import Wanted, trials

    wanted = Wanted(family=family, knob=knob, outcome=outcome, since=since, mine=mine)
    trials(home_root(home), wanted, limit=limit, as_json=as_json)


@story_app.command()
def report(
    home: HomeOption = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 8h, 45min, 2d.")] = "8h",
) -> None:
    """What happened while you were away, in ten lines."""
    from cli.report import report

    report(home_root(home), since=since)


@story_app.command()
def export(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or one exported before.")
    ],
    home: HomeOption = None,
    git: Annotated[
        bool, typer.Option("--git", help="Write the lineage as a Git repository instead.")
    ] = False,
) -> None:
    """Write all that is known into a folder of files."""
    from cli.export import export

    export(home_root(home), directory, git=git)


@story_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A records.msgpack.")],
    home: HomeOption = None,
) -> None:
    """Take in records from a file, each judged again."""
    from cli.import_records import import_records

    raise typer.Exit(import_records(home_root(home), file))
