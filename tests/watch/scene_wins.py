"""
The wins of a played swarm, and what the API says of each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

START_MS = 1_795_400_000_000
UNIT = "bits per byte"
BASELINE, GOAL = 3.6531, 2.0
TASK: Document = {
    "id": "btask",
    "name": "tinypy",
    "metric": "val_bpb",
    "unit": UNIT,
    "direction": "minimize",
    "goal": GOAL,
    "sigma": 0.004,
    "min_effect": 0.005,
    "seeds": 1_000_000,
    "source": "tinypy",
}
IDEAS: Sequence[tuple[str, str]] = (
    ("optimizer", "OPTIMIZER adam → muon"),
    ("learning_rate", "LEARNING_RATE 0.0003 → 0.0031"),
    ("position", "POSITION learned → rope"),
    ("init", "INIT normal → kaiming"),
    ("norm", "NORM layernorm → rmsnorm"),
    ("batch", "BATCH_SIZE 16 → 8"),
    ("attention", "QK_NORM False → True"),
    ("activation", "ACTIVATION gelu → swiglu"),
    ("schedule", "WARMUP_SHARE 0.1 → 0.02"),
    ("width_depth", "DEPTH 2 → 3"),
    ("regularisation", "WEIGHT_DECAY 0.1 → 0.01"),
    ("simplify", "Drop the bias of every layer"),
    ("fold", "Fold in “POSITION learned → rope”"),
    ("code", "Embed the previous token as well"),
)
NAMES = ("kitchen", "ada", "grace", "attic", "emmy", "kurt", "hedy", "rosa", "studio", "lab-7")
HARDWARE = ("cpu-laptop", "cpu-server", "gpu-large", "apple-silicon", "gpu-datacenter")
DIFF = """--- a/train.py
+++ b/train.py
@@ -12,7 +12,7 @@
 # --- settings: one NAME = value per line ---
 DEPTH = 2  # blocks
 WIDTH = 64  # channels
-OPTIMIZER = "adam"  # adam, adamw, sgd, muon
+OPTIMIZER = "muon"  # adam, adamw, sgd, muon
 LEARNING_RATE = 0.0003
 INIT = "normal"
 # --- end of settings ---
"""


def peer(number: int) -> str:
    """The id of a peer."""
    return f"12D3KooW{number:044d}"


def record_id(number: int) -> str:
    """The id of a win."""
    return f"bwin{number:055d}"


def made_win(number: int, wins: int, peers: int, chance: random.Random) -> Document:
    """The numberth of so many wins."""
    family, title = IDEAS[number % len(IDEAS)]
    along = (number + 1) / max(wins, 1)
    value = BASELINE - (BASELINE - GOAL - 0.2) * (1 - (1 - along) ** 2.2) + chance.gauss(0, 0.012)
    effect = -abs(chance.gauss(0.1, 0.07)) - 0.012
    spread = abs(chance.gauss(0.02, 0.012)) + 0.006
    state = chance.choices(("replicated", "claimed", "refuted"), (6, 3, 0.7))[0]
    return {
        "number": number,
        "record": record_id(number),
        "title": title,
        "family": family,
        "state": state,
        "author": peer(number * 7 % peers),
        "nickname": NAMES[number * 7 % peers % len(NAMES)],
        "value": round(value, 4),
        "effect": round(effect, 4),
        "low": round(effect - spread, 4),
        "high": round(effect + spread, 4),
        "replications": chance.randint(2, 5) if state == "replicated" else 0,
        "base": record_id(max(0, number - chance.randint(1, 3))) if number else None,
        "parents": [record_id(chance.randrange(number))]
        if number > 3 and chance.random() < 0.3
        else [],
        "created_at_ms": START_MS + number * 90_000,
        "hardware": HARDWARE[number * 7 % peers % len(HARDWARE)],
    }


def entry_of(rank: int, win: Document) -> Document:
    """Its row of the leaderboard."""
    return {
        "rank": rank,
        "record": win["record"],
        "author": win["author"],
        "nickname": win["nickname"],
        "title": win["title"],
        "family": win["family"],
        "state": win["state"],
        "replications": win["replications"],
        "value": win["value"],
        "holdout": win["value"],
        "effect": win["effect"],
        "effect_low": win["low"],
        "effect_high": win["high"],
        "pairs": 9,
        "base": win["base"],
        "parents": win["parents"],
        "adopters": [peer(n) for n in range(win["number"] % 3)],
        "hardware": win["hardware"],
        "created_at": _iso(win["created_at_ms"]),
    }


def node_of(win: Document) -> Document:
    """Its node of the lineage."""
    keys = (
        "record",
        "title",
        "author",
        "nickname",
        "family",
        "state",
        "value",
        "effect",
        "created_at_ms",
    )
    return {**{key: win[key] for key in keys}, "rank": win["number"]}


def edges_of(win: Document) -> list[Document]:
    """What it was built on."""
    edges = [{"from": win["base"], "to": win["record"], "kind": "base"}]
    return edges + [
        {"from": each, "to": win["record"], "kind": "parent"} for each in win["parents"]
    ]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def record_of(win: Document, wins: Sequence[Document]) -> Document:
    """The whole record."""
    chance = random.Random(win["number"])
    later = [other["record"] for other in wins if other["base"] == win["record"]][:5]
    environment = {
        "hardware_class": win["hardware"],
        "device": "cpu",
        "torch_version": "2.9.0",
        "milliseconds": 81_250,
        "peak_memory_bytes": 512_000_000,
        "isolation": "landlock",
    }

    def pairs(count: int) -> list[Document]:
        bases = [win["value"] - win["effect"] + chance.gauss(0, 0.02) for _ in range(count)]
        return [
            {
                "seed": chance.randrange(1_000_000),
                "base_nano": int(base * 1e9),
                "candidate_nano": int((base + win["effect"] + chance.gauss(0, 0.02)) * 1e9),
            }
            for base in bases
        ]

    replications = [
        {
            "record": f"brep{number}",
            "counts": True,
            "author": peer(number + 1),
            "nickname": NAMES[number + 1],
            "created_at_ms": START_MS,
            "win": win["record"],
            "pairs": pairs(3),
            "challenge_pairs": pairs(2),
            "environment": environment,
        }
        for number in range(win["replications"])
    ]
    return {
        "record": win["record"],
        "kind": "win",
        "author": win["author"],
        "nickname": win["nickname"],
        "created_at_ms": win["created_at_ms"],
        "base": win["base"],
        "parents": win["parents"],
        "diff": DIFF,
        "title": win["title"],
        "rationale": "Muon orthogonalises the momentum.\nKeller Jordan, 2024.",
        "family": win["family"],
        "proposer": "knobs",
        "pairs": pairs(6),
        "blocks": [],
        "environment": environment,
        "entry": entry_of(1, win),
        "lineage": [],
        "complete": True,
        "built_on_by": later,
        "verdict": {
            "state": win["state"],
            "voices": win["replications"],
            "confirming": win["replications"],
            "effect": {"mean": win["effect"], "low": win["low"], "high": win["high"], "n": 9},
            "p": 1e-6,
            "p_refuted": 1.0,
        },
        "replications": replications,
    }
