"""Members are remembered, few enough, and a damaged memory is an empty one."""

from __future__ import annotations

import pytest

from gossip.members import MAX_MEMBERS, Members, read_members
from swarm.canonical import pack


async def test_members_are_remembered_once_there_is_something_new() -> None:
    kept: list[tuple[str, bytes]] = []

    async def remember(name: str, data: bytes) -> None:
        kept.append((name, data))

    members = Members(pack({"old": 1}), lambda: 7)
    await members.save(remember)
    assert kept == []
    members.note("new")
    await members.save(remember)
    await members.save(remember)
    assert [name for name, _ in kept] == ["members"]
    assert read_members(kept[0][1]) == {"new": 7, "old": 1}


def test_the_one_not_seen_for_longest_gives_way() -> None:
    clock = iter(range(10_000))
    members = Members(None, lambda: next(clock))
    for number in range(MAX_MEMBERS + 1):
        members.note(f"peer {number}")
    assert len(members.seen_at_ms) == MAX_MEMBERS
    assert "peer 0" not in members.seen_at_ms


@pytest.mark.parametrize("data", [None, b"", b"\xc1", pack([1]), pack({"peer": "now"})])
def test_what_is_no_memory_is_nobody(data: bytes | None) -> None:
    assert read_members(data) == {}
