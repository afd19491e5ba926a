"""
A real llama.cpp server around a tiny model of random weights: a foreign server, honest
about the protocol, whose words mean nothing.

Run as ``python -m tests.experiments.llama_server FOLDER``; prints its address.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HIDDEN, HEADS, CONTEXT = 32, 64, 2, 32_768
ASCII = 128
"""Bytes from here on are never said: at random they are no text, and the server fails at that."""

TEMPLATE = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"


def write_model(path: Path) -> None:
    """A llama with one block over ASCII, its weights drawn at random; 100 KB."""
    gguf: Any = importlib.import_module("gguf")
    vocabulary = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    model = gguf.GGUFWriter(str(path), "llama")
    model.add_context_length(CONTEXT)
    model.add_embedding_length(WIDTH)
    model.add_block_count(1)
    model.add_feed_forward_length(HIDDEN)
    model.add_head_count(HEADS)
    model.add_head_count_kv(HEADS)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(WIDTH // HEADS)
    model.add_vocab_size(len(vocabulary))
    model.add_tokenizer_model("llama")
    model.add_token_list(vocabulary)
    model.add_token_scores([0.0] * len(vocabulary))
    model.add_token_types(
        [2, 3, 3, *[6] * ASCII, *[3] * (256 - ASCII)]
    )  # unknown, control, control, bytes
    model.add_bos_token_id(1)
    model.add_eos_token_id(2)
    model.add_unk_token_id(0)
    model.add_chat_template(TEMPLATE)
    for name, shape in _shapes(len(vocabulary)).items():
        model.add_tensor(f"{name}.weight", _drawn(name, shape))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


def _shapes(tokens: int) -> Mapping[str, Sequence[int]]:
    square, wide = (WIDTH, WIDTH), (HIDDEN, WIDTH)
    block = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    block |= {"ffn_gate": wide, "ffn_up": wide, "ffn_down": wide[::-1]}
    norms = {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
    inner = {f"blk.0.{name}": shape for name, shape in (block | norms).items()}
    outer = {"token_embd": (tokens, WIDTH), "output": (tokens, WIDTH), "output_norm": (WIDTH,)}
    return inner | outer


def _drawn(name: str, shape: Sequence[int]) -> Any:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return np.random.default_rng(len(name)).normal(0, 0.5, shape).astype(np.float32)


@contextmanager
def llama(folder: Path) -> Generator[str]:
    """The address of a server, in a process of its own."""
    command = [sys.executable, "-m", "tests.experiments.llama_server", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def main(folder: Path) -> None:
    """Serve until stdin ends."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    path = folder / "random.gguf"
    write_model(path)
    asked = xllamacpp.CommonParams()
    asked.model.path = str(path)
    asked.n_ctx, asked.n_parallel, asked.port = CONTEXT, 1, 0
    asked.hostnames = ["127.0.0.1"]
    asked.cpuparams.n_threads = 1
    asked.warmup = asked.fit_params = False
    server = xllamacpp.Server(asked)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
