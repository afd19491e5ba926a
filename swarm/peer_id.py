"""
Peer ids: the base58 text of a peer's Ed25519 public key.

A peer id is an identity multihash around the key's libp2p protobuf. Only
Ed25519 keys have one here, and one key has exactly one text, ``12D3Koo…``.

Source: https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
"""

from functools import lru_cache

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {letter: digit for digit, letter in enumerate(_ALPHABET)}
# Identity multihash (0x00) of 36 bytes; protobuf: type Ed25519 (1), then 32 bytes of key.
_PREFIX = bytes([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])
_KEY_BYTES = 32
_TEXT_LENGTH = 52


class PeerIdError(ValueError):
    """A text is not the peer id of an Ed25519 key, or a key is not 32 bytes."""


@lru_cache(maxsize=4096)
def peer_id_of(public_key: bytes) -> str:
    """
    The peer id of a 32-byte Ed25519 public key.

    Raises:
        PeerIdError: The key is not 32 bytes long.
    """
    if len(public_key) != _KEY_BYTES:
        raise PeerIdError(f"an Ed25519 public key has 32 bytes, this one {len(public_key)}")
    number = int.from_bytes(_PREFIX + public_key, "big")
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    # Base58 writes the leading zero byte as one "1".
    return "1" + "".join(reversed(letters))


@lru_cache(maxsize=4096)
def public_key_of(peer_id: str) -> bytes:
    """
    The 32-byte Ed25519 public key inside a peer id.

    Raises:
        PeerIdError: The text is not the one base58 spelling of an Ed25519 peer id.
    """
    if len(peer_id) != _TEXT_LENGTH:
        raise PeerIdError("an Ed25519 peer id has 52 characters and begins with 12D3Koo")
    number = 0
    for letter in peer_id:
        if letter not in _DIGITS:
            raise PeerIdError(f"a peer id is base58, which has no {letter!r}")
        number = number * 58 + _DIGITS[letter]
    decoded = number.to_bytes(_TEXT_LENGTH, "big")[-len(_PREFIX) - _KEY_BYTES :]
    key = decoded[len(_PREFIX) :]
    if peer_id_of(key) != peer_id:
        raise PeerIdError(f"{peer_id} is not the peer id of an Ed25519 key")
    return key
