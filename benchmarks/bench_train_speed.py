"""
What the settings of `train.py` cost: its speed against the same model written
straight down, in plain PyTorch, without one choice in it.

Both train on the same bytes on one thread, in turns of a few dozen steps in one
process, each leading every other turn, so that a busy machine slows both. The
losses must agree, or the model would not be the same. What counts is the median
of the ratios of their processor time, turn by turn.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from baseline_train import train
from benchmarks.result import write_result

PROMISED_RATIO = 0.95
TURNS = 16
STEPS = 48
BATCH, CONTEXT, WIDTH, HEADS = 16, 128, 64, 4
TOKENS = STEPS * BATCH * CONTEXT


class Block(nn.Module):
    """Post-norm attention and MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = self.norm1(x + self.out(y.transpose(1, 2).reshape(rows, length, WIDTH)))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Plain(nn.Module):
    """The naive baseline: learned positions, two blocks, an untied head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(WIDTH, 256, bias=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(tokens) + self.position.weight))


def train_plainly(read: Callable[[int], bytes], seed: int) -> float:
    """Train for `STEPS` steps; the last loss in nats per byte."""
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
    model = Plain()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.01, fused=True)
    value = 0.0
    for _ in range(STEPS):
        text = bytearray(read(BATCH * (CONTEXT + 1)))
        tokens = torch.frombuffer(text, dtype=torch.uint8).view(BATCH, CONTEXT + 1).long()
        logits = model(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.view(-1, 256), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        value = loss.item()
    return value


def train_ours(read: Callable[[int], bytes], seed: int) -> float:
    """The same by `train.py`."""
    losses = list[float]()
    train.train(read, TOKENS, seed, lambda _, loss: losses.append(loss))
    return losses[-1]


def timed(run: Callable[[Callable[[int], bytes], int], float], seed: int) -> tuple[float, float]:
    """Processor seconds and last loss of a turn on repeatable bytes."""
    data = b"for each in range(3):\n    print(each)\n" * 1_000
    place = 0

    def read(count: int) -> bytes:
        nonlocal place
        place = (place + count) % (len(data) - count)
        return data[place : place + count]

    started = time.process_time()
    loss = run(read, seed)
    return time.process_time() - started, loss


def main() -> int:
    """Measure; 1 where the promised ratio is missed."""
    torch.set_num_threads(1)
    for run in (train_ours, train_plainly):
        timed(run, 0)
    ours, plain = list[float](), list[float]()
    for turn in range(TURNS):
        order = (train_ours, train_plainly) if turn % 2 else (train_plainly, train_ours)
        results = {run: timed(run, turn) for run in order}
        (a, loss), (b, plain_loss) = results[train_ours], results[train_plainly]
        if abs(loss - plain_loss) > 0.05:
            raise RuntimeError(f"not the same model: losses {loss:.4f} and {plain_loss:.4f}")
        ours.append(a)
        plain.append(b)
    ratio = statistics.median(b / a for a, b in zip(ours, plain, strict=True))
    write_result(
        "train_speed",
        {
            "turns": TURNS,
            "tokens_a_turn": TOKENS,
            "tokens_per_cpu_second": round(TOKENS / statistics.median(ours)),
            "plain_tokens_per_cpu_second": round(TOKENS / statistics.median(plain)),
            "ratio": round(ratio, 4),
            "promised_ratio": PROMISED_RATIO,
        },
    )
    return int(ratio < PROMISED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
