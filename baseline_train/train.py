"""
A small GPT over bytes, and how it is trained. This is the file experiments change.

Law: text comes in through `read` and a model goes out; no files, no clock, no
network. Every random number follows from the seed, so on one thread the same
seed gives the same weights, bit for bit. Bytes predict the next byte: there is
no tokenizer, the vocabulary is 256.

Letters in shapes: B windows, T bytes of context, C width, H heads, D = C / H.
"""

# ruff: noqa: N806
# pyright: reportUnnecessaryComparison=false, reportUnnecessaryContains=false, reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCABULARY = 256
CONTEXT = 128  # set by the task: `read` gives windows of CONTEXT + 1 bytes

# --- settings: one NAME = value per line ---
DEPTH = 2  # blocks
WIDTH = 64  # C
HEADS = 4  # H
MLP_RATIO = 4.0  # hidden width of the MLP, in widths
NORM = "layernorm"  # layernorm, rmsnorm, none
NORM_PLACE = "post"  # post, pre, sandwich
ACTIVATION = "gelu"  # gelu, relu, relu2, silu, swiglu, geglu
POSITION = "learned"  # learned, sinusoidal, rope, alibi, none
PREVIOUS_BYTES = 0  # how many bytes before each one are embedded with it
QK_NORM = False  # queries and keys to unit RMS
ATTENTION_GATE = False  # a learned sigmoid gate on what attention returns
INIT = "normal"  # normal, xavier, kaiming, orthogonal
INIT_STD = 0.02  # of "normal"
ZERO_INIT = False  # blocks start as the identity
TIED = False  # one matrix embeds bytes and predicts them
BIAS = True  # linear layers and LayerNorm have a bias
LOGIT_CAP = 0.0  # logits = cap · tanh(logits / cap); 0 is off
OPTIMIZER = "adamw"  # sgd, adamw, muon
LEARNING_RATE = 0.0003  # of sgd and adamw; with muon, of what is no matrix
MUON_LEARNING_RATE = 0.02  # of muon, for the matrices of the blocks
MOMENTUM = 0.95  # of sgd and muon
BETA1 = 0.9  # adamw: mean of gradients
BETA2 = 0.999  # adamw: mean of their squares
WEIGHT_DECAY = 0.01  # decoupled, on matrices
CLIP = 0.0  # most the gradient's norm may be; 0 is off
SCHEDULE = "constant"  # constant, linear, cosine, wsd
WARMUP = 0.0  # share of the budget to rise in
COOLDOWN = 0.3  # share of the budget to fall in, for wsd
BATCH = 16  # B
DROPOUT = 0.0  # on what each half block adds
LABEL_SMOOTHING = 0.0
AVERAGE = 0.0  # decay of the averaged weights that are returned; 0 is off
# --- end of settings ---


def make_norm(width: int) -> nn.Module:
    """The normalisation of [..., width] over its last axis."""
    if NORM == "layernorm":
        return nn.LayerNorm(width, bias=BIAS)
    return nn.RMSNorm(width, eps=1e-6) if NORM == "rmsnorm" else nn.Identity()


def sinusoids(length: int, width: int) -> Tensor:
    """[length, width] of sines and cosines at falling frequencies (Vaswani et al. 2017)."""
    angle = angles(length, width)  # [length, width / 2]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def angles(length: int, width: int) -> Tensor:
    """[length, width / 2]: position times a frequency that falls from 1 to 1e-4."""
    frequency = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.arange(length)[:, None] * frequency


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, https://arxiv.org/abs/2104.09864: turn pairs of [B, H, T, D]."""
    a, b = x.chunk(2, dim=-1)  # each [B, H, T, D / 2]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def alibi(length: int) -> Tensor:
    """[H, T, T] to add to attention scores: −slope · distance, −inf for the future.

    Source: https://arxiv.org/abs/2108.12409
    """
    place = torch.arange(length)
    distance = (place[:, None] - place[None, :]).float()  # [T, T]
    slope = 2.0 ** (-8.0 * torch.arange(1, HEADS + 1) / HEADS)  # [H]
    return (-slope[:, None, None] * distance).masked_fill(distance < 0, -math.inf)


class Attention(nn.Module):
    """Causal self-attention with H heads."""

    cos: Tensor
    sin: Tensor
    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=BIAS)
        self.gate = nn.Linear(WIDTH, WIDTH, bias=BIAS) if ATTENTION_GATE else None
        self.out = nn.Linear(WIDTH, WIDTH, bias=BIAS)
        angle = angles(CONTEXT, WIDTH // HEADS)  # [T, D / 2]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        mask = alibi(CONTEXT) if POSITION == "alibi" else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, HEADS, C // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, D]
        if QK_NORM:
            q, k = F.rms_norm(q, q.shape[-1:]), F.rms_norm(k, k.shape[-1:])
        if POSITION == "rope":
            cos, sin = self.cos[:T], self.sin[:T]
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if POSITION == "alibi":
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask[:, :T, :T])
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = y.transpose(1, 2).reshape(B, T, C)  # heads side by side
        if self.gate is not None:
            y = y * self.gate(x).sigmoid()
        return self.out(y)


class MLP(nn.Module):
    """Two matrices with a non-linearity between; gated ones have as many weights."""

    def __init__(self) -> None:
        super().__init__()
        self.gated = ACTIVATION in ("swiglu", "geglu")
        hidden = round(MLP_RATIO * WIDTH * (2 / 3 if self.gated else 1) / 8) * 8
        self.up = nn.Linear(WIDTH, 2 * hidden if self.gated else hidden, bias=BIAS)
        self.down = nn.Linear(hidden, WIDTH, bias=BIAS)

    def forward(self, x: Tensor) -> Tensor:
        h = self.up(x)  # [B, T, hidden], twice that if gated
        if self.gated:
            gate, h = h.chunk(2, dim=-1)
            h = h * (F.silu(gate) if ACTIVATION == "swiglu" else F.gelu(gate))
        elif ACTIVATION == "relu2":
            h = F.relu(h).square()
        else:
            h = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}[ACTIVATION](h)
        return self.down(h)


class Residual(nn.Module):
    """x plus what a layer makes of it, normed where NORM_PLACE says."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.before = make_norm(WIDTH) if NORM_PLACE in ("pre", "sandwich") else nn.Identity()
        self.after = make_norm(WIDTH) if NORM_PLACE in ("post", "sandwich") else nn.Identity()
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(self.before(x))  # [B, T, C]
        if NORM_PLACE == "sandwich":
            return x + self.dropout(self.after(y))
        return self.after(x + self.dropout(y))


class GPT(nn.Module):
    """Bytes in, logits of the next byte out."""

    fixed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.previous = nn.ModuleList(
            nn.Embedding(VOCABULARY, WIDTH) for _ in range(PREVIOUS_BYTES)
        )
        self.position = nn.Embedding(CONTEXT, WIDTH) if POSITION == "learned" else None
        fixed = sinusoids(CONTEXT, WIDTH) if POSITION == "sinusoidal" else None
        self.register_buffer("fixed", fixed, persistent=False)
        layers = [layer for _ in range(DEPTH) for layer in (Attention(), MLP())]
        self.blocks = nn.Sequential(*(Residual(layer) for layer in layers))
        self.norm = make_norm(WIDTH) if NORM_PLACE != "post" else nn.Identity()
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        if TIED:
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 [B, T] to float32 [B, T, 256], T ≤ CONTEXT."""
        T = tokens.shape[1]
        x = self.embed(tokens)  # [B, T, C]
        for back, table in enumerate(self.previous, start=1):
            x = x + table(F.pad(tokens[:, :-back], (min(back, T), 0)))  # byte 0 before the window
        if self.position is not None:
            x = x + self.position.weight[:T]
        if POSITION == "sinusoidal":
            x = x + self.fixed[:T]
        logits = self.head(self.norm(self.blocks(x)))  # [B, T, 256]
        return LOGIT_CAP * torch.tanh(logits / LOGIT_CAP) if LOGIT_CAP else logits


def init_weights(model: nn.Module) -> None:
    """Draw every matrix by INIT; biases are zero, norms are one."""
    draw: dict[str, Callable[[Tensor], Any]] = {
        "normal": lambda weight: nn.init.normal_(weight, std=INIT_STD),
        "xavier": nn.init.xavier_normal_,  # Glorot & Bengio 2010
        "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
        "orthogonal": nn.init.orthogonal_,  # https://arxiv.org/abs/1312.6120
    }
    for name, parameter in model.named_parameters():
        if ZERO_INIT and name.endswith(("layer.out.weight", "layer.down.weight")):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2:
            draw[INIT](parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def build_model() -> nn.Module:
    """The model these settings describe, with fresh weights."""
    model = GPT()
    init_weights(model)
    return model


def orthogonalize(matrix: Tensor) -> Tensor:
    """
    Nearly U Vᵀ of a matrix [m, n] = U S Vᵀ: all singular values come near 1.

    Five Newton–Schulz steps of a quintic chosen to grow small values fast.
    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # [short, long]
    x = x / (x.square().sum().sqrt() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal, for matrices [m, n] inside a network."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for weight in group["params"]:
                mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - MOMENTUM)
                step = orthogonalize(weight.grad.lerp(mean, MOMENTUM))  # Nesterov
                scale = max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * WEIGHT_DECAY)
                weight.add_(step, alpha=-group["lr"] * scale)


def make_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """One optimizer for all, or Muon for the blocks' matrices and AdamW for the rest."""
    inside = [p for name, p in model.named_parameters() if p.ndim == 2 and "blocks" in name]
    outside = [p for name, p in model.named_parameters() if p.ndim == 2 and "blocks" not in name]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    if OPTIMIZER == "muon":
        return [Muon(inside, MUON_LEARNING_RATE), make_adamw(outside, vectors)]
    if OPTIMIZER == "sgd":
        groups = decayed(inside + outside, vectors)
        return [torch.optim.SGD(groups, LEARNING_RATE, MOMENTUM, nesterov=MOMENTUM > 0)]
    return [make_adamw(inside + outside, vectors)]


def make_adamw(matrices: Sequence[Tensor], vectors: Sequence[Tensor]) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, https://arxiv.org/abs/1711.05101."""
    groups = decayed(matrices, vectors)
    return torch.optim.AdamW(groups, LEARNING_RATE, (BETA1, BETA2), fused=True)


def decayed(matrices: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on matrices only."""
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def rate(progress: float) -> float:
    """The share of the learning rate to use, after `progress` of the budget in [0, 1)."""
    if progress < WARMUP:
        return (progress + 0.01) / (WARMUP + 0.01)
    rest = (1 - progress) / (1 - WARMUP)  # falls from 1 to 0
    if SCHEDULE == "wsd":
        return min(1.0, (1 - progress) / COOLDOWN)
    if SCHEDULE == "cosine":
        return 0.5 - 0.5 * math.cos(math.pi * rest)
    return rest if SCHEDULE == "linear" else 1.0


def train(
    read: Callable[[int], bytes],
    budget_tokens: int,
    seed: int,
    report: Callable[[int, float], None],
) -> nn.Module:
    """
    Train a fresh model on the budget.

    Args:
        read: Gives the next n bytes of the stream of windows, each CONTEXT + 1 long.
        budget_tokens: Bytes to predict in all, CONTEXT per window.
        seed: Decides every random number.
        report: Told after each step the tokens seen and the loss in nats per byte.
    """
    torch.manual_seed(seed)
    model = build_model()
    parameters = list(model.parameters())
    average = [parameter.detach().clone() for parameter in parameters] if AVERAGE else []
    optimizers = make_optimizers(model)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    peak = [group["lr"] for group in groups]
    windows = budget_tokens // CONTEXT
    for start in range(0, windows, BATCH):
        count = min(BATCH, windows - start)
        text = bytearray(read(count * (CONTEXT + 1)))
        tokens = torch.frombuffer(text, dtype=torch.uint8).view(count, CONTEXT + 1).long()
        logits = model(tokens[:, :-1])  # [B, T, 256]
        loss = F.cross_entropy(
            logits.flatten(0, 1), tokens[:, 1:].flatten(), label_smoothing=LABEL_SMOOTHING
        )
        loss.backward()
        if CLIP:
            nn.utils.clip_grad_norm_(parameters, CLIP)
        for group, most in zip(groups, peak, strict=True):
            group["lr"] = most * rate(start / windows)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if AVERAGE:
            blend(average, parameters)
        report((start + count) * CONTEXT, loss.item())
    if AVERAGE:
        replace(parameters, average)
    return model


@torch.no_grad()
def blend(average: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Move an exponential average towards the weights (Polyak & Juditsky 1992)."""
    for mean, weight in zip(average, weights, strict=True):
        mean.lerp_(weight, 1 - AVERAGE)


@torch.no_grad()
def replace(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Set weights to values of the same shapes."""
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


if __name__ == "__main__":
    import prepare

    prepare.by_hand(train, CONTEXT)
