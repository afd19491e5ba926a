"""`swarm status`: what the node is doing, or did last."""

import time
from pathlib import Path

from rich.text import Text

from cli.failures import CommandError
from cli.hints import PUBLIC_TOPIC, program, spelled, starting
from cli.output import age, console, counted, facts, print_json
from cli.snapshot import Snapshot, take_snapshot
from cli.text import plain


def status(root: Path, *, as_json: bool) -> None:
    """
    Print the state of the node in `root`, for people or as one JSON document.

    Raises:
        CommandError: There is no home.
    """
    if not root.exists():
        raise CommandError(f"there is no home at {root}: `swarm start` makes one")
    snapshot = take_snapshot(root)
    if as_json:
        print_json(document(snapshot))
        return
    screen = console()
    screen.print(facts(_rows(snapshot)))
    start = starting(snapshot.task.source, snapshot.topic.name)
    for addr in snapshot.listen_addrs if snapshot.topic.name == PUBLIC_TOPIC else ():
        joining = f"{program()} {start} --join {plain(addr)}"
        screen.print(Text(f"join it with  {joining}"), soft_wrap=True)
    if snapshot.topic.name != PUBLIC_TOPIC:
        words = f"`swarm invite --topic {snapshot.topic.name}` prints what others need to join"
        screen.print(spelled(words), soft_wrap=True)
    if not snapshot.running:
        words = f"start it with `swarm {start}`; see what is known with `swarm leaderboard`"
        screen.print(f"\n{spelled(words)}", soft_wrap=True)


def document(snapshot: Snapshot) -> dict[str, object]:
    """The state as `--json` shows it; what is not known is null."""
    return {
        "peer_id": snapshot.peer_id,
        "nickname": snapshot.nickname,
        "topic": snapshot.topic.name,
        "task": snapshot.task.document(),
        "hardware_class": snapshot.hardware_class,
        "running": snapshot.running,
        "pid": snapshot.pid,
        "experiments": snapshot.experiments,
        "wins": snapshot.wins,
        "peers": snapshot.peers,
        "uptime_seconds": snapshot.uptime_seconds,
        "listen_addrs": list(snapshot.listen_addrs),
        "watch": snapshot.watch,
        "home": str(snapshot.home.root),
    }


def _rows(snapshot: Snapshot) -> dict[str, Text | str]:
    rows: dict[str, Text | str] = {
        "node": _state(snapshot),
        "peer id": snapshot.peer_id or "made at the first start",
        "topic": snapshot.topic.name,
        "task": f"{snapshot.task.name}, {snapshot.task.metric} ({snapshot.task.direction})",
        "hardware": snapshot.hardware_class or "probed at the first start",
        "experiments": f"{snapshot.experiments:,} finished, {counted(snapshot.wins, 'win')}",
        "peers": f"{snapshot.peers:,} connected",
        "home": str(snapshot.home.root),
    }
    if snapshot.nickname:
        rows["nickname"] = plain(snapshot.nickname)
    if snapshot.watch:
        rows["watch"] = plain(snapshot.watch)
    if asked := _asked(snapshot.home.llm):
        rows["llm"] = asked
    if snapshot.now:
        rows["now"] = Text("\n".join(plain(title) for title in snapshot.now))
    return rows


def _asked(account: Path) -> str:
    """What a language model was asked today; "" where none ever was."""
    if not account.exists():
        return ""
    from experiments.proposers.llm_budget import read_account

    found = read_account(account)
    return f"{plain(found.model)}, {found.words(time.time_ns() // 1_000_000)}" if found else ""


def _state(snapshot: Snapshot) -> Text:
    if not snapshot.running:
        return Text("not running", "yellow")
    uptime = snapshot.uptime_seconds
    since = "starting" if uptime is None else f"for {age(uptime)}"
    return Text.assemble(("running", "bold green"), f" {since}, process {snapshot.pid}")
