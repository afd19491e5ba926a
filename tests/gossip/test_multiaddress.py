"""Addresses are read strictly, and whatever is wrong is said."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from gossip.identity import new_identity
from gossip.multiaddress import AddressError, parse

PEER = new_identity(b"\x01" * 32).peer_id


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/0",
        "/ip6/::1/tcp/65535",
        f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER}",
        f"/dns4/node.example.org/tcp/4001/p2p/{PEER}",
    ],
)
def test_good_ones_read_and_write_the_same(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a TCP multiaddr"),
        ("127.0.0.1:4001", "not a TCP multiaddr"),
        ("/ip4/127.0.0.1/udp/4001/quic-v1", "not a TCP multiaddr"),
        ("/ip4/300.0.0.1/tcp/4001", "not an ip4 address"),
        (f"/ip6/2001:db8::1%x/tcp/4001/p2p/{PEER}", "leave it out"),
        ("/ip4/127.0.0.1/tcp/65536", "not a TCP port"),
        ("/ip4/127.0.0.1/tcp/-1", "not a TCP port"),
        ("/ip4/127.0.0.1/tcp/٣", "not a TCP port"),
        ("/ip4/127.0.0.1/tcp/4001/p2p/nobody", "peer id"),
        (f"/ip4/127.0.0.1/tcp/4001/ws/{PEER}", "expected /p2p/"),
        ("/dns4/-bad-/tcp/1", "not a host name"),
        ("/unix/tmp/tcp/1", "expected /ip4/"),
        ("/ip4/" + "1" * 600, "longer than"),
    ],
)
def test_bad_ones_say_why(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        parse(text)


@given(st.text(max_size=80) | st.lists(st.text(max_size=12), max_size=8).map("/".join))
def test_reading_is_total(text: str) -> None:
    with suppress(AddressError):
        parse(text)


@given(
    st.sampled_from(["ip4", "ip6", "dns", "dns4", "dns6"]),
    st.text("0123456789abcdef.:%-_Zx", min_size=1, max_size=40)
    | st.text("ab0-.", min_size=1, max_size=80)
    | st.text("ab0-.x", max_size=12).map("xn--{}".format)
    | st.ip_addresses().map(str)
    | st.ip_addresses(v=6).map("{}%1".format),
)
def test_what_is_read_is_an_address_to_libp2p_too(family: str, host: str) -> None:
    """Peers name addresses, and one that libp2p cannot read must not get as far as a dial."""
    with suppress(AddressError):
        Multiaddr(str(parse(f"/{family}/{host}/tcp/4001/p2p/{PEER}")))
