"""
The staircase of each arm of `benchmarks.bench_headline`: how low it was after how many tokens.

What an arm says of itself on the way down, from `results/headline.jsonl`; dots are what fresh
seeds say of its best in the end. The axis is in experiments, that is in whole runs' tokens.

Usage: python -m benchmarks.headline.picture; writes `results/headline.png`.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.bench_headline import BUDGET_TOKENS, RAW

COLOURS = {
    "swarm": "#0b6e4f",
    "plain_loop": "#b5482a",
    "parallel_loop": "#e8590c",
    "optuna": "#3b5bdb",
    "optuna_alone": "#74c0fc",
    "random": "#868e96",
    "no_gossip": "#c28f00",
    "uniform": "#862e9c",
}


def main() -> None:
    """Draw every arm, each as far as its budget goes."""
    rows = [json.loads(line) for line in RAW.read_text().splitlines()]
    rows = [row for row in rows if row["budget_tokens"] == BUDGET_TOKENS]
    figure: Any = Figure(figsize=(8, 4.5), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row in rows:
        if row["reached"]:
            _stairs(axes, row)
    axes.set_xlabel("training tokens spent, in whole experiments")
    axes.set_ylabel("val_bpb, bits per byte (lower is better)")
    axes.set_title(f"quick at {BUDGET_TOKENS:,} tokens a run; dots: the best on fresh seeds")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(RAW.with_suffix(".png"))


def _stairs(axes: Any, row: dict[str, Any]) -> None:
    """One arm: the lowest it has reached so far."""
    tokens = [each[0] / BUDGET_TOKENS for each in row["reached"]]
    lowest = list(accumulate((each[1] for each in row["reached"]), min))
    name = str(row["arm"])
    label = f"{row['nodes']} nodes" if name == "swarm" else name.replace("_", " ")
    label = label if row["repetition"] == 0 else None
    colour = COLOURS[name]
    end = row["experiments_budget"]
    x, y = [*tokens, end], [*lowest, lowest[-1]]
    axes.step(x, y, where="post", color=colour, label=label, linewidth=1.8)
    axes.plot([end], [row["val_mean"]], "o", color=colour, markersize=5)


if __name__ == "__main__":
    main()
