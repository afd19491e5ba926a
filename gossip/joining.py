"""
Asking the members named in an invite for the topic's task.

Law: one member after the other, each within its time, a few times over; nothing that
comes is run or written here. Listens on this machine alone, and hangs up at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from gossip.identity import Identity
from gossip.libp2p_transport import open_libp2p_transport
from gossip.sealed import Seal
from gossip.sealed_transport import SealedTransport, open_sealed_transport, sealed_verdict
from gossip.task_desk import fetch_package
from gossip.transport import CallError, DialError
from swarm.invite import Invite

DIAL_S = 10.0
TRY_S = 120.0
ROUNDS = 3
PAUSE_S = 3.0
_LISTEN = ("/ip4/127.0.0.1/tcp/0",)


class JoinError(Exception):
    """No member gave the task; the message says what was tried and what to do."""


async def fetch_task(invite: Invite, identity: Identity, tell: Callable[[str], None]) -> bytes:
    """
    The package of the invite's task, from the first member who gives one.

    Args:
        identity: Under which the members see us.
        tell: Told in a sentence, once for each address, why a member gave none.

    Raises:
        JoinError: None gave it.
    """
    seal = Seal(invite.key)
    async with (
        open_libp2p_transport(
            identity,
            invite.key.wire_topic,
            _LISTEN,
            verdict=sealed_verdict(seal, lambda data: False),
            pre_shared_key=invite.key.pre_shared_key if invite.closed else None,
        ) as plain,
        open_sealed_transport(plain, seal) as transport,
    ):
        for attempt in range(ROUNDS if invite.addrs else 0):
            await trio.sleep(PAUSE_S if attempt else 0)
            for addr in invite.addrs:
                said = _nothing if attempt else tell
                if (package := await _fetch(transport, addr, said)) is not None:
                    return package
    raise JoinError(
        "this machine does not have the invite's task, and no member named in it gave it: have "
        "one running, reachable and on the current key, or bring the task's folder with --task"
    )


def _nothing(said: str) -> None:
    return


async def _fetch(
    transport: SealedTransport, addr: str, tell: Callable[[str], None]
) -> bytes | None:
    try:
        with trio.fail_after(TRY_S):
            peer = await transport.dial(addr, DIAL_S)
            return await fetch_package(transport, peer)
    except (DialError, CallError) as error:
        tell(str(error))
    except trio.TooSlowError:
        tell(f"{addr} took more than {TRY_S:g} s")
    return None
