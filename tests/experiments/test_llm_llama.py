"""The protocol against a server that is not ours: llama.cpp, with a model of random weights."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Generator

import pytest

from experiments.proposers.llm_answer import AnswerError, edited, read_answer
from experiments.proposers.llm_endpoint import Endpoint, EndpointError
from swarm.settings import LlmSettings
from tests.experiments.lab import toy
from tests.experiments.llama_server import llama

needs_llama = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="there is no llama.cpp for this machine"
)
TASK = toy().task
ASKED = [{"role": "user", "content": "one idea, please"}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with llama(tmp_path_factory.mktemp("llama")) as address:
        yield f"{address}/v1"


def settings(url: str, answer_tokens: int) -> LlmSettings:
    return LlmSettings(base_url=url, model="random", answer_tokens=answer_tokens)


@needs_llama
async def test_llama_cpp_takes_the_schema_and_counts_tokens(url: str) -> None:
    async with Endpoint(settings(url, 300)) as endpoint:
        assert any("random.gguf" in name for name in await endpoint.models())
        reply = await endpoint.ask(ASKED)
    assert reply.by_schema, "the schema was not refused"
    assert reply.text.lstrip().startswith("{")
    assert reply.usage is not None
    assert reply.usage.tokens_in > len(ASKED[0]["content"])
    assert reply.usage.tokens_out <= 300
    assert reply.whole or reply.usage.tokens_out == 300
    with pytest.raises(AnswerError):
        edited(TASK.baseline, read_answer(reply.text).edits, TASK.baseline)


@needs_llama
async def test_what_it_says_by_the_schema_is_json_and_nonsense_is_refused(url: str) -> None:
    """Constrained sampling holds even a random model to the shape; the words are another matter."""
    async with Endpoint(settings(url, 16_384)) as endpoint:
        reply = await endpoint.ask(ASKED)
        while not reply.whole:
            reply = await endpoint.ask(ASKED)
    said = json.loads(reply.text)
    assert set(said) == {"title", "rationale", "family", "edits"}
    with pytest.raises(AnswerError):
        edited(TASK.baseline, read_answer(reply.text).edits, TASK.baseline)


@needs_llama
async def test_a_question_too_long_for_it_is_refused_with_its_reason(url: str) -> None:
    long = [{"role": "user", "content": "x" * 40_000}]
    async with Endpoint(settings(url, 300)) as endpoint:
        with pytest.raises(EndpointError, match="exceed") as raised:
            await endpoint.ask(long)
    assert raised.value.fault == "refused"
