"""
The commands of private topics: make one, invite, join, look, renew, leave.

Law: as in `cli.main`: what may be typed, and nothing of what it does.
"""

from typing import Annotated

import typer

from cli.options import HomeOption, JsonOption, home_root

topic_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
invite_app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What you call the topic.")]


@topic_app.command("create")
def topic_create(
    name: NameArgument,
    home: HomeOption = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME|DIR", help="What it works on.", show_default="as in settings"),
    ] = None,
    closed: Annotated[
        bool,
        typer.Option(
            "--closed", help="Let nobody without the key even connect (libp2p pre-shared key)."
        ),
    ] = False,
) -> None:
    """Make a private topic; its key is drawn here and now."""
    from cli.topic import create

    create(home_root(home), name, task=task, closed=closed)


@topic_app.command("list")
def topic_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The private topics of this home."""
    from cli.topic import list_topics

    list_topics(home_root(home), as_json=as_json)


@topic_app.command("show")
def topic_show(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One topic: its task, its key's number, and the members met or heard of."""
    from cli.topic import show_topic

    show_topic(home_root(home), name, as_json=as_json)


@topic_app.command("rotate")
def topic_rotate(name: NameArgument, home: HomeOption = None) -> None:
    """Draw a new key: only who gets a new invite stays a member."""
    from cli.topic import rotate

    rotate(home_root(home), name)


@topic_app.command("leave")
def topic_leave(
    name: NameArgument,
    home: HomeOption = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove its records from this machine too.")
    ] = False,
) -> None:
    """Forget a topic's key."""
    from cli.topic import leave

    leave(home_root(home), name, forget=forget)


@invite_app.command()
def invite(
    topic: Annotated[str, typer.Option(metavar="NAME", help="The private topic.")],
    home: HomeOption = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME|never", help="How long it may be used: 45min, 8h, 7d.")
    ] = "7d",
    address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MULTIADDR",
            help="Where the node is reached from outside; repeatable.",
            show_default="where it listens",
        ),
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it as a QR code too.")] = False,
) -> None:
    """Print what makes another machine a member; the last line is the invite."""
    from cli.invite import invite

    invite(home_root(home), topic, expires=expires, addresses=tuple(address or ()), qr=qr)


@invite_app.command()
def join(
    invite: Annotated[
        str, typer.Argument(metavar="INVITE|-", help="The invite, or - to read it from stdin.")
    ],
    home: HomeOption = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where the task is here.", show_default="from a member"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="What to call it here.", show_default=False),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Agree to run a task that a member sends.")
    ] = False,
) -> None:
    """Become a member of a private topic."""
    from cli.join import join

    join(home_root(home), invite, task=task, name=name, yes=yes)
