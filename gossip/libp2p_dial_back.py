"""
`gossip.dial_back` over a libp2p host: who asks, from where, and who answers at a port.

Reaching a peer means the whole handshake: a port that merely accepts proves nothing
where a router forwards it elsewhere. The connection ends there, before it becomes one
of the host's, so that being checked neither costs nor gains a peer a connection.

Law: what libp2p raises ends here, as an outcome or a `CallError`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, cast

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.pnet.protector import new_protected_conn
from libp2p.transport.exceptions import OpenConnectionError, SecurityUpgradeFailure
from multiaddr import Multiaddr

from gossip.calls import Duplex
from gossip.dial_back import PROTOCOL, REACH_S, DialBackDesk, Outcome, Seen, ask
from gossip.transport import CallError, PeerId

_log = logging.getLogger(__name__)


def answer_dial_backs(host: IHost, desk: DialBackDesk) -> None:
    """Let the peers of a host ask, from now on."""

    async def answer(stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id

        async def reach(ip: str, port: int) -> Outcome:
            return await _reach(host, peer, ip, port)

        await desk.answer(cast(Duplex, stream), str(peer), _seen_at(stream), reach)

    host.set_stream_handler(TProtocol(PROTOCOL), answer)
    logging.getLogger("libp2p.network.swarm").addFilter(_is_no_check)


async def ask_dial_back(
    host: IHost, peer: PeerId, ports: Sequence[int], now_ms: Callable[[], int]
) -> Seen:
    """
    Ask a connected peer to dial the ports that this host listens on.

    Raises:
        CallError: It does not speak the protocol, is gone, or gave no good answer.
    """
    try:
        stream = await host.new_stream(ID.from_string(peer), [TProtocol(PROTOCOL)])
    except Exception as error:
        raise CallError(f"{peer} cannot be asked to dial back: {error!r}") from error
    try:
        return await ask(cast(Duplex, stream), ports, now_ms)
    except CallError:
        raise
    except Exception as error:
        raise CallError(f"the stream to {peer} broke: {error!r}") from error
    finally:
        with trio.move_on_after(1.0, shield=True):
            await _end(stream.reset)


def _is_no_check(line: logging.LogRecord) -> bool:
    """False for what libp2p logs as an error when a peer that dialled back hangs up."""
    return not line.getMessage().startswith("fail to upgrade mux")


def _seen_at(stream: INetStream) -> tuple[str, int] | None:
    """Where the connection of a stream comes from; None through a relay."""
    remote = cast("tuple[object, ...] | None", cast(Any, stream.muxed_conn).get_remote_address())
    if not remote:
        return None
    try:
        ip = ip_address(str(remote[0]).partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None)
        return str(mapped or ip), int(cast(int, remote[1]))
    except (ValueError, TypeError):
        return None


async def _reach(host: IHost, peer: ID, ip: str, port: int) -> Outcome:
    """Dial one address and have whoever is there prove to be the peer."""
    swarm = cast(Any, cast(Swarm, host.get_network()))
    family = "ip6" if ":" in ip else "ip4"
    address = Multiaddr(f"/{family}/{ip}/tcp/{port}")
    connection: Any = None
    found: Outcome = "silent"
    with trio.move_on_after(REACH_S):
        try:
            connection = await swarm.transport_manager.transport_for_dialing(address).dial(address)
            found = "stranger"
            if swarm.psk is not None:
                connection = new_protected_conn(connection, swarm.psk)
            await swarm.upgrader.upgrade_security(connection, True, peer)
            found = "reached"
        except OpenConnectionError as error:
            found = "refused" if _is_refusal(error) else "silent"
        except SecurityUpgradeFailure:
            found = "stranger"
        except Exception as error:  # noqa: BLE001 - whatever answers there may send anything
            _log.debug("dialling back to %s: %r", address, error)
    if connection is not None:
        with trio.move_on_after(1.0, shield=True):
            await _end(connection.close)
    return found


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            return any(map(_is_refusal, group.exceptions))
        error = error.__cause__ or error.__context__
    return False


async def _end(close: Callable[[], Any]) -> None:
    try:
        await close()
    except Exception as error:  # noqa: BLE001 - a dead connection may fail in any way
        _log.debug("could not end a connection: %r", error)
