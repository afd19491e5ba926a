"""Invites survive the road, and whatever else arrives is one clear sentence."""

from base64 import b32decode
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm.canonical import pack
from swarm.invite import (
    MAX_ADDRS,
    MAX_EXPIRES_AT_S,
    Invite,
    InviteError,
    line_of,
    read_invite,
    write_invite,
)
from swarm.topic import NAME_PATTERN, TopicKey
from tests.swarm.record_samples import ANN, BOB, TASK
from tests.swarm.test_topic import keys

KEY = TopicKey(bytes(16), 1, bytes(32))
ADDRS = (
    f"/ip4/192.0.2.7/tcp/4001/p2p/{ANN.peer_id}",
    f"/dns4/lab.example/tcp/4001/p2p/{ANN.peer_id}",
    f"/ip6/2001:db8::1/tcp/4001/p2p/{BOB.peer_id}",
)
INVITE = Invite("lab", KEY, TASK, ADDRS, closed=True, expires_at_s=1_800_000_000)

some_invites = st.builds(
    Invite,
    name=st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: name != "public"),
    key=keys,
    task=st.just(TASK),
    addrs=st.sampled_from([(), ADDRS[:1], ADDRS]),
    closed=st.booleans(),
    expires_at_s=st.none() | st.integers(0, MAX_EXPIRES_AT_S - 1),
)


def text_of(fields: dict[str, object] | bytes, version: int = 1) -> str:
    """An invite with a good checksum around whatever it holds."""
    return line_of(fields if isinstance(fields, bytes) else pack(fields), version)


def fields(**changed: object) -> dict[str, object]:
    """The fields of a good invite, some of them changed."""
    good: dict[str, object] = {
        "name": "lab", "id": bytes(16), "epoch": 1, "secret": bytes(32), "task": TASK,
        "addrs": [[ANN.peer_id, ["/ip4/192.0.2.7/tcp/4001"]]], "closed": False, "expires": None,
    }  # fmt: skip
    return good | changed


@given(some_invites)
def test_what_is_written_is_read(invite: Invite) -> None:
    assert read_invite(write_invite(invite)) == invite


def test_case_and_broken_lines_do_not_matter() -> None:
    text = write_invite(INVITE)
    broken = "\n  ".join(text[at : at + 60] for at in range(0, len(text), 60))
    assert read_invite(f" {broken}\r\n") == INVITE
    assert read_invite(text.upper()) == INVITE


def test_the_fields_above_make_a_good_invite() -> None:
    """Otherwise the tests below would prove nothing."""
    assert read_invite(text_of(fields())) == Invite("lab", KEY, TASK, ADDRS[:1])


@given(st.integers(0, 2000), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
@settings(max_examples=200)
def test_one_wrong_letter_is_noticed(at: int, letter: str) -> None:
    text = write_invite(INVITE)
    at = len("swarm1-") + at % (len(text) - len("swarm1-"))
    changed = text[:at] + letter + text[at + 1 :]
    if changed != text:
        with pytest.raises(InviteError, match="damaged"):
            read_invite(changed)


@pytest.mark.parametrize("left", [8, 40, -1])
def test_a_cut_invite_is_noticed(left: int) -> None:
    with pytest.raises(InviteError, match=r"damaged.*copy it whole"):
        read_invite(write_invite(INVITE)[:left])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no invite"),
        ("hello", "this is no invite"),
        ("https://example.org/invite", "this is no invite"),
        ("swarm-abc", "this is no invite"),
        ("swarm1-", "damaged"),
        ("swarm0-abcdefgh", "damaged"),
        ("swarm1-" + "a" * 9000, "at most 4096 characters"),
        (text_of(fields(), version=2), "of version 2.*update the program"),
        ("swarm7-whatever", "of version 7.*update the program"),
    ],
)
def test_what_is_no_invite_says_so(text: str, said: str) -> None:
    with pytest.raises(InviteError, match=said):
        read_invite(text)


WRONG: list[tuple[dict[str, object], str]] = [
    ({"name": "public"}, "name"), ({"name": "../../x"}, "name"), ({"name": 7}, "name"),
    ({"id": b"x"}, "key"), ({"id": "x" * 16}, "key"), ({"secret": bytes(31)}, "key"),
    ({"epoch": 0}, "key"), ({"epoch": True}, "key"), ({"epoch": 1 << 40}, "key"),
    ({"task": "tinypy"}, "task id"), ({"task": None}, "task id"),
    ({"closed": 1}, "closed"), ({"expires": -1}, "expiry"), ({"expires": "soon"}, "expiry"),
    ({"expires": 1 << 50}, "expiry"),
    ({"addrs": None}, "addresses"), ({"addrs": ["x"]}, "addresses"),
    ({"addrs": [["nobody", ["/ip4/192.0.2.7/tcp/1"]]]}, "peer id"),
    ({"addrs": [[ANN.peer_id, []]]}, "addresses"),
    ({"addrs": [[ANN.peer_id, ["no address"]]]}, "addresses"),
    ({"addrs": [[ANN.peer_id, ["/x\x1b[2J"]]]}, "addresses"),
    ({"addrs": [[ANN.peer_id, ["/x" * 200]]]}, "addresses"),
    ({"addrs": [[ANN.peer_id, ["/x"]], [ANN.peer_id, ["/y"]]]}, "addresses"),
    ({"addrs": [[ANN.peer_id, [f"/{n}" for n in range(MAX_ADDRS + 1)]]]}, "addresses"),
    ({"extra": 1}, "fields"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "named"), WRONG)
def test_an_invite_with_a_bad_field_names_it(changed: dict[str, object], named: str) -> None:
    with pytest.raises(InviteError, match=f"the {named} in this invite cannot be used"):
        read_invite(text_of(fields(**changed)))


@pytest.mark.parametrize("payload", [b"\xc1", pack([1]), pack(None), b"\x80" * 3])
def test_a_payload_that_is_no_map_is_refused(payload: bytes) -> None:
    with pytest.raises(InviteError, match="cannot be used"):
        read_invite(text_of(payload))


@given(st.text(max_size=200) | st.binary(max_size=300).map(lambda data: text_of(data or b"\0")))
@example("swarm١-abc")
@example("SWARM1-ſ")
@settings(max_examples=400)
def test_any_text_gives_an_invite_or_a_sentence(text: str) -> None:
    try:
        assert isinstance(read_invite(text), Invite)
    except InviteError as error:
        assert len(str(error)) < 300


@given(st.data())
@settings(max_examples=200)
def test_any_change_of_a_payload_is_read_back_alike_or_refused(data: st.DataObject) -> None:
    """With a good checksum too: what is read is what would be written."""
    body = write_invite(INVITE).removeprefix("swarm1-").upper()
    payload = bytearray(b32decode(body + "=" * (-len(body) % 8))[:-6])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at] = data.draw(st.integers(0, 255))
    text = text_of(bytes(payload))
    try:
        assert write_invite(read_invite(text)) == text
    except InviteError:
        return


def test_time_is_up_at_the_second() -> None:
    INVITE.check_fresh(1_800_000_000_000 - 1)
    replace(INVITE, expires_at_s=None).check_fresh(1 << 60)
    with pytest.raises(InviteError, match="expired on 2027-01-15 08:00 UTC: ask for a new one"):
        INVITE.check_fresh(1_800_000_000_000)


def test_a_secret_is_in_no_text_of_the_invite() -> None:
    assert "secret" not in repr(INVITE)
    assert KEY.secret.hex() not in repr(INVITE)


def test_an_address_that_names_nobody_is_not_written() -> None:
    with pytest.raises(InviteError, match="peer id"):
        write_invite(replace(INVITE, addrs=("/ip4/192.0.2.7/tcp/4001",)))
