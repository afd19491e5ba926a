"""
The commands about the language model that may propose changes.

Law: as in `cli.main`: what may be typed, and nothing of what it does.
"""

import typer

from cli.options import HomeOption, JsonOption, home_root

llm_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@llm_app.callback()
def _llm() -> None:  # pyright: ignore[reportUnusedFunction] - makes `check` a subcommand
    """A language model that proposes changes."""


@llm_app.command("check")
def llm_check(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Ask the model for one change: whether it is good enough, and what that cost."""
    from cli.llm import check

    raise typer.Exit(check(home_root(home), as_json=as_json))
