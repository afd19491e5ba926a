"""
`swarm`: every command, its options and its help.

Law: this file says what may be typed and nothing of what it does. A command's
module is imported when the command runs, so that `swarm --help` stays quick and
reading commands never load what only a node needs.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.failures import explained
from cli.llm_commands import llm_app
from cli.options import HomeOption, JsonOption, home_root
from cli.story_commands import story_app
from cli.topic_commands import invite_app, topic_app

app = typer.Typer(
    name="swarm",
    help="Machines improve a training script together and believe only what others replicate.",
    epilog="New here? `swarm doctor` looks at this machine, `swarm start` begins.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
task_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(task_app, name="task", help="The research tasks that a swarm can work on.")
app.add_typer(llm_app, name="llm", help="A language model that proposes changes.")
app.add_typer(topic_app, name="topic", help="Private topics: make one, renew its key, leave it.")

StateOption = Annotated[
    Literal["claimed", "replicated", "refuted", "incomplete", "invalid"] | None,
    typer.Option(help="Only what is in this state.", show_default=False),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Settings to begin with: laptop, gpu, private, demo or a TOML file.",
        show_default=False,
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"research-swarm {version('research-swarm')}")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction] - typer calls it
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Which this is.")
    ] = False,
) -> None:
    """Machines improve a training script together and believe only what others replicate."""


@app.command()
def start(
    home: HomeOption = None,
    profile: ProfileOption = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="What to research.", show_default=False)
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A private topic, or public.", show_default="public"),
    ] = None,
    join: Annotated[
        list[str] | None, typer.Option(metavar="MULTIADDR", help="A peer to dial; repeatable.")
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="MULTIADDR", help="Where peers can dial this node; repeatable."),
    ] = None,
    experiments: Annotated[
        int | None,
        typer.Option(metavar="N", help="Stop after N finished experiments.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Experiments at once.", show_default="cores - 1"),
    ] = None,
    nickname: Annotated[
        str | None, typer.Option(metavar="NAME", help="Shown to peers.", show_default=False)
    ] = None,
    observe: Annotated[bool, typer.Option("--observe", help="Take part without training.")] = False,
    relay: Annotated[
        bool, typer.Option("--relay", help="Lead others to peers that cannot be dialled.")
    ] = False,
    api: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|off", help="Where to watch it.", show_default="127.0.0.1:8377"
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
) -> None:
    """Start a node: it researches, and shares what it finds."""
    from cli.start import start

    flags = {
        "task": task,
        "topic": topic,
        "node.experiments": experiments,
        "node.workers": workers,
        "node.nickname": nickname,
        "node.observe": observe or None,
        "watch.api": api,
        "network.relay": relay or None,
        "network.join": tuple(join or ()),
        "network.listen_addrs": tuple(listen or ()),
    }
    raise typer.Exit(start(home_root(home), profile=profile, flags=flags, detach=detach))


@app.command()
def stop(home: HomeOption = None) -> None:
    """Stop the node that runs in this home, cleanly."""
    from cli.stop import stop

    raise typer.Exit(stop(home_root(home)))


@app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What the node is doing, or did last."""
    from cli.status import status

    status(home_root(home), as_json=as_json)


@app.command()
def leaderboard(
    home: HomeOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to show.")] = 20,
    state: StateOption = None,
    mine: Annotated[
        bool,
        typer.Option(
            "--mine", help="Count the replications that this node believes, not everyone's."
        ),
    ] = False,
) -> None:
    """The changes that helped, best first."""
    from cli.leaderboard import leaderboard

    leaderboard(home_root(home), limit=limit, as_json=as_json, state=state, mine=mine)


@app.command()
def show(
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="An id, or how one begins or ends.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One record: what changed, why, the evidence, and who built on it."""
    from cli.show import show

    show(home_root(home), record, as_json=as_json)


@app.command()
def replay(
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="A win's id, or how it begins or ends.")
    ],
    home: HomeOption = None,
    seeds: Annotated[int, typer.Option(min=2, max=64, help="Pairs to run.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Run a win again on this machine: what was said, and what is seen."""
    from cli.replay import replay

    raise typer.Exit(replay(home_root(home), record, seeds=seeds, as_json=as_json))


@app.command()
def strategy(
    home: HomeOption = None,
    as_json: JsonOption = False,
    hardware: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="As if on other hardware: gpu-datacenter, gpu-large, gpu-small, apple-silicon, "
            "cpu-server or cpu-laptop.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What this node would try next, with what odds, and why."""
    from cli.strategy import strategy

    strategy(home_root(home), hardware=hardware, as_json=as_json)


@app.command()
def best(
    home: HomeOption = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it here, not to stdout.", show_default=False),
    ] = None,
) -> None:
    """The best believed training script."""
    from cli.best import best

    best(home_root(home), output=output)


@app.command()
def trust(
    peer: Annotated[
        str | None, typer.Argument(metavar="PEER", help="A peer id.", show_default=False)
    ] = None,
    home: HomeOption = None,
    listed: Annotated[bool, typer.Option("--list", help="Print who is trusted.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take this peer off the list.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Name a peer whose replications this node believes from the start."""
    from cli.trust import trust

    trust(home_root(home), peer, listed=listed, remove=remove, as_json=as_json)


@app.command()
def verify(
    home: HomeOption = None,
    rescue: Annotated[
        bool, typer.Option("--rescue", help="Keep what is valid, move a damaged file aside.")
    ] = False,
) -> None:
    """Check every record in the journal again: bytes, signatures and rules."""
    from cli.verify import verify

    raise typer.Exit(verify(home_root(home), rescue_damaged=rescue))


@app.command()
def doctor(
    home: HomeOption = None,
    network: Annotated[
        bool, typer.Option("--network", help="Whether peers reach this node, and if not, why.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What this machine can do, what is missing, and how to get it."""
    from cli.doctor import doctor
    from cli.network_doctor import network_doctor

    look = network_doctor if network else doctor
    raise typer.Exit(look(home_root(home), as_json=as_json))


@app.command()
def demo(
    nodes: Annotated[int, typer.Option(min=2, max=16, help="Nodes to start.")] = 3,
    experiments: Annotated[int, typer.Option(min=1, help="Experiments, over all nodes.")] = 12,
) -> None:
    """Watch real nodes on this machine find, share and fold improvements."""
    from cli.demo import demo

    raise typer.Exit(demo(nodes=nodes, experiments=experiments))


@task_app.command("list")
def task_list(as_json: JsonOption = False) -> None:
    """The tasks that come with the program."""
    from cli.task import list_tasks

    list_tasks(as_json=as_json)


@task_app.command("show")
def task_show(
    name: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A built-in task or a folder.")],
    as_json: JsonOption = False,
) -> None:
    """One task: metric, budget, and every knob that may be turned."""
    from cli.task import show_task

    show_task(name, as_json=as_json)


app.add_typer(story_app)
app.add_typer(invite_app)


def main() -> None:
    """Run the command line; what a person can fix ends in one sentence and exit status 1."""
    # Typer brings pydantic, whose search for plugins would read every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        app()
    except Exception as error:  # noqa: BLE001 - re-raised unless it is known and explained
        sys.exit(explained(error))


if __name__ == "__main__":
    main()
