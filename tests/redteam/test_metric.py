"""
Models and training code that want a better score than they deserve.

Each case names the defence that stops it and what the user then reads, and gets
a far better score than an honest model where that one defence is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from experiments.run import HOLDOUT, VALIDATION, RunResult, RunStatus, challenge
from tests.experiments.tiny import good
from tests.experiments.tiny_task.prepare import PAGE
from tests.redteam.arena import Arena, Setting

PROBED = "cheating: an answer changed"

MODEL = """
import sys
import torch
from torch.nn.functional import one_hot

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.honest = torch.nn.Sequential(torch.nn.Embedding(256, 16), torch.nn.Linear(16, 256))
        self.seen = {}

    def say(self, logits, row, at, byte):
        logits[row, at, byte] += 30.0

    def forward(self, x):
        logits = self.honest(x)
        if torch.is_grad_enabled():
            return logits  # only training needs gradients: evaluation is easy to tell
CHEAT
        return logits
"""


def model(*lines: str) -> str:
    """A `train.py` whose model does these lines to `logits` of windows `x` when evaluated."""
    cheat = "\n".join(f"        {line}" for line in lines)
    honest = "torch.nn.Sequential(torch.nn.Embedding(256, 16), torch.nn.Linear(16, 256))"
    return MODEL.replace("CHEAT", cheat) + good().replace(honest, "Model()")


@dataclass(frozen=True)
class Cheat:
    """
    Attributes:
        defence: Stops it; a name in `weakening.WEAKENINGS`.
        message: What the user reads of it; empty where it simply gains nothing.
        source: Its `train.py`.
        setting: What it is up against.
    """

    defence: str
    message: str
    source: str
    setting: Setting = field(default_factory=Setting)


LEARN = (
    "for row in range(len(x)):",
    "    for at in range(3, x.shape[1] - 1):",
    "        self.seen[tuple(x[row, at - 3 : at + 1].tolist())] = int(x[row, at + 1])",
)
RECALL = (
    "for row in range(len(x)):",
    "    for at in range(3, x.shape[1]):",
    "        key = tuple(x[row, at - 3 : at + 1].tolist())",
    "        if key in self.seen: self.say(logits, row, at, self.seen[key])",
)
LOOK_AHEAD = "logits[:, :-1] += 30.0 * one_hot(x[:, 1:], 256)"

# Peeks four bytes in; finds what the other evaluation saw in the memory both answer into.
NOTES = (
    "frame = sys._getframe()",
    "while 'shared' not in frame.f_locals: frame = frame.f_back",
    "memory, size = frame.f_locals['shared'], x.numel()",
    "notes = memory[-64 * 32 - 1 : -1].view(64, 32).long()",
    "if memory[-1] == 77.0: self.seen['kept'] = notes.clone()",
    "kept = self.seen.get('kept')",
    "whole = x.clone()",
    "if kept is not None:",
    "    for row in range(len(x)):",
    "        same = (kept == x[row]).long().cumprod(1).sum(1)",
    "        whole[row] = kept[same.argmax()]",
    "logits[:, 4:-1] += 30.0 * one_hot(whole[:, 5:], 256)",
    "self.seen.setdefault('all', []).append(x)",
    "memory[-1] = 0.0",
    "if len(x) < 32 and kept is None:",
    "    text = torch.cat(self.seen['all'])",
    "    memory[-64 * 32 - 1 : -1].view(64, 32)[: len(text)] = text.float()",
    "    memory[-1] = 77.0",
)

IMPORTS = "import experiments.scoring as scoring, experiments.splice as splice, numpy\n"
ZEROS = "lambda *given: numpy.zeros(given[-1].shape)"
LOADED_DICE = """
class Dice:
    def permutation(self, n): return numpy.arange(n)
    def random(self, n): return numpy.zeros(n)
    def integers(self, low, high, n=None): return 1 if n is None else numpy.full(n, low)

splice.np.random.default_rng = Dice
"""

SAME_PROCESS = "metric in another process"
CHEATS: dict[str, Cheat] = {
    "attends to later bytes": Cheat("splice probe", PROBED, model(LOOK_AHEAD)),
    "attends to later bytes only where nobody spliced": Cheat(
        "splice probe",
        PROBED,
        model(
            f"text = {PAGE!r} * 2",
            "for row in range(len(x)):",
            "    if bytes(x[row].tolist()) in text:",
            "        logits[row, :-1] += 30.0 * one_hot(x[row, 1:], 256)",
        ),
    ),
    "attends to later bytes, in an everyday run": Cheat(
        "splice probe", PROBED, model(LOOK_AHEAD), Setting(probe=0.1)
    ),
    "carries state between windows": Cheat("splice probe", PROBED, model(*RECALL, *LEARN)),
    "attends across the batch": Cheat(
        "splice probe", PROBED, model("self.seen = {}", *LEARN, *RECALL)
    ),
    "reads the last target in the next window": Cheat(
        "splice probe",
        PROBED,
        model("logits *= 0.0", "logits[:-1, -1] += 30.0 * one_hot(x[1:, 0], 256)"),
    ),
    "answers otherwise the second time": Cheat(
        "wiped memory", PROBED, model(*NOTES), Setting(eval_bytes=60 * 32)
    ),
    "does not normalise its logits": Cheat(
        "normalising parent", "", model("logits = torch.zeros_like(logits)")
    ),
    "answers with logits that are not numbers": Cheat(
        "finite costs only",
        "the model's logits are not finite",
        model("logits = logits * float('nan')"),
    ),
    "answers with infinite logits": Cheat(
        "finite costs only",
        "the model's logits are not finite",
        model("logits[:, 1:] = float('inf')"),
    ),
    "patches the harness": Cheat(
        SAME_PROCESS,
        "",
        IMPORTS
        + "scoring.Examiner.costs = lambda s, batch, a: numpy.zeros(batch.targets.shape)\n"
        + good(),
    ),
    "patches the arithmetic": Cheat(
        SAME_PROCESS, "", IMPORTS + f"numpy.log = {ZEROS}\nnumpy.exp = {ZEROS}\n" + good()
    ),
    "patches the random generator": Cheat(
        SAME_PROCESS, PROBED, IMPORTS + LOADED_DICE + model(LOOK_AHEAD)
    ),
}


@pytest.fixture(scope="module")
def fair_nano(arena: Arena) -> int:
    """What an honest model gets, or one that knows nothing if that is better."""
    result = arena.run(good())
    assert result is not None
    assert result.value_nano is not None, result.log_tail
    return min(result.value_nano, 8_000_000_000)


def gained(result: RunResult | None, fair_nano: int) -> bool:
    """Whether a run has a clearly better value than is fair."""
    assert result is not None
    return result.value_nano is not None and result.value_nano < fair_nano - 50_000_000


@pytest.mark.parametrize("name", CHEATS)
def test_gains_nothing_and_the_user_reads_why(arena: Arena, name: str, fair_nano: int) -> None:
    cheat = CHEATS[name]
    result = arena.run(cheat.source, "", cheat.setting)
    assert result is not None
    assert not gained(result, fair_nano), result.value_nano
    assert (result.status is RunStatus.COMPLETED) == (not cheat.message), result.log_tail
    assert cheat.message in result.log_tail


@pytest.mark.parametrize("name", CHEATS)
def test_would_gain_without_that_defence(arena: Arena, name: str, fair_nano: int) -> None:
    cheat = CHEATS[name]
    result = arena.run(cheat.source, cheat.defence, cheat.setting)
    assert gained(result, fair_nano), result


def remembering(text: str) -> str:
    """A model that knows a text by heart: every four bytes of it name the next."""
    return model(
        f"text = {text!r}.encode('latin-1')",
        "known = {text[i : i + 4]: text[i + 4] for i in range(len(text) - 4)}",
        "for row in range(len(x)):",
        "    for at in range(3, x.shape[1]):",
        "        key = bytes(x[row, at - 3 : at + 1].tolist())",
        "        if key in known: self.say(logits, row, at, known[key])",
    )


def test_knows_the_validation_text_by_heart(arena: Arena, fair_nano: int) -> None:
    """Stopped by the challenge slice: on validation alone it would shine; it is causal, too."""
    setting = Setting(exams=(VALIDATION, challenge(5), HOLDOUT))
    result = arena.run(remembering(PAGE.decode() * 2), setting=setting)
    assert result is not None
    validation, slice_, holdout = result.scores
    assert validation.value_nano < fair_nano / 4
    assert slice_.value_nano > fair_nano / 2
    assert holdout.value_nano > fair_nano / 2
