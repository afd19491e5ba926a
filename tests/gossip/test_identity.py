"""The key file: made once, private, and never replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.pb.crypto_pb2 import KeyType, PrivateKey
from libp2p.peer.id import ID
from nacl.signing import VerifyKey

from gossip.identity import IdentityError, load, load_or_create, new_identity


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "home" / "identity.key"
    first = load_or_create(path)
    assert load_or_create(path).peer_id == first.peer_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["identity.key"]  # noqa: PTH208


def test_it_signs_under_its_name() -> None:
    identity = new_identity(b"\x07" * 32)
    VerifyKey(identity.public_key).verify(b"words", identity.sign(b"words"))
    assert identity.peer_id == new_identity(b"\x07" * 32).peer_id
    assert identity.seed.hex() not in repr(identity)


def test_the_file_is_a_libp2p_private_key(tmp_path: Path) -> None:
    """As the specification has it: Ed25519, seed then public key."""
    identity = load_or_create(tmp_path / "key")
    stored = PrivateKey.FromString((tmp_path / "key").read_bytes())
    assert stored.key_type == KeyType.Ed25519
    key_pair = create_new_key_pair(stored.data[:32])
    assert stored.data[32:] == key_pair.public_key.to_bytes()
    assert str(ID.from_pubkey(key_pair.public_key)) == identity.peer_id


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create(path)
    path.chmod(0o640)
    with pytest.raises(IdentityError, match="chmod 600"):
        load_or_create(path)


@pytest.mark.parametrize("content", [b"", b"\x08\x01\x12\x40", b"x" * 68, b"y" * 4096])
def test_a_file_that_is_no_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(IdentityError, match="mv "):
        load_or_create(path)
    assert path.read_bytes() == content


def test_two_halves_that_disagree_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create(path)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(IdentityError, match="damaged"):
        load(path)


def test_links_and_folders_are_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(IdentityError):
            load_or_create(tmp_path / name)


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(IdentityError, match="identity key"):
        load_or_create(tmp_path / "file" / "key")
