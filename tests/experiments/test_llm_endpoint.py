"""Asking an endpoint over real HTTP: every way to answer, and every way not to."""

from __future__ import annotations

import gzip
import json

import pytest
import trio

from experiments.proposers.llm_answer import SCHEMA
from experiments.proposers.llm_budget import Usage
from experiments.proposers.llm_endpoint import MAX_BODY_BYTES, Endpoint, EndpointError, Reply
from tests.experiments.llm_server import MODEL, Scripted, Step, serving, unused_url

ASKED = [{"role": "user", "content": "one idea, please"}]
KEY = "sk-a-secret"


async def ask(script: Scripted, times: int = 1, **settings: object) -> Reply:
    async with Endpoint(script.settings(**settings), {"KEY": KEY}) as endpoint:
        for _ in range(times - 1):
            await endpoint.ask(ASKED)
        return await endpoint.ask(ASKED)


async def test_a_schema_is_asked_for_and_the_reply_read() -> None:
    with serving(Step("an idea")) as script:
        reply = await ask(script, answer_tokens=500, api_key_env="KEY")
    assert (reply.text, reply.usage, reply.whole) == ("an idea", Usage(900, 100), True)
    assert reply.by_schema
    [question] = script.asked
    assert (question["model"], question["max_tokens"]) == (MODEL, 500)
    assert question["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "tools" not in question
    assert script.keys == [f"Bearer {KEY}"]


async def test_without_a_variable_for_it_no_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Step("an idea")) as script:
        await ask(script)
    assert KEY not in script.keys[0]


async def test_an_endpoint_without_schemas_is_asked_for_text_from_then_on() -> None:
    with serving(Step("an idea"), knows_schema=False) as script:
        reply = await ask(script, times=2)
    assert not reply.by_schema
    assert len(script.keys) == 3, "the schema is tried once"


async def test_an_endpoint_that_calls_the_limit_otherwise_is_asked_so() -> None:
    with serving(Step("use max_completion_tokens instead", 400), Step("an idea")) as script:
        reply = await ask(script)
    assert reply.by_schema
    assert "max_tokens" in script.asked[0] and "max_completion_tokens" in script.asked[1]


async def test_a_cut_answer_and_one_that_counts_nothing_are_told_apart() -> None:
    with serving(Step("half an", finish="length", usage=None)) as script:
        reply = await ask(script)
    assert (reply.whole, reply.usage) == (False, None)


DEEP = b"[" * 100_000
LOOP = {"location": "http://127.0.0.1:9/v1/chat/completions"}


@pytest.mark.parametrize(
    ("step", "fault", "words"),
    [
        (Step("no such key", 401), "key", "put a valid key into KEY"),
        (Step("not for you", 403), "key", "put a valid key into KEY"),
        (Step("no such model", 404), "no_model", "correct llm.model"),
        (Step("slow down", 429), "busy", "wait"),
        (Step("out of order", 500), "broken", "see to its own log"),
        (Step("no", 400), "refused", "refuses the question (no)"),
        (Step(status=302, headers=LOOP), "broken", "it redirects"),
        (Step(body=b"<html>hello"), "broken", "usually ends in /v1"),
        (Step(body=b"[1]"), "broken", "not a JSON object"),
        (Step(body=DEEP), "broken", "usually ends in /v1"),
        (Step(body=b"{}"), "empty", "no text"),
        (Step(body=b'{"choices": [{"message": {"content": 7}}]}'), "empty", "no text"),
        (Step("", finish="length"), "empty", "llm.answer_tokens"),
        (Step(body=b'{"choices": []}'), "empty", "no text"),
        (Step(body=b"x" * (MAX_BODY_BYTES + 1)), "too_large", "more than"),
        (
            Step(body=gzip.compress(b" " * 10**7), headers={"content-encoding": "gzip"}),
            "too_large",
            "packed",
        ),
        (Step("late", seconds=30), "too_slow", "raise llm.timeout_seconds"),
    ],
    ids=lambda value: None if isinstance(value, Step) else value,
)
async def test_each_failure_says_what_to_do(step: Step, fault: str, words: str) -> None:
    seconds = 1.0 if fault == "too_slow" else 30.0
    with serving(step) as script, pytest.raises(EndpointError) as raised:
        await ask(script, api_key_env="KEY", timeout_seconds=seconds)
    assert raised.value.fault == fault
    assert words in str(raised.value)
    assert KEY not in str(raised.value)
    assert raised.value.spent == (fault in ("broken", "empty", "too_large", "too_slow"))


async def test_where_nothing_answers_it_is_said_at_once() -> None:
    script = Scripted((), url=unused_url())
    with trio.fail_after(30), pytest.raises(EndpointError, match="start the endpoint there") as it:
        await ask(script)
    assert (it.value.fault, it.value.spent) == ("unreachable", False)


@pytest.mark.parametrize("value", [None, "", "a\nb", "schlüssel"])
async def test_a_key_that_is_not_there_or_none_names_its_variable(value: str | None) -> None:
    with serving(Step("an idea")) as script:
        environment = {} if value is None else {"KEY": value}
        async with Endpoint(script.settings(api_key_env="KEY"), environment) as endpoint:
            with pytest.raises(EndpointError, match="variable KEY") as raised:
                await endpoint.ask(ASKED)
    assert raised.value.fault == "key"
    assert script.asked == []


async def test_what_models_there_are() -> None:
    with serving(Step()) as script:
        async with Endpoint(script.settings()) as endpoint:
            assert await endpoint.models() == (MODEL, "other")


async def test_words_of_the_endpoint_are_shown_short_and_plain() -> None:
    said = json.dumps({"error": {"message": "\x1b[31m\u202e" + "no " * 500}}).encode()
    with serving(Step(status=500, body=said)) as script, pytest.raises(EndpointError) as raised:
        await ask(script)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 500
