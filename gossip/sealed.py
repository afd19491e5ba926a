"""
Authenticated encryption of what travels on a private topic.

    0x01 ‖ nonce (24 random bytes) ‖ XChaCha20-Poly1305 ciphertext and tag

The associated data is topic ‖ key epoch ‖ what the message is: gossip, a question of
one peer to another, or the answer to exactly that question. So nothing said in one
place can be repeated in another, and whoever can open or answer has the current key.

Law: nonces are random and long enough to stay so; `open` gives bytes that a holder
of the key said, or raises. Lengths and times stay visible to whoever carries it.

Source: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha
"""

from __future__ import annotations

import hashlib

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError
from nacl.utils import random

from swarm.records import PeerId
from swarm.topic import TopicKey

_VERSION = b"\x01"
"""Also makes sure that no sealed message reads as a signed envelope in protobuf."""

_NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES

SEAL_BYTES = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES
"""By how much a sealed message is longer."""

GOSSIP = b"gossip"


class SealError(Exception):
    """Bytes that no holder of this key sealed for this place."""


def question(asker: PeerId, answerer: PeerId) -> bytes:
    """What a sealed question of one peer to another is."""
    return b"question\0" + asker.encode() + b"\0" + answerer.encode()


def answer(asker: PeerId, answerer: PeerId, sealed_question: bytes) -> bytes:
    """What the sealed answer to a sealed question is."""
    peers = asker.encode() + b"\0" + answerer.encode() + b"\0"
    return b"answer\0" + peers + hashlib.sha256(sealed_question).digest()


class Seal:
    """Seals and opens what is said under one epoch of a topic's key."""

    def __init__(self, key: TopicKey) -> None:
        self._gossip = key.derived("gossip")
        self._calls = key.derived("calls")
        self._topic = key.wire_topic.encode() + b"\0" + key.epoch.to_bytes(8, "big")

    def seal(self, data: bytes, what: bytes) -> bytes:
        """`data`, longer by `SEAL_BYTES`, unreadable without the key."""
        nonce = random(_NONCE_BYTES)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(
            data, self._topic + what, nonce, self._key(what)
        )
        return _VERSION + nonce + sealed

    def open(self, sealed: bytes, what: bytes) -> bytes:
        """
        What was sealed as `what`.

        Raises:
            SealError: It was not, or not under this key.
        """
        if len(sealed) < SEAL_BYTES or not sealed.startswith(_VERSION):
            raise SealError("not a sealed message")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(
                body, self._topic + what, nonce, self._key(what)
            )
        except CryptoError as error:
            raise SealError("not sealed under the topic's current key") from error

    def _key(self, what: bytes) -> bytes:
        return self._gossip if what == GOSSIP else self._calls
