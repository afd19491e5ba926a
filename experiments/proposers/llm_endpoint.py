"""
Asking an OpenAI-compatible endpoint: Ollama, llama.cpp, vLLM, OpenAI and others.

An answer by a JSON schema is asked for. Where the endpoint refuses the schema, or the
name that the limit of tokens has, it is asked again without, and that is remembered.

Law: a question takes no longer than its deadline and an answer no more memory than a
bound; the key goes to the endpoint and nowhere else, redirects are not followed. Every
way to fail is an `EndpointError` whose message says what to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast

import trio

from experiments.proposers.llm_answer import MAX_ANSWER_BYTES, SCHEMA
from experiments.proposers.llm_budget import Usage
from swarm.settings import LlmSettings
from swarm.visible_text import plain, shortened

if TYPE_CHECKING:
    import httpx2
    import openai

MAX_BODY_BYTES = 4 * MAX_ANSWER_BYTES
MAX_SAID = 200
MAX_MODELS = 1000
_SHAPES = 3

Fault = Literal[
    "unreachable", "too_slow", "key", "no_model", "busy", "broken", "refused", "too_large", "empty"
]


class EndpointError(Exception):
    """
    A question that got no answer.

    Attributes:
        fault: What kind of failure it is.
        spent: Whether the endpoint may have worked on it, and charge for it.
    """

    def __init__(self, fault: Fault, message: str, *, spent: bool = False) -> None:
        super().__init__(message)
        self.fault: Fault = fault
        self.spent = spent


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What an endpoint said.

    Attributes:
        usage: As the endpoint counted; None where it did not say.
        whole: False where the answer was cut off at the limit of tokens.
        by_schema: The answer was asked for by the schema.
    """

    text: str
    usage: Usage | None
    whole: bool
    by_schema: bool
    seconds: float


Messages = Sequence[Mapping[str, str]]
"""Each with `role` and `content`."""


class Endpoint:
    """
    One endpoint and one model; an async context manager.

    Args:
        environment: Where the key is, usually `os.environ`.
    """

    def __init__(self, settings: LlmSettings, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = os.environ if environment is None else environment
        self._stack = AsyncExitStack()
        self._client: openai.AsyncOpenAI | None = None
        self._by_schema = True
        self._limit_name = "max_tokens"

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def models(self) -> tuple[str, ...]:
        """
        The names of the models there are; empty where the endpoint does not tell.

        Raises:
            EndpointError: Nobody answers, or not as such an endpoint does.
        """
        client = await self._opened()
        try:
            body = await self._within(client.models.with_raw_response.list())
        except EndpointError as error:
            if error.fault == "no_model":  # 404: it has no such list
                return ()
            raise
        rows = body.get("data")
        found = cast("list[object]", rows) if isinstance(rows, list) else []
        names = [cast("dict[str, object]", row).get("id") for row in found if isinstance(row, dict)]
        return tuple(plain(name) for name in names if isinstance(name, str))[:MAX_MODELS]

    async def ask(self, messages: Messages) -> Reply:
        """
        Put a question.

        Raises:
            EndpointError: There is no answer.
        """
        client = await self._opened()
        for _ in range(_SHAPES):
            began = trio.current_time()
            try:
                body = await self._within(
                    client.chat.completions.with_raw_response.create(**self._question(messages))
                )
            except EndpointError as error:
                if error.fault == "refused" and self._ask_otherwise(str(error)):
                    continue
                raise
            return _reply(body, trio.current_time() - began, by_schema=self._by_schema)
        raise AssertionError("each shape is given up once")

    def _question(self, messages: Messages) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [dict(message) for message in messages],
            self._limit_name: self._settings.answer_tokens,
        }
        if self._by_schema:
            schema = {"name": "idea", "strict": True, "schema": SCHEMA}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        return asked

    def _ask_otherwise(self, said: str) -> bool:
        """Give up what the endpoint seems not to know; False where nothing is left."""
        if "max_completion_tokens" in said and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        had, self._by_schema = self._by_schema, False
        return had

    async def _opened(self) -> openai.AsyncOpenAI:
        if self._client is None:
            await trio.to_thread.run_sync(_load, abandon_on_cancel=True)
            self._client = self._open()
            self._stack.push_async_callback(self._client.close)
        return self._client

    def _open(self) -> openai.AsyncOpenAI:
        import httpx2
        import openai

        settings = self._settings
        http_client = httpx2.AsyncClient(
            transport=_bounded_transport(),
            timeout=settings.timeout_seconds,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        )
        return openai.AsyncOpenAI(
            base_url=settings.base_url,
            api_key=self._key(),
            http_client=http_client,
            max_retries=0,
            timeout=settings.timeout_seconds,
        )

    def _key(self) -> str:
        name = self._settings.api_key_env
        if not name:
            return "none"
        key = self._environment.get(name, "").strip()
        if not key or not (key.isascii() and key.isprintable()):
            raise EndpointError("key", f"put the endpoint's key into the variable {name}")
        return key

    async def _within(self, asking: Any) -> dict[str, object]:
        """The JSON object that a request gives, before the deadline."""
        import httpx2
        import openai

        settings = self._settings
        try:
            with trio.fail_after(settings.timeout_seconds):
                response = await asking
            return _json_object(response.http_response.content)
        except _TooLarge:
            words = f"{settings.base_url} sends more than {MAX_BODY_BYTES} bytes, or packed ones"
            raise EndpointError("too_large", f"{words}: use another", spent=True) from None
        except (trio.TooSlowError, openai.APITimeoutError):
            words = f"{settings.base_url} gave no answer in {settings.timeout_seconds:g} seconds"
            fix = "raise llm.timeout_seconds or take a smaller model"
            raise EndpointError("too_slow", f"{words}: {fix}", spent=True) from None
        except openai.APIStatusError as error:
            raise self._by_status(error.status_code, _said(error)) from None
        except openai.APIConnectionError as error:
            why = plain(str(error.__cause__ or error))[:MAX_SAID]
            words = f"nothing answers at {settings.base_url} ({why})"
            fix = "start the endpoint there, or correct llm.base_url"
            sent = not isinstance(error.__cause__, httpx2.ConnectError)
            raise EndpointError("unreachable", f"{words}: {fix}", spent=sent) from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise self._stranger(plain(str(error))[:MAX_SAID]) from None

    def _stranger(self, why: str) -> EndpointError:
        words = f"{self._settings.base_url} does not answer as an OpenAI-compatible endpoint does"
        fix = "correct llm.base_url, which usually ends in /v1"
        return EndpointError("broken", f"{words} ({why}): {fix}", spent=True)

    def _by_status(self, status: int, said: str) -> EndpointError:
        """What an HTTP status means here."""
        settings, name = self._settings, self._settings.api_key_env
        if status in (401, 403):
            fix = f"put a valid key into {name}" if name else "name its variable in llm.api_key_env"
            return EndpointError("key", f"{settings.base_url} wants another key ({said}): {fix}")
        if status == 404:
            words = (
                f"{settings.base_url} does not have {settings.model}, or is not the whole address"
            )
            return EndpointError(
                "no_model", f"{words} ({said}): correct llm.model, or llm.base_url (often …/v1)"
            )
        if status == 429:
            words = f"{settings.base_url} has had enough of us ({said})"
            return EndpointError("busy", f"{words}: wait, or see to the limits of the account")
        if 400 <= status < 500:
            return EndpointError("refused", f"{settings.base_url} refuses the question ({said})")
        if 300 <= status < 400:
            return self._stranger(f"it redirects, status {status}")
        words = f"{settings.base_url} fails (status {status}, {said})"
        return EndpointError("broken", f"{words}: see to its own log", spent=True)


def _load() -> None:
    """Import the client, which takes half a second, where nobody waits for it."""
    import openai  # noqa: F401 # pyright: ignore[reportUnusedImport]


def _reply(body: Mapping[str, object], seconds: float, *, by_schema: bool) -> Reply:
    """What a chat completion says; raises EndpointError where it has no text."""
    choices = body.get("choices")
    first = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else None
    choice = cast("dict[str, object]", first) if isinstance(first, dict) else {}
    message = choice.get("message")
    said = cast("dict[str, object]", message) if isinstance(message, dict) else {}
    text = said.get("content")
    whole = choice.get("finish_reason") != "length"
    if not isinstance(text, str) or not text.strip():
        why = "it thought for all of llm.answer_tokens" if not whole else "take another model"
        raise EndpointError("empty", f"the model's answer holds no text: {why}", spent=True)
    return Reply(text, _usage(body.get("usage")), whole, by_schema, seconds)


def _usage(found: object) -> Usage | None:
    if not isinstance(found, dict):
        return None
    usage = cast("dict[str, object]", found)
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    tokens = [each for each in counts if type(each) is int and 0 <= each < 10**9]
    return Usage(tokens[0], tokens[1]) if len(tokens) == 2 else None


def _json_object(content: bytes) -> dict[str, object]:
    try:
        found: object = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, object]", found)


def _said(error: openai.APIStatusError) -> str:
    """What the endpoint gave as the reason, as one short line."""
    body: object = error.body
    if isinstance(body, dict):
        body = cast("dict[str, object]", body).get("message", cast("object", body))
    return shortened(plain(str(body or error)), MAX_SAID)


class _TooLarge(Exception):  # noqa: N818 - ends the reading of a body, and goes no further
    """More came than is read."""


def _bounded_transport() -> httpx2.AsyncBaseTransport:
    """HTTP whose bodies end in `_TooLarge` where they go on for too long."""
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = MAX_BODY_BYTES
            async for part in self._stream:
                left -= len(part)
                if left < 0:
                    raise _TooLarge
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    class Transport(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await super().handle_async_request(request)
            if response.headers.get("content-encoding", "identity") != "identity":
                await response.aclose()
                raise _TooLarge
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = Bounded(response.stream)
            return response

    return Transport(trust_env=False)
