"""What is believed of texts on a local network. `tests/test_lan.py` has a real one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.identity import new_identity
from gossip.mdns import MAX_ADDRS, near, said_in, service_type, texts_of

PEER = new_identity(b"\x01" * 32).peer_id


def at(host: str) -> str:
    family = "ip6" if ":" in host else "ip4"
    return f"/{family}/{host}/tcp/4001/p2p/{PEER}"


@given(st.binary(max_size=600))
def test_any_texts_give_some_addresses_or_none(data: bytes) -> None:
    assert len(near(said_in(data))) <= MAX_ADDRS


def test_what_is_announced_is_read_again() -> None:
    ours = near([at("10.0.0.1"), at("192.168.1.2"), at("192.0.2.1"), at("fd00::1")])
    assert near(said_in(texts_of(ours))) == ours
    assert near(said_in(b"\x04junk" + texts_of(ours) + b"\xff")) == ours


@pytest.mark.parametrize("host", ["8.8.8.8", "100.64.0.1", "127.0.0.1", "::1", "2001:db8::1"])
def test_only_addresses_of_local_networks_count(host: str) -> None:
    assert near([at(host), at("10.0.0.1")]) == near([at("10.0.0.1")])


def test_nobody_is_led_through_a_relay_or_to_nobody() -> None:
    circuit = f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}"
    assert near([circuit, "/ip4/10.0.0.1/tcp/1", "/dns4/localhost/tcp/1/p2p/" + PEER]) == []


def test_a_service_type_is_a_name_that_tells_nothing_of_its_topic() -> None:
    one, other = service_type(b"a" * 32), service_type(b"b" * 32)
    assert one != other
    assert re.fullmatch(r"_rs[a-z2-7]{12}\._udp\.local\.", one)
