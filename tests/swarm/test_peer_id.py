"""Peer ids are libp2p's, for Ed25519 keys only."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import Ed25519PublicKey, create_new_key_pair
from libp2p.crypto.secp256k1 import create_new_key_pair as create_secp256k1
from libp2p.peer.id import ID

from swarm.peer_id import PeerIdError, peer_id_of, public_key_of

KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS)
def test_libp2p_gives_the_same_text(key: bytes) -> None:
    """libp2p's own id of the key is our text, and reads back to the key."""
    peer_id = peer_id_of(key)
    assert peer_id == str(ID.from_pubkey(Ed25519PublicKey.from_bytes(key)))
    assert public_key_of(peer_id) == key


def test_a_libp2p_identity_reads_here() -> None:
    pair = create_new_key_pair()
    assert public_key_of(str(ID.from_pubkey(pair.public_key))) == pair.public_key.to_bytes()


@given(st.text(max_size=60) | st.text("123ABCabcKo", min_size=52, max_size=52))
def test_any_text_gives_a_key_or_the_one_error(text: str) -> None:
    try:
        key = public_key_of(text)
    except PeerIdError:
        return
    assert peer_id_of(key) == text


def test_other_ids_are_refused() -> None:
    """Another key type, another multihash, a cut or repeated text, a letter base58 lacks."""
    good = peer_id_of(bytes(32))
    other_type = base58.b58encode(b"\x00\x24\x08\x02\x12\x20" + bytes(32)).decode()
    for text in (
        str(ID.from_pubkey(create_secp256k1().public_key)),
        other_type,
        good[:-1],
        "1" + good,
        good[:-1] + "l",
        "z" * 52,
    ):
        with pytest.raises(PeerIdError):
            public_key_of(text)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(PeerIdError):
        peer_id_of(bytes(length))
