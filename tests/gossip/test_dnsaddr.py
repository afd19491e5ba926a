"""Names in the DNS lead to peers, and whatever else the DNS says leads nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from gossip import dnsaddr
from gossip.dnsaddr import (
    MAX_ADDRS,
    MAX_NAMES,
    DnsAddress,
    LookUp,
    LookUpError,
    keep_resolved,
    read_dnsaddr,
    resolve,
    txt_records,
)
from gossip.multiaddress import AddressError
from tests.gossip.waiting import noted, until
from tests.swarm.record_samples import ANN, BOB

A = f"/ip4/192.0.2.1/tcp/4001/p2p/{ANN.peer_id}"
B = f"/ip6/2001:db8::1/tcp/4001/p2p/{BOB.peer_id}"


def zone(records: Mapping[str, Sequence[str]]) -> LookUp:
    """A DNS that holds these, by name after ``_dnsaddr.``."""

    async def look_up(name: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        try:
            return records[name.removeprefix("_dnsaddr.")]
        except KeyError:
            raise LookUpError(f"nothing at {name}") from None

    return look_up


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/dnsaddr/example.org", DnsAddress("example.org")),
        (f"/dnsaddr/example.org/p2p/{ANN.peer_id}", DnsAddress("example.org", ANN.peer_id)),
    ],
)
def test_an_address_is_a_name_and_perhaps_a_peer(text: str, address: DnsAddress) -> None:
    assert read_dnsaddr(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "/dnsaddr/", "/dnsaddr/a b", "/dnsaddr/x/p2p/", "/dnsaddr/x/p2p/me", "/dnsaddr/x/tcp/1",
     "/dns4/x/tcp/1", "/dnsaddr/" + "a" * 300],
)  # fmt: skip
def test_what_is_no_such_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        read_dnsaddr(text)


async def test_names_lead_to_names_and_at_last_to_addresses() -> None:
    records = {
        "top": ["dnsaddr=/dnsaddr/one", f"dnsaddr=/dnsaddr/two/p2p/{BOB.peer_id}", "spf=1"],
        "one": [f"dnsaddr={A}", "dnsaddr=nonsense", "dnsaddr=/ip4/192.0.2.9/tcp/1"],
        "two": [f"dnsaddr={A}", f"dnsaddr={B}", "dnsaddr=/dnsaddr/gone"],
    }
    assert await resolve(DnsAddress("top"), zone(records)) == (A, B)
    assert await resolve(DnsAddress("top", BOB.peer_id), zone(records)) == (B,)
    with pytest.raises(LookUpError, match="nothing at"):
        await resolve(DnsAddress("missing"), zone(records))


async def test_a_dns_without_end_is_left() -> None:
    """Names that lead to themselves, or to ever more names and addresses."""
    asked: list[str] = []

    async def endless(name: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        asked.append(name)
        names = [f"dnsaddr=/dnsaddr/n{len(asked)}x{index}" for index in range(1000)]
        return [f"dnsaddr={A}", "dnsaddr=/dnsaddr/top", *names]

    assert await resolve(DnsAddress("top"), endless) == (A,)
    assert len(asked) <= MAX_NAMES
    many = {"top": [f"dnsaddr={A.replace('/4001/', f'/{port}/')}" for port in range(1, 999)]}
    assert len(await resolve(DnsAddress("top"), zone(many))) == MAX_ADDRS


@given(st.lists(st.text(max_size=80).map("dnsaddr=".__add__), max_size=5))
def test_whatever_the_dns_says_is_read_or_passed_over(said: list[str]) -> None:
    found = trio.run(resolve, DnsAddress("top"), zone({"top": said}))
    assert all("/p2p/" in addr for addr in found)


async def test_whom_a_name_leads_to_is_heard(autojump_clock: MockClock) -> None:
    """A name that leads nowhere is told and tried again."""
    records: dict[str, list[str]] = {}
    heard, told = dict[str, Sequence[str]](), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: keep_resolved(
                ["/dnsaddr/top"], noted(heard), on_trouble=told.append, look_up=zone(records)
            )
        )
        await until(lambda: bool(told), 60)
        records["top"] = [f"dnsaddr={A}", f"dnsaddr={B}"]
        await until(lambda: ANN.peer_id in heard, 600)
        nursery.cancel_scope.cancel()
    assert told[0].startswith("/dnsaddr/top: nothing at _dnsaddr.top")
    assert heard == {ANN.peer_id: (A,), BOB.peer_id: (B,)}


async def test_a_real_resolver_is_asked_for_txt_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over UDP, of a name server of ours."""
    server = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
    await server.bind(("127.0.0.1", 0))

    async def serve() -> None:
        while True:
            data, peer = await server.recvfrom(4096)
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            name = query.question[0].name
            if str(name) == "_dnsaddr.here.":
                text = f'"dnsaddr={A[:20]}" "{A[20:]}"'
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", text))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            await server.sendto(answer.to_wire(), peer)

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
    monkeypatch.setattr(dnsaddr, "LOOK_UP_S", 60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        assert await resolve(read_dnsaddr("/dnsaddr/here"), txt_records) == (A,)
        with pytest.raises(LookUpError, match=r"no addresses at _dnsaddr\.gone"):
            await txt_records("_dnsaddr.gone")
        nursery.cancel_scope.cancel()
    server.close()
