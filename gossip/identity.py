"""
Who this node is: one Ed25519 key in one file.

Law: the key is written once, readable by its owner only, and never replaced.
A file that others can read, or that is not a key, is refused with the fix;
a lost key is a lost name, so nothing here ever overwrites one.

The file is a libp2p protobuf PrivateKey, so other libp2p tools can read it.
Source: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from nacl.signing import SigningKey

from swarm.peer_id import peer_id_of

_PREFIX = b"\x08\x01\x12\x40"  # KeyType = Ed25519, then 64 bytes of data: seed, public key
_FILE_BYTES = len(_PREFIX) + 64


class IdentityError(Exception):
    """The key file cannot be used; the text names it and the fix."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's name and the key behind it."""

    peer_id: str
    public_key: bytes
    key: SigningKey

    def sign(self, data: bytes) -> bytes:
        """The 64-byte Ed25519 signature over ``data``."""
        return self.key.sign(data).signature

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes the key is made from."""
        return bytes(self.key)

    def __repr__(self) -> str:
        return f"Identity({self.peer_id})"


def new_identity(seed: bytes | None = None) -> Identity:
    """A fresh identity, or the one that 32 secret bytes make."""
    key = SigningKey.generate() if seed is None else SigningKey(seed)
    public_key = bytes(key.verify_key)
    return Identity(peer_id_of(public_key), public_key, key)


def load_or_create(path: Path) -> Identity:
    """
    The identity in a key file; the file and its folder are made if missing.

    Raises:
        IdentityError: The file is open to others, a link, not a key, or cannot
            be read or written.
    """
    try:
        return load(path)
    except FileNotFoundError:
        pass
    try:
        _create(path, new_identity())
        return load(path)
    except OSError as error:
        raise IdentityError(
            f"cannot write the identity key {path}: {error.strerror}. "
            "Give --home a folder that you may write to."
        ) from error


def load(path: Path) -> Identity:
    """
    The identity in an existing key file.

    Raises:
        FileNotFoundError: There is no such file.
        IdentityError: As for `load_or_create`.
    """
    try:
        data = _read_private(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IdentityError(f"cannot read the identity key {path}: {error.strerror}") from error
    if len(data) != _FILE_BYTES or not data.startswith(_PREFIX):
        raise IdentityError(f"{path} is not an identity key. {_move_away(path)}")
    identity = new_identity(data[len(_PREFIX) : len(_PREFIX) + 32])
    if identity.public_key != data[len(_PREFIX) + 32 :]:
        raise IdentityError(f"{path} is damaged: its two halves disagree. {_move_away(path)}")
    return identity


def _read_private(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise IdentityError(f"{path} is not a plain file. {_move_away(path)}")
        if status.st_mode & 0o077:
            raise IdentityError(f"{path} can be read by others. If nobody did: chmod 600 {path}")
        return file.read(_FILE_BYTES + 1)


def _create(path: Path, identity: Identity) -> None:
    """Write a new key beside its place, then link it in: whole, and never over another."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(_PREFIX + identity.seed + identity.public_key)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process made the key first: its key counts
    finally:
        draft.unlink(missing_ok=True)


def _move_away(path: Path) -> str:
    return f"Move it away to start under a new name: mv {path} {path}.old"
