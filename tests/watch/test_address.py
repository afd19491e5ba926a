"""Where the API listens: where it was told to, or nowhere."""

from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError

from swarm.settings import WatchSettings
from watch.address import DEFAULT, Address, WatchError, bind, read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (DEFAULT, Address("127.0.0.1", 8377, chosen=False)),
        ("off", None),
        ("0.0.0.0:80", Address("0.0.0.0", 80, chosen=True)),
        ("[::1]:8080", Address("::1", 8080, chosen=True)),
        ("My-Machine.local:8080", Address("my-machine.local", 8080, chosen=True)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address | None) -> None:
    assert read_address(WatchSettings(api=text).api) == address


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host", "host:", "a b:1", "host:123456"])
def test_what_is_no_address_is_refused_with_the_settings(text: str) -> None:
    with pytest.raises(ValidationError):
        WatchSettings(api=text)


def test_the_usual_port_may_be_anyones() -> None:
    """Then any free one is as good."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        listening, moved = bind(Address("127.0.0.1", port, chosen=False))
        with listening:
            assert moved and listening.getsockname()[1] != port


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_was_asked_for_is_that_one_or_none(host: str) -> None:
    """The sentence names it and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WatchError, match=rf"{host}:{port} .*--api HOST:PORT"):
            bind(Address(host, port, chosen=True))
