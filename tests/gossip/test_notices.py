"""Few lines, whatever comes."""

from dataclasses import replace

from gossip.notices import SENDERS, WINS, Notices
from swarm import events
from swarm.validation import Valid
from tests.swarm.record_samples import ANN, BOB, WIN


def win(number: int, author: str = BOB.peer_id) -> Valid:
    return Valid(f"b{number}", replace(WIN, author=author, title=f"win {number}"), b"")


def told(said: list[events.Event]) -> list[tuple[str, str]]:
    return [(e.sender, e.reason) for e in said if isinstance(e, events.RecordRefused)]


async def test_refusals_are_told_once_a_sender_and_then_counted() -> None:
    said = list[events.Event]()
    notices = Notices(said.append, ANN.peer_id)
    for number in range(5000):
        notices.refused(f"bad {number}", "one")
    notices.refused("bad", "two")
    assert told(said) == [("one", "bad 0"), ("two", "bad")]
    await notices.end_period()
    assert told(said)[2:] == [("one", "and 4,999 more records of the same peer")]
    notices.refused("bad again", "one")
    assert told(said)[3:] == [("one", "bad again")]


async def test_many_senders_are_one() -> None:
    said = list[events.Event]()
    notices = Notices(said.append, ANN.peer_id)
    for number in range(1000):
        notices.refused("bad", str(number))
    await notices.end_period()
    assert len(said) == SENDERS + 2


def test_a_big_batch_of_wins_is_a_few_lines_the_own_one_first() -> None:
    said = list[events.Event]()
    batch = [*(win(number) for number in range(255)), win(999, ANN.peer_id)]
    Notices(said.append, ANN.peer_id).accepted(batch)
    wins = [event for event in said if isinstance(event, events.WinAccepted)]
    assert [(e.own, e.title) for e in wins[:2]] == [(True, "win 999"), (False, "win 0")]
    assert [event.more for event in wins] == [0] * (WINS - 1) + [256 - WINS]


def test_a_few_wins_are_all_told() -> None:
    said = list[events.Event]()
    Notices(said.append, ANN.peer_id).accepted([win(number) for number in range(WINS)])
    assert len(said) == WINS
    assert not any(isinstance(event, events.WinAccepted) and event.more for event in said)


async def test_the_same_trouble_is_told_once_a_period() -> None:
    said = list[events.Event]()
    notices = Notices(said.append, ANN.peer_id)
    for _ in range(100):
        notices.trouble("no room")
    assert said == [events.NetworkTrouble("no room")]
    await notices.end_period()
    notices.trouble("no room")
    assert len(said) == 2
