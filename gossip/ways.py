"""
Which ways of finding peers a node goes, from its settings and its topic.

Law: composition only. Each way is a `gossip.discovery.Way` in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from gossip import dnsaddr
from gossip.desks import Desks
from gossip.directories import DHT, RENDEZVOUS, Directories, LookUps, Wanted
from gossip.discovery import Named, Way
from gossip.dnsaddr import DnsNames
from gossip.exchange import Exchange
from gossip.mdns import Mdns
from gossip.peer_book import PeerBook
from gossip.topics import Topic
from swarm.settings import NetworkSettings


def ways_of(
    settings: NetworkSettings,
    topic: Topic,
    desks: Desks,
    directories: Directories,
    book: PeerBook,
    *,
    now_ms: Callable[[], int],
    on_trouble: Callable[[str], None],
) -> list[Way]:
    """
    The ways to go, those of which a person knows most first.

    Args:
        desks: The transport, among members on a private topic.
        directories: The transport below it: outsiders too keep directories.
        book: Whom this node has met.
        now_ms: The wall clock, Unix epoch milliseconds.
        on_trouble: Told in one sentence what does not work.
    """
    bootstrap, names = split(settings.bootstrap_peers)
    joined, more_names = split(settings.join)
    ways: list[Way] = [
        Named("invite", topic.addrs),
        Named("join", joined),
        Named("bootstrap", bootstrap),
        Exchange(desks, book, now_ms),
    ]
    if names or more_names:
        ways.append(DnsNames((*names, *more_names), on_trouble))
    if settings.mdns:
        ways.append(Mdns(topic.dht_key, lambda: desks.listen_addrs))
    if settings.dht:
        ways.append(LookUps(DHT, directories))
    if settings.rendezvous:
        ways.append(LookUps(RENDEZVOUS, directories))
    return ways


def directories_of(settings: NetworkSettings, topic: Topic) -> Wanted:
    """The directories that a node takes part in."""
    return Wanted(
        topic.dht_key,
        dht=settings.dht,
        rendezvous=settings.rendezvous,
        point=settings.rendezvous and settings.relay,
    )


def split(addrs: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Multiaddrs, and those among them that are names in the DNS."""
    names = tuple(addr for addr in addrs if addr.startswith(dnsaddr.PREFIX))
    return tuple(addr for addr in addrs if addr not in names), names
