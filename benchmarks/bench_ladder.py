"""
Thousands of adaptive experiments overfit held-out text by chance, guarded and not.

Every change is worth nothing, but for a few of real worth; each also helps or hurts
a little on the very text it is measured on. Searches of the validation text:

- `strictly_lower`: one run of each change on the best so far; keep what is lower
  than the lowest value recorded.
- `authors`: `swarm.statistics.decide` on pairs, measured anew on promotion; the gains
  believed are those that authors publish;
- `ours`: the same wins, judged by replicators on challenge slices with
  `swarm.verdict.judge`; the refuted are undone, and the gains are what replicators saw.

Searches of the holdout, by a proposer that is (wrongly) shown the board:

- `exact_holdout`: keeps what improves a holdout that is published exactly;
- `ladder`: keeps what improves one that is published through `swarm.ladder`.

`overfit` is what a search believes it has gained beyond what it has, and
`overfit_share` its part of what is believed. The effects of
text are real files' parts in the real null pairs of `benchmarks.null_pairs`, drawn
anew for each text, their size the largest a task may have: three standard errors
make its `min_effect`. The noise of seeds is as large as the task says.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.null_pairs import NullPair, read_pairs
from benchmarks.result import Figure, write_result
from experiments.task_folder import load_task
from swarm.challenge import CHALLENGE_SEEDS
from swarm.ladder import Ladder, step_nano
from swarm.remeasure import holds_up
from swarm.statistics import Decision, Rule, decide, paired_effect
from swarm.verdict import Yardstick, judge

TASK = "tinypy"
WORLDS = 30
CHANGES = 3000
REAL_SHARE = 0.01
REAL_GAIN = 4.0
"""In the task's smallest effects."""
PROMOTION_PAIRS = 5
REPLICATORS = 4

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Found:
    """
    What one search came to, in the metric's unit.

    Attributes:
        kept: Changes it built on in the end.
        believed: How much better it takes its best to be than its start.
        true: How much better that is on all text.
        claimed, refuted: Wins it published, and those taken back.
    """

    kept: int = 0
    believed: float = 0.0
    true: float = 0.0
    claimed: int = 0
    refuted: int = 0


class World:
    """
    Changes with their real worth, and what luck adds to every look at them.

    Args:
        shapes: Effects of text with standard error one, to draw from.
        rule: Gives the size of the noise and of effects worth keeping.
        rng: For everything.
    """

    def __init__(self, shapes: Floats, rule: Rule, changes: int, rng: np.random.Generator) -> None:
        self._shapes = shapes
        self.rule = rule
        self._rng = rng
        real = rng.random(changes) < REAL_SHARE
        self.worth = real * REAL_GAIN * rule.min_effect

    def text(self, count: int) -> Floats:
        """[count] gains that are due to one text each, and last as long as it is used."""
        return self.rule.min_effect / 3 * self._rng.choice(self._shapes, count)

    def seeds(self, count: int) -> Floats:
        """[count] gains that are due to the seed of one pair each."""
        return self.rule.sigma * self.standard_normal(count)

    def standard_normal(self, count: int) -> Floats:
        """[count] draws."""
        return self._rng.standard_normal(count)


def strictly_lower(world: World) -> Found:
    """Keep a change where one run is lower than the lowest value recorded."""
    found, text = Found(), world.text(len(world.worth))
    run = world.seeds(len(text)) / math.sqrt(2)
    level = 0.0
    for worth, luck, noise in zip(world.worth, text, run, strict=True):
        if (seen := level + worth + luck + noise) > found.believed:
            level += worth + luck
            found.believed, found.true, found.kept = seen, found.true + worth, found.kept + 1
    return found


def tested(world: World, *, replicated: bool) -> Found:
    """Keep what passes the test, a second measurement, and perhaps replicators."""
    found, rule = Found(), world.rule
    yardstick = _yardstick(rule)
    for worth, luck in zip(world.worth, world.text(len(world.worth)), strict=True):
        gains = worth + luck + world.seeds(rule.looks[-1])
        if decide(gains.tolist(), rule, "maximize") is not Decision.WIN:
            continue
        fresh = (worth + luck + world.seeds(PROMOTION_PAIRS)).tolist()
        if not holds_up(fresh, yardstick):
            continue
        found.claimed += 1
        said = fmean(fresh)
        slices = worth + world.text(REPLICATORS)[:, None]
        checked = slices + world.seeds(REPLICATORS * CHALLENGE_SEEDS).reshape(REPLICATORS, -1)
        if replicated:
            verdict = judge(checked.tolist(), yardstick)
            assert verdict.effect is not None
            said = verdict.effect.mean
            if verdict.state == "refuted":
                found.refuted += 1
                continue
        found.kept += 1
        found.believed += said
        found.true += worth
    return found


def of_holdout(world: World, *, guarded: bool) -> Found:
    """Keep what a published holdout says is better than the best one published."""
    found, count = Found(), len(world.worth)
    ladder, best = Ladder(step_nano(_yardstick(world.rule)), "maximize"), 0
    ladder.look(best)
    error = world.rule.sigma / math.sqrt(2 * CHALLENGE_SEEDS)
    noise = error * world.standard_normal(count * REPLICATORS).reshape(count, -1)
    level = 0.0
    for worth, luck, each in zip(world.worth, world.text(count), noise, strict=True):
        value = round(1e9 * (level + worth + luck + float(np.median(each))))
        answer = ladder.look(value, 1e9 * error * math.sqrt(2 / REPLICATORS)) if guarded else value
        if answer is not None and answer > best:
            best, level = answer, level + worth + luck
            found.true, found.kept = found.true + worth, found.kept + 1
    found.believed = best / 1e9
    return found


def _yardstick(rule: Rule) -> Yardstick:
    return Yardstick("maximize", rule.sigma, rule.min_effect, seeds=1 << 20)


SEARCHES: Mapping[str, Callable[[World], Found]] = {
    "strictly_lower": strictly_lower,
    "authors": lambda world: tested(world, replicated=False),
    "ours": lambda world: tested(world, replicated=True),
    "exact_holdout": lambda world: of_holdout(world, guarded=False),
    "ladder": lambda world: of_holdout(world, guarded=True),
}


def text_shapes(pairs: Sequence[NullPair], rng: np.random.Generator, draws: int = 40) -> Floats:
    """
    Effects of the choice of text, standard error one, from the files of real pairs.

    Of each pair, files are drawn anew with replacement, `draws` times; what remains of
    the mean difference per byte, beyond that over all of its files, is the text's.
    """
    effects = list[Floats]()
    for pair in pairs:
        sizes, gains = np.array(pair.files, dtype=np.float64).T
        drawn = rng.integers(0, len(sizes), (draws, len(sizes)))
        means = gains[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
        effect = means - gains.sum() / sizes.sum()
        effects.append(effect / effect.std())
    shapes = np.concatenate(effects)
    return (shapes - shapes.mean()) / shapes.std()


def measure(shapes: Floats, rule: Rule, worlds: int, changes: int) -> dict[str, Figure]:
    """What each search came to, the mean over worlds; a world is the same for all."""
    figures: dict[str, Figure] = {}
    for name, search in SEARCHES.items():
        ends = [
            search(World(shapes, rule, changes, np.random.default_rng(world)))
            for world in range(worlds)
        ]
        overfit = paired_effect([end.believed - end.true for end in ends])
        figures[name] = {
            "overfit_share": round(overfit.mean / fmean(end.believed for end in ends), 4),
            "overfit": round(overfit.mean, 5),
            "overfit_low": round(overfit.low, 5),
            "overfit_high": round(overfit.high, 5),
            "true_gain": round(fmean(end.true for end in ends), 5),
            "kept": round(fmean(end.kept for end in ends), 2),
            "claimed": round(fmean(end.claimed for end in ends), 2),
            "refuted": round(fmean(end.refuted for end in ends), 2),
        }
    return figures


def share_of(figures: Mapping[str, Figure], name: str) -> float:
    """The part of what a search believes that is overfit."""
    search = figures[name]
    assert isinstance(search, dict)
    return float(str(search["overfit_share"]))


def main() -> int:
    """Run all searches; 1 where a guard leaves more than a third of the overfit."""
    pairs = [pair for pair in read_pairs() if pair.files]
    if not pairs:
        print("no real pairs: run `python -m benchmarks.null_pairs HOME` first")
        return 1
    rule = Rule.of(load_task(TASK).task)
    shapes = text_shapes(pairs, np.random.default_rng(0))
    figures = measure(shapes, rule, WORLDS, CHANGES)
    figures |= {
        "changes": CHANGES,
        "worlds": WORLDS,
        "real_pairs": len(pairs),
        "text_standard_error": rule.min_effect / 3,
        "sigma": rule.sigma,
        "min_effect": rule.min_effect,
        "worth_of_all_changes": round(REAL_SHARE * CHANGES * REAL_GAIN * rule.min_effect, 5),
    }
    write_result("ladder", figures)
    held = share_of(figures, "ours") < share_of(figures, "strictly_lower") / 3
    return int(not (held and share_of(figures, "ladder") < share_of(figures, "exact_holdout") / 3))


if __name__ == "__main__":
    sys.exit(main())
