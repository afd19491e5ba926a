"""
`swarm doctor --network`: whether this node is reached and served, and what to do if not.

A running node is asked through its status file, which holds what its peers told it;
without one, this machine's addresses, ports and the way to known entrances are looked at.

Law: each finding is a function of what was read; every fault comes with what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.entrances import Entrance, own_addresses, try_entrances
from cli.failures import CommandError
from cli.finding import Finding, line
from cli.finding import document as finding_document
from cli.hints import spelled
from cli.network_state import NetworkState, read_state, topic_said
from cli.output import age, console, counted, print_json
from cli.settings_file import SettingsError, load_settings
from cli.text import plain
from gossip import topics
from gossip.home import Home
from gossip.multiaddress import Address, AddressError, parse
from gossip.ports import listen_addresses
from gossip.topics import TopicError
from gossip.transport import ListenError
from swarm.heard import MAX_AHEAD_MS
from swarm.reach import WIDEST_FIRST, Nat, Scope, scope_of
from swarm.settings import Settings
from swarm.topic import PUBLIC

CLOCK_OK_MS = 2_000
SETTLED_SECONDS = 30.0
LISTEN_WIDE = "`swarm start --listen /ip4/0.0.0.0/tcp/4001`"

_FROM: dict[Scope, str] = {
    "machine": "this machine alone",
    "link": "the same cable",
    "lan": "the local network",
    "carrier": "your provider's own network",
    "internet": "the internet",
    "nowhere": "nowhere",
}


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was looked at. `state` is None where no node says anything."""

    state: NetworkState | None
    settings: Settings
    own: list[str]
    entrances: list[Entrance]


def network_doctor(root: Path, *, as_json: bool) -> int:
    """
    Say how the node in `root` stands in the network, for people or as one JSON document.

    Returns:
        The exit status: 1 when something keeps this node from the others.

    Raises:
        CommandError: The settings cannot be used.
    """
    look = look_around(Home(root))
    findings = list(examine(look))
    worst = int(any(finding.level == "missing" for finding in findings))
    if as_json:
        print_json(document(look, findings))
        return worst
    screen = console()
    for finding in findings:
        screen.print(line(finding), soft_wrap=True)
    return worst


def look_around(home: Home) -> Look:
    """
    Read the node's status and try the entrances; takes some seconds where they are silent.

    Raises:
        CommandError: The settings cannot be used.
    """
    try:
        settings = load_settings(
            home_file=home.settings, profile=None, environment=os.environ, flags={}
        )
    except SettingsError as error:
        raise CommandError(str(error)) from error
    state = read_state(home)
    last = topic_said(home.read_status())
    if last and home.topic(last).exists():
        settings = settings.model_copy(update={"topic": last})
    asked = (*settings.network.join, *settings.network.bootstrap_peers)
    wanted = state.entrances if state else (*asked, *_invited(home, settings))
    return Look(state, settings, own_addresses(), try_entrances(wanted))


def examine(look: Look) -> Iterator[Finding]:
    """Every finding, in the order a person would ask."""
    yield _node(look.state, look.settings.topic)
    if look.state is None:
        yield from _ports(look.settings)
    else:
        yield _listening(look.state)
        yield _reachable(look.state, look.own)
        yield _nat(look.state.nat(look.own))
        yield _peers(look.state, look.entrances)
        yield _records(look.state)
        yield _clock(look.state)
    yield _addresses(look)
    yield from map(_entrance, look.entrances)
    if look.state is None and not look.entrances:
        yield _no_entrance(look.settings.topic)


def document(look: Look, findings: Sequence[Finding]) -> dict[str, object]:
    """All of it as `--json` shows it; what is not known is null."""
    state = look.state
    return {
        "ok": not any(finding.level == "missing" for finding in findings),
        "running": state is not None,
        "pid": state.pid if state else None,
        "addresses": [{"ip": ip, "from": scope_of(ip)} for ip in look.own],
        "listen_addrs": list(state.listen_addrs) if state else [],
        "reachable": state.reachable if state else None,
        "nat": state.nat(look.own) if state else None,
        "peers": len(state.connected) if state else None,
        "found_by": dict(state.ways) if state else {},
        "first_peer_seconds": state.first_peer_seconds if state else None,
        "first_record_seconds": state.first_record_seconds if state else None,
        "clock_skew_ms": state.clock_skew_ms if state else None,
        "checks": [dict(check) for check in state.checks] if state else [],
        "entrances": [{"addr": each.multiaddr, "came": each.came} for each in look.entrances],
        "findings": [finding_document(finding) for finding in findings],
    }


def _node(state: NetworkState | None, topic: str) -> Finding:
    if state is not None:
        since = "starting" if state.up_seconds is None else f"for {age(state.up_seconds)}"
        return Finding("ok", "node", f"running, process {state.pid}, in the network {since}")
    words = "not running, so nobody can say whether it is reached; looked at what can be seen alone"
    start = "swarm start" if topic == PUBLIC else f"swarm start --topic {topic}"
    return Finding("note", "node", words, spelled(f"start it with `{start}`, then ask again"))


def _ports(settings: Settings) -> Iterator[Finding]:
    for multiaddr in settings.network.listen_addrs:
        try:
            listen_addresses([multiaddr])
        except ListenError as error:
            yield Finding("missing", "port", "cannot be listened on", str(error))
        else:
            yield Finding("ok", "port", f"{_place(multiaddr)} can be listened on")


def _listening(state: NetworkState) -> Finding:
    if not state.listen_addrs:
        fix = "see the end of node.log in the home; the node keeps trying to open its network"
        return Finding("missing", "listening", "nowhere: the network is down", fix)
    far: dict[str, Scope] = {addr: _scope(addr) for addr in state.listen_addrs}
    details = tuple((plain(multiaddr), f"from {_FROM[scope]}") for multiaddr, scope in far.items())
    words = f"on {len(far)} address{'' if len(far) == 1 else 'es'}"
    if set(far.values()) <= {"machine"}:
        fix = f"{LISTEN_WIDE} listens to other machines too"
        return Finding("note", "listening", f"{words}, for this machine alone", spelled(fix))
    return Finding("ok", "listening", words, details=details)


def _reachable(state: NetworkState, own: list[str]) -> Finding:
    tried = [each for each in state.sightings if each.outcomes]
    if not tried:
        return Finding("note", "reachable", "not known yet", _untold(state))
    reached = [each for each in tried if each.reached]
    if reached:
        scopes: set[Scope] = {scope_of(each.ip) for each in reached}
        far: Scope = next(scope for scope in WIDEST_FIRST if scope in scopes)
        words = f"yes: {counted(len(reached), 'peer')} dialled back and got through"
        return Finding("ok", "reachable", f"{words}, from {_FROM[far]}")
    ips = " and ".join(dict.fromkeys(each.ip for each in tried))
    outcomes = {outcome for each in tried for outcome in each.outcomes}
    words = f"no: {counted(len(tried), 'peer')} dialled back to {ips}; {_why(outcomes)}"
    return Finding("note", "reachable", words, spelled(_let_in(state, own, outcomes)))


def _untold(state: NetworkState) -> str:
    if not state.connected:
        return "needs a peer that dials back; this node has none"
    if state.mute == len(state.connected):
        return "the peers connected do not dial back: they run an older version, or are busy"
    return "ask again in a few seconds: peers are being asked"


def _why(outcomes: set[str]) -> str:
    if "stranger" in outcomes:
        return "something answered there that is not this node"
    if "silent" in outcomes:
        return "nothing came back"
    return "the connection was refused"


def _let_in(state: NetworkState, own: list[str], outcomes: set[str]) -> str:
    """What opens the way, for each thing that may be in it."""
    port = next(iter(_listen_ports(state)), 4001)
    still = "Until then it works with the peers that it dials itself."
    if state.nat(own) == "carrier":
        return (
            "the provider shares one address among customers, so no port can be opened: take an "
            f"IPv6 address, a rented machine with --observe as entrance, or a VPN. {still}"
        )
    if not {each.ip for each in state.sightings} & set(own):
        return (
            f"in the router, forward TCP port {port} to this machine, and keep the port: "
            f"`swarm start --listen /ip4/0.0.0.0/tcp/{port}`. {still}"
        )
    if "silent" in outcomes:
        return (
            f"a firewall drops it; let the port in: sudo ufw allow {port}/tcp, or sudo "
            f"firewall-cmd --add-port={port}/tcp. {still}"
        )
    return f"it does not listen at the address it is seen at: {LISTEN_WIDE}. {still}"


def _nat(nat: Nat) -> Finding:
    words = {
        "none": "none: peers see this machine's own public address",
        "none on this network": "none towards the peers that answered, on the local network",
        "forwarded": "there is one, and it lets the port through",
        "closed": "there is one, and it keeps out what it was not asked for",
        "carrier": "the provider's own, shared with other customers; it cannot be opened",
        "unknown": "not known: no peer on another machine has said where this node comes from",
    }[nat]
    return Finding("off" if nat == "unknown" else "ok", "NAT", words)


def _peers(state: NetworkState, entrances: Sequence[Entrance]) -> Finding:
    if not state.connected:
        return _alone(state, entrances)
    ways = ", ".join(f"{plain(way)} ({count:,})" for way, count in state.ways.items())
    words = f"{counted(len(state.connected), 'peer')} connected"
    if state.first_peer_seconds is not None:
        words += f", the first after {_seconds(state.first_peer_seconds)}"
    return Finding("ok", "peers", f"{words}; found: {ways}" if ways else words)


def _alone(state: NetworkState, entrances: Sequence[Entrance]) -> Finding:
    if entrances and not any(each.came == "answers" for each in entrances):
        fix = "see the entrances below; any running node's address will do: --join ADDRESS"
        return Finding("missing", "peers", "none, and no address to begin with answers", fix)
    if state.up_seconds is not None and state.up_seconds < SETTLED_SECONDS:
        return Finding("note", "peers", "none yet", "it has just begun; ask again in half a minute")
    if entrances:
        fix = "the node there works on another topic or task, or has another pre-shared key"
        return Finding("missing", "peers", "none, although an address answers", fix)
    words = "none: this node is alone and works alone"
    return Finding("note", "peers", words, spelled(_invite(state.topic)))


def _invite(topic: str) -> str:
    """How nodes of a topic come together."""
    if topic != PUBLIC:
        return (
            f"to have others join: `swarm invite --topic {topic}` prints what they need\n"
            "if there are members already, ask one for a new invite: the key may have been rotated"
        )
    return (
        "to join others: `swarm start --join ADDRESS`, one that their node prints at its start\n"
        "to have others join: `swarm status` prints what they type\n"
        "among friends: `swarm topic create NAME`, then `swarm invite --topic NAME`"
    )


def _no_entrance(topic: str) -> Finding:
    words = "no address to begin with is set"
    return Finding("note", "entrances", words, spelled(_invite(topic)))


def _records(state: NetworkState) -> Finding:
    first = state.first_record_seconds
    if first is not None:
        return Finding("ok", "records", f"the first of somebody else after {_seconds(first)}")
    if not state.connected or (state.up_seconds or 0.0) < SETTLED_SECONDS:
        return Finding("off", "records", "none of anybody else since it started")
    words = "nothing new from anybody since it started"
    fix = "fine if all are up to date, or nobody has found anything; else see node.log for `sync`"
    return Finding("off", "records", words, fix)


def _clock(state: NetworkState) -> Finding:
    skew = state.clock_skew_ms
    if skew is None:
        return Finding("off", "clock", "not compared: no peer has told its time yet")
    told = counted(len(state.checks), "peer")
    if abs(skew) < CLOCK_OK_MS:
        return Finding("ok", "clock", f"within {CLOCK_OK_MS // 1000} s of {told}")
    words = f"{_length(skew)} {'ahead of' if skew > 0 else 'behind'} that of {told}"
    fix = "set it by the network: sudo timedatectl set-ntp true; macOS: Settings, Date & Time"
    if len(state.checks) == 1:
        fix = f"one of the two is wrong; if it is this one, {fix}"
    if abs(skew) < MAX_AHEAD_MS or len(state.checks) == 1:
        return Finding("note", "clock", words, fix)
    lost = "they do not hear what it does now" if skew > 0 else "it does not hear what they do now"
    return Finding("missing", "clock", f"{words}: {lost}", fix)


def _addresses(look: Look) -> Finding:
    far: dict[str, str] = {ip: _FROM[scope_of(ip)] for ip in look.own if scope_of(ip) != "machine"}
    if not far:
        fix = "connect this machine to a network; nodes on it still find each other"
        return Finding("note", "addresses", "this machine has none but its own loopback", fix)
    open_ones = [ip for ip in far if _is_listened_on(ip, look)]
    details = tuple(
        (ip, f"from {scope}" if ip in open_ones else "not listened on") for ip, scope in far.items()
    )
    if not open_ones:
        words = "this machine has some, and the node listens on none of their kind"
        return Finding("note", "addresses", words, spelled(LISTEN_WIDE), details)
    words = f"this machine can be dialled from {far[open_ones[0]]} at most"
    return Finding("ok", "addresses", words, details=details)


def _is_listened_on(ip: str, look: Look) -> bool:
    """
    Whether the node listens at addresses of this kind, or will once its network is up.

    What a running node names is cut short, and leaves out those of the cable alone.
    """
    up = look.state.listen_addrs if look.state else ()
    listened = _read(up or look.settings.network.listen_addrs)
    far = {":" in each.host for each in listened if scope_of(each.host) != "machine"}
    return (":" in ip) in far


def _place(multiaddr: str) -> str:
    """A listen address in words."""
    address = parse(multiaddr)
    everywhere = {"0.0.0.0": "every IPv4 address", "::": "every IPv6 address"}
    port = f"TCP port {address.port}" if address.port else "a free TCP port"
    return f"{port} of {everywhere.get(address.host, address.host)}"


def _entrance(entrance: Entrance) -> Finding:
    where = plain(entrance.multiaddr)
    fix = {
        "answers": "",
        "refuses": "no program listens there: start that node, or ask for its address of today",
        "silent": "the machine is off, or a firewall on the way drops it",
        "no such name": "the DNS does not know it: check the spelling, and this machine's DNS",
        "empty name": "the DNS name lists no address: its owner must add dnsaddr= TXT records",
        "no address": "write it like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…",
    }[entrance.came]
    level = "ok" if entrance.came == "answers" else "note"
    return Finding(level, "entrance", f"{where} {entrance.came}", fix)


def _invited(home: Home, settings: Settings) -> tuple[str, ...]:
    """The addresses in the invite of the private topic that the node is to work on."""
    try:
        return topics.load(home, settings.topic).addrs
    except TopicError:
        return ()


def _scope(multiaddr: str) -> Scope:
    try:
        return scope_of(parse(multiaddr).host)
    except AddressError:
        return "nowhere"


def _listen_ports(state: NetworkState) -> Iterator[int]:
    return (address.port for address in _read(state.listen_addrs))


def _read(multiaddrs: Iterable[str]) -> Iterator[Address]:
    for multiaddr in multiaddrs:
        try:
            yield parse(multiaddr)
        except AddressError:
            continue


def _length(milliseconds: int) -> str:
    return _seconds(abs(milliseconds) / 1000)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else age(seconds)
