"""
What a stage plays: the documents of the API for swarms of any size, the same every time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.watch.scene_wins import (
    BASELINE,
    HARDWARE,
    IDEAS,
    NAMES,
    START_MS,
    TASK,
    Document,
    edges_of,
    entry_of,
    made_win,
    node_of,
    peer,
    record_id,
    record_of,
)


def swarm(wins: int, trials: int, peers: int = 6, seed: int = 7) -> dict[str, Document]:
    """All documents of a node in a swarm that found so many wins in so many trials."""
    chance = random.Random(seed)
    made = [made_win(number, wins, peers, chance) for number in range(wins)]
    tried = _trials(made, trials, peers, chance)
    order = sorted(made, key=lambda win: (win["state"] == "refuted", win["value"]))
    entries = [entry_of(rank, win) for rank, win in enumerate(order, 1)]
    header = {key: TASK[key] for key in ("id", "name", "metric", "goal", "unit", "direction")}
    documents: dict[str, Document] = {
        "status": _status(peers, wins, trials),
        "leaderboard": {
            "version": 3,
            "total": wins,
            "task": header,
            "experiments": trials,
            "records": wins,
            "peers": peers - 1,
            "entries": entries,
        },
        "lineage": {
            "version": 3,
            "total": wins,
            "nodes": [node_of(win) for win in made],
            "edges": [edge for win in made for edge in edges_of(win)],
        },
        "trials": {"instance": "9f2c61d0", "total": trials, "last": trials, "trials": tried},
        "peers": {"version": 3, "peers": [_peer(number, chance) for number in range(peers)]},
        "strategy": {"hardware_class": "cpu-laptop", "odds": _odds(chance)},
        "milestones": {"version": 3, "milestones": _milestones(made)},
        "log": {"instance": "9f2c61d0", "last": 40, "entries": [_line(n) for n in range(1, 41)]},
    }
    documents |= {f"records/{win['record']}": record_of(win, made) for win in made[-200:]}
    return documents


def first_minute() -> dict[str, Document]:
    """A node that has just begun: the baseline is being measured, and nothing else is known."""
    documents = swarm(0, 0, peers=1)
    run: Document = {
        "arm": "base",
        "seed": 812,
        "phase": "train",
        "tokens": 300_000,
        "budget_tokens": 1_048_576,
        "loss": 3.1,
    }
    baseline: Document = {
        "number": 0,
        "kind": "baseline",
        "title": "the unchanged baseline",
        "family": None,
        "proposer": None,
        "why": None,
        "rationale": None,
        "record": None,
        "nickname": None,
        "started_at_ms": START_MS,
        "fresh": False,
        "pairs": [],
        "run": run,
    }
    status: Document = {
        **documents["status"],
        "baseline": None,
        "champion": None,
        "now": [baseline],
    }
    return {**documents, "status": status, "strategy": {"hardware_class": None, "odds": None}}


def _trials(wins: list[Document], trials: int, peers: int, chance: random.Random) -> list[Document]:
    found: list[Document] = []
    every = trials / max(len(wins), 1)
    for number in range(trials):
        win = (
            wins[int(number / every)]
            if wins and int(number / every) != int((number - 1) / every)
            else None
        )
        level = wins[max(0, int(number / every) - 1)]["value"] if wins else BASELINE
        family, title = IDEAS[chance.randrange(len(IDEAS))]
        value = level + abs(chance.gauss(0, 0.16)) - 0.01
        who = chance.randrange(peers)
        found.append(
            {
                "seq": number + 1,
                "author": win["author"] if win else peer(who),
                "nickname": win["nickname"] if win else NAMES[who % len(NAMES)],
                "own": who == 0,
                "hardware_class": HARDWARE[who % len(HARDWARE)],
                "title": win["title"] if win else title,
                "family": win["family"] if win else family,
                "proposer": "knobs",
                "outcome": "win" if win else "crashed" if chance.random() < 0.03 else "no_gain",
                "record": win["record"] if win else None,
                "base": None if number < every else record_id(0),
                "parents": [],
                "knobs": {},
                "tree": "51ab",
                "base_tree": "90cd",
                "pairs": 3 if win else 1,
                "base_value": BASELINE if number < every else level,
                "value": win["value"] if win else round(value, 4),
                "effect": win["effect"] if win else round(value - level, 4),
                "milliseconds": 61_000,
                "finished_at_ms": START_MS + number * 9_000,
            }
        )
    return found


def _status(peers: int, wins: int, trials: int) -> Document:
    run: Document = {
        "arm": "candidate",
        "seed": 812,
        "phase": "train",
        "tokens": 524_288,
        "budget_tokens": 1_048_576,
        "loss": 2.61,
    }
    experiment = {
        "number": 43,
        "kind": "experiment",
        "title": "ACTIVATION gelu → swiglu",
        "family": "activation",
        "proposer": "knobs",
        "why": "Not tried here yet, and activation is a good first look on cpu-laptop.",
        "rationale": "SwiGLU, Shazeer 2020",
        "record": None,
        "nickname": None,
        "started_at_ms": START_MS,
        "fresh": False,
        "pairs": [{"base": 2.3653, "candidate": 2.3102}, {"base": 2.371, "candidate": 2.3804}],
        "run": run,
    }
    check = {
        **experiment,
        "number": -3,
        "kind": "check",
        "title": "POSITION learned → rope",
        "family": None,
        "record": record_id(0),
        "nickname": "grace",
        "why": "Claimed by one peer; two more voices would settle it.",
        "pairs": [],
        "run": {**run, "tokens": 120_000, "arm": "base"},
    }
    return {
        "pid": 4242,
        "peer_id": peer(0),
        "nickname": "kitchen",
        "task": TASK,
        "hardware_class": "cpu-laptop",
        "running": True,
        "experiments": trials // 5,
        "wins": wins // 5,
        "peers": peers - 1,
        "uptime_seconds": 812.5,
        "listen_addrs": [],
        "running_titles": [],
        "llm": None,
        "version": "0.1.0",
        "instance": "9f2c61d0",
        "now_ms": START_MS,
        "workers": 2,
        "baseline": BASELINE,
        "champion": {
            "record": record_id(max(0, wins - 1)),
            "title": IDEAS[max(0, wins - 1) % len(IDEAS)][1],
        }
        if wins
        else None,
        "board": {
            "version": 3,
            "records": wins,
            "wins": wins,
            "replications": 0,
            "experiments": trials,
        },
        "now": [experiment, check],
    }


def _peer(number: int, chance: random.Random) -> Document:
    running = [IDEAS[chance.randrange(len(IDEAS))][1]] if number % 3 != 2 else None
    return {
        "peer_id": peer(number),
        "nickname": NAMES[number % len(NAMES)],
        "self": number == 0,
        "connected": number < 5,
        "hardware_class": HARDWARE[number % len(HARDWARE)],
        "wins": chance.randint(0, 9),
        "replications": chance.randint(0, 9),
        "trials": chance.randint(9, 90),
        "last_heard_ms": START_MS,
        "device": "AMD EPYC, 2 cores" if number % 2 else None,
        "running": running,
    }


def _odds(chance: random.Random) -> list[Document]:
    weights = sorted((chance.random() ** 2 + 0.03 for _ in IDEAS), reverse=True)
    return [
        {
            "family": family,
            "probability": weight / sum(weights),
            "trials": chance.randint(0, 20),
            "wins": chance.randint(0, 3),
            "why": f"Ideas about {family.replace('_', ' ')} brought {weight:.1f} % of the way.",
        }
        for weight, (family, _) in zip(weights, IDEAS, strict=True)
    ]


def _milestones(wins: Sequence[Mapping[str, Any]]) -> list[Document]:
    known = (("Muon", 2024), ("RoPE", 2021), ("Kaiming init", 2015), ("RMSNorm", 2019))
    proven = [win for win in wins[:40] if win["state"] == "replicated"][: len(known)]
    return [
        {
            "record": win["record"],
            "kind": "confirmed",
            "name": name,
            "year": year,
            "text": f"confirmed: {name}, {year}",
            "source": f"{name}, somebody et al. {year}",
            "url": "https://arxiv.org/abs/1502.01852",
            "title": win["title"],
            "author": win["author"],
            "nickname": win["nickname"],
            "effect": win["effect"],
            "created_at_ms": win["created_at_ms"],
        }
        for win, (name, year) in zip(proven, known, strict=False)
    ]


def _line(number: int) -> Document:
    kinds = (
        "experiment_started",
        "pair_measured",
        "experiment_finished",
        "win_accepted",
        "peer_connected",
    )
    event = kinds[number % len(kinds)]
    text = {
        "experiment_started": f"#{number} trying “INIT normal → kaiming”: not tried here yet",
        "pair_measured": f"#{number} pair 1: 3.6531 → 3.4702 (−0.1829)",
        "experiment_finished": f"#{number} BATCH_SIZE 16 → 8: not kept (no gain), +0.0316",
        "win_accepted": "win by grace: “POSITION learned → rope”",
        "peer_connected": "peer 12D3KooW connected, 3 now",
    }[event]
    return {"id": number, "at_ms": START_MS + number * 20_000, "event": event, "text": text}
