"""`swarm status`: what the node is doing, or did last."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from cli.failures import CommandError
from cli.hints import PUBLIC_TOPIC, program, spelled
from cli.output import age, console, counted, facts, print_json
from cli.snapshot import Snapshot, take_snapshot
from cli.text import plain

if TYPE_CHECKING:
    from experiments.proposers.llm_budget import Account


def status(root: Path, *, as_json: bool) -> None:
    """
    Print the state of the node in `root`, for people or as one JSON document.

    Raises:
        CommandError: There is no home.
        SettingsError: No node runs, and the settings do not say which model it would ask.
    """
    if not root.exists():
        raise CommandError(f"there is no home at {root}: `swarm start` makes one")
    snapshot = take_snapshot(root)
    account = _account(snapshot)
    if as_json:
        print_json(document(snapshot, account))
        return
    screen = console()
    screen.print(facts(_rows(snapshot, account)))
    for addr in snapshot.listen_addrs if snapshot.topic.name == PUBLIC_TOPIC else ():
        joining = f"{program()} {snapshot.start} --join {plain(addr)}"
        screen.print(Text(f"join it with  {joining}"), soft_wrap=True)
    if snapshot.topic.name != PUBLIC_TOPIC:
        words = f"`swarm invite --topic {snapshot.topic.name}` prints what others need to join"
        screen.print(spelled(words), soft_wrap=True)
    if not snapshot.running:
        words = f"start it with `swarm {snapshot.start}`; `swarm leaderboard` shows what is known"
        screen.print(f"\n{spelled(words)}", soft_wrap=True)


def document(snapshot: Snapshot, account: Account | None) -> dict[str, object]:
    """The state as `--json` shows it; what is not known, or there is none of, is null."""
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
        "llm": asdict(account) if account else None,
        "home": str(snapshot.home.root),
    }


def _rows(snapshot: Snapshot, account: Account | None) -> dict[str, Text | str]:
    rows: dict[str, Text | str] = {
        "node": _state(snapshot),
        "peer id": snapshot.peer_id or "made at the first start",
        "topic": _topic(snapshot),
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
        if snapshot.home.watch_token.exists():
            rows["watch"] += f" (if it asks for a token: {snapshot.home.watch_token} holds it)"
    rows["llm"] = "no model is set up"
    if account:
        rows["llm"] = f"{plain(account.model)}, {account.words(time.time_ns() // 1_000_000)}"
    if snapshot.now:
        rows["now"] = Text("\n".join(plain(title) for title in snapshot.now))
    return rows


def _topic(snapshot: Snapshot) -> str:
    """The topic, and what to do where its node was started before its key was changed."""
    name = snapshot.topic.name
    if not snapshot.running or name == PUBLIC_TOPIC:
        return name
    from cli.topic import key_words
    from gossip import topics

    try:
        return f"{name}, key {key_words(snapshot.home, topics.load(snapshot.home, name))}"
    except topics.TopicError:
        return name


def _account(snapshot: Snapshot) -> Account | None:
    """What the model of the node that runs, else of the one that would, has used today."""
    from experiments.proposers.llm_budget import account_of, spent_today

    said = snapshot.home.read_status()
    if snapshot.running and said.get("pid") == snapshot.pid and "llm" in said:
        return account_of(said.get("llm"))
    from cli.settings_file import load_settings

    settings = load_settings(
        home_file=snapshot.home.settings, profile=None, environment=os.environ, flags={}
    )
    return account_of(spent_today(settings.llm, snapshot.home.llm, time.time_ns() // 1_000_000))


def _state(snapshot: Snapshot) -> Text:
    if not snapshot.running:
        return Text("not running", "yellow")
    uptime = snapshot.uptime_seconds
    since = "starting" if uptime is None else f"for {age(uptime)}"
    return Text.assemble(("running", "bold green"), f" {since}, process {snapshot.pid}")
