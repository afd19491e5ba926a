"""A stream task that trains in a fifth of a second, and trees that misbehave in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.run_cache import RunCache
from experiments.runner import Runner, RunRequest, open_runner
from experiments.sandbox import Sandbox, best_sandbox
from swarm.settings import Accept
from swarm.task import Task, parse_task
from swarm.tree import tree_hash

FOLDER = Path(__file__).with_name("tiny_task")

GOOD = """
import torch

def build_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Embedding(256, 16), torch.nn.Linear(16, 256))

def train(read, budget_tokens, seed, report):
    torch.manual_seed(seed)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    done = 0
    while data := read(33 * 8):
        windows = torch.frombuffer(bytearray(data), dtype=torch.uint8).long().view(-1, 33)
        logits = model(windows[:, :-1]).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += 32 * len(windows)
        report(done, loss.item())
    BEFORE_RETURN
    return model
"""

# Looks through its own memory for text it must not have, at import and so in all children.
SECRET_FINDER = """
import gc
needle = "held out: " + "8f14e45f"

def look():
    for held in gc.get_objects() + [r for o in gc.get_objects() for r in gc.get_referents(o)]:
        if isinstance(held, (bytes, bytearray)) and needle.encode() in held:
            return "memory"
    return "nothing"

found = look()
try:
    open({path!r}, "rb").read()
    found += ", file"
except OSError as error:
    found += ", " + type(error).__name__
print("looked:", found)
if found != "nothing, PermissionError":
    raise RuntimeError(found)
""" + GOOD.replace("BEFORE_RETURN", "pass").replace("{", "{{").replace("}", "}}")

TOML = """
name = "tiny"
title = "Bytes that count"
editable = ["train.py"]
frozen = ["prepare.py"]
context = 32
eval_bytes = 2048
min_effect = 0.01
sigma = 0.01

[metric]
name = "val_bpb"
direction = "minimize"
unit = "bits per byte"

[budget]
tokens = 8192
compute_cap = 3.0

[corpus]
val = "0000000000000000000000000000000000000000000000000000000000000000"
"""


@dataclass(frozen=True)
class Loaded:
    """A task and its folder."""

    task: Task
    folder: Path


def good(before_return: str = "pass") -> str:
    """A `train.py` that works, with a line of one's own before training ends."""
    return GOOD.replace("BEFORE_RETURN", before_return)


def training(*lines: str) -> str:
    """A `train.py` whose `train` does these lines before it trains."""
    body = "".join(f"    {line}\n" for line in lines)
    return good().replace("    torch.manual_seed(seed)\n", body)


def load_tiny() -> Loaded:
    """The task, as its folder loads."""
    files = {"train.py": good().encode(), "prepare.py": (FOLDER / "prepare.py").read_bytes()}
    return Loaded(parse_task(TOML.encode(), files), FOLDER)


def request(source: str, *, seed: int = 0, code: bool = False) -> RunRequest:
    """A request for a tree with this `train.py`."""
    tree = {"train.py": source.encode()}
    return RunRequest(tree, tree_hash(tree), seed, code)


def open_tiny(
    home: Path,
    *,
    sandbox: Sandbox | None = None,
    workers: int = 2,
    cache: Path | None = None,
    accept: Accept = "code",
) -> Runner:
    """A runner for it that keeps its files in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    return open_runner(
        load_tiny(),
        cache=cache or home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / "runs.sqlite"),
        workers=workers,
        sandbox=sandbox or best_sandbox(),
        accept=accept,
        niceness=0,
    )
