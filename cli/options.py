"""Options that several commands share, and where the home is."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="SWARM_HOME", metavar="DIR", help="Folder of the node.", show_default=False
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")
]


def home_root(home: Path | None) -> Path:
    """The folder of the node: the one that was named, or this person's own."""
    if home is not None:
        return home.expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("research-swarm", appauthor=False)
