"""The queues between network and node: full ones drop and count, nobody waits."""

from __future__ import annotations

from gossip.mailroom import EVENTS_LIMIT, RECEIVED_LIMIT, Mailroom
from gossip.outbox import Outbox
from gossip.transport import PeerEvent


async def test_a_full_queue_drops_the_newest_and_counts() -> None:
    mail = Mailroom(Outbox())
    for number in range(RECEIVED_LIMIT + 7):
        mail.deliver(b"%d" % number, "peer")
    assert mail.received_dropped == 7
    assert (await mail.received.receive()).data == b"0"


async def test_a_listener_that_does_not_listen_harms_nobody() -> None:
    mail = Mailroom(Outbox())
    deaf, attentive = mail.events(), mail.events()
    for _ in range(EVENTS_LIMIT + 3):
        mail.announce("peer", connected=True)
        assert await attentive.receive() == PeerEvent("peer", connected=True)
    assert deaf.statistics().current_buffer_used == EVENTS_LIMIT
    attentive.close()
    mail.announce("peer", connected=False)


async def test_after_the_end_nothing_raises() -> None:
    mail = Mailroom(Outbox())
    events = mail.events()
    mail.close()
    mail.announce("peer", connected=True)
    mail.deliver(b"late", "peer")
    assert mail.received_dropped == 1
    assert [event async for event in events] == []
