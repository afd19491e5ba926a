"""
What is wrong with a setting, in words.

Law: says what is expected and what was found, in a person's words; the words of
the library that noticed do not reach the screen.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from gossip.multiaddress import EXAMPLE
from swarm.families import FAMILIES
from swarm.settings import MAX_NICKNAME_LENGTH

Keys = tuple[str, ...]

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "model": "a table of settings",
}
"""By how the names of pydantic's error types begin."""

_TEXTS = {
    "nickname": f"at most {MAX_NICKNAME_LENGTH} letters, digits, spaces and . _ -",
    "exclude_families": f"some of {', '.join(FAMILIES)}",
    "listen_addrs": "an address such as /ip4/0.0.0.0/tcp/4001",
    "bootstrap_peers": f"an address such as {EXAMPLE}",
    "join": f"an address such as {EXAMPLE}",
    "[key]": "the name of a knob, such as DEPTH",
    "task": "the name of a built-in task, or a folder",
    "topic": "`public`, or the name of a private topic: small letters, digits, _ and -",
    "base_url": "where an endpoint answers, such as http://127.0.0.1:11434/v1",
    "api_key_env": "the name of an environment variable, such as OPENAI_API_KEY, never the key",
    "model": "the name of a model, as the endpoint calls it",
    "pre_shared_key": "64 hex digits in small letters, as `openssl rand -hex 32` prints",
}
"""What a text must look like, by its key."""

_BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda bound: f"{bound['ge']:g} or more",
    "greater_than": lambda bound: f"more than {bound['gt']:g}",
    "less_than_equal": lambda bound: f"{bound['le']:g} or less",
    "less_than": lambda bound: f"less than {bound['lt']:g}",
}


_SECRET = ("pre_shared_key", "api_key_env")
"""Keys whose values are not repeated on a screen."""


def complaint(detail: ErrorDetails, keys: Keys) -> str:
    """What was expected at `keys`, and what is there."""
    if keys[-1] in _SECRET:
        return f"expected {_expected(detail, keys)}"
    return f"expected {_expected(detail, keys)}, not {_found(detail['input'])}"


def unknown(written: str, known: Sequence[str]) -> str:
    """That nobody knows a key, and which of those known there may be meant."""
    close = get_close_matches(written, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"no such setting; {hint}"


def _expected(detail: ErrorDetails, keys: Keys) -> str:
    kind = detail["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind](detail.get("ctx", {}))
    text = _TEXTS.get(keys[-1])
    if text is not None and kind.startswith("string_") and kind != "string_type":
        return text
    return _TYPES.get(kind.partition("_")[0], detail["msg"])


def _found(value: object) -> str:
    return f"{value!r:.80}"
