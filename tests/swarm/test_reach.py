"""How far addresses carry, and what peers' words make of a NAT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.reach import Nat, Scope, Sighting, nat_of, reachable, scope_of, site_of

PUBLIC, OTHER_PUBLIC, LAN = "8.8.8.8", "9.9.9.9", "192.168.1.5"


@pytest.mark.parametrize(
    ("ip", "scope"),
    [
        ("127.0.0.1", "machine"),
        ("::1", "machine"),
        ("169.254.1.1", "link"),
        ("fe80::1%eth0", "link"),
        (LAN, "lan"),
        ("fd00::1", "lan"),
        ("100.64.3.2", "carrier"),
        (PUBLIC, "internet"),
        ("2a00::1", "internet"),
        ("224.0.0.300", "nowhere"),
        ("", "nowhere"),
    ],
)
def test_how_far_an_address_carries(ip: str, scope: Scope) -> None:
    assert scope_of(ip) == scope


@pytest.mark.parametrize(
    ("ip", "site"),
    [
        (PUBLIC, PUBLIC),
        ("::ffff:8.8.8.8", PUBLIC),
        ("2a00:1:2:3:ffff::1", "2a00:1:2:3::/64"),
        ("2a00:1:2:3::9%eth0", "2a00:1:2:3::/64"),
        ("2a00:1:2:4::9", "2a00:1:2:4::/64"),
        ("fe80::1%eth0", "fe80::1"),
        ("fd00::1", "fd00::1"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_customers_ipv6_addresses_count_as_one(ip: str, site: str) -> None:
    assert site_of(ip) == site


@given(st.text())
def test_any_text_has_a_scope(ip: str) -> None:
    site_of(ip)
    assert scope_of(ip)


def test_one_peer_that_got_through_is_enough() -> None:
    """And none that tried is no answer at all, which is not a no."""
    assert reachable([]) is None
    assert reachable([Sighting(PUBLIC, ())]) is None
    assert reachable([Sighting(PUBLIC, ("refused",))]) is False
    assert reachable([Sighting(PUBLIC, ("refused",)), Sighting(LAN, ("reached",))]) is True


@pytest.mark.parametrize(
    ("own", "seen", "nat"),
    [
        ([LAN], [], "unknown"),
        ([LAN], [Sighting("127.0.0.1", ("reached",))], "unknown"),
        ([LAN], [Sighting(LAN, ("reached",))], "none on this network"),
        ([PUBLIC], [Sighting(PUBLIC, ("silent",))], "none"),
        ([LAN], [Sighting(PUBLIC, ("reached",))], "forwarded"),
        ([LAN], [Sighting(PUBLIC, ("silent",)), Sighting(LAN, ("reached",))], "closed"),
        ([LAN, "100.64.0.9"], [Sighting(PUBLIC, ("silent",))], "carrier"),
        ([LAN], [Sighting(PUBLIC, ("silent",)), Sighting(OTHER_PUBLIC, ("silent",))], "carrier"),
    ],
)
def test_what_stands_in_between(own: list[str], seen: list[Sighting], nat: Nat) -> None:
    assert nat_of(own, seen) == nat
