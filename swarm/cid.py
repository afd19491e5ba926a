"""
Content ids: the CIDv1 of a payload.

Version 1, codec messagepack (0x0201), multihash sha2-256, multibase base32
lower case without padding. One payload has exactly one id text, 61 characters.

Source: https://github.com/multiformats/cid
"""

import hashlib
import re
from base64 import b32encode
from functools import lru_cache

_PREFIX = bytes([0x01, 0x81, 0x04, 0x12, 0x20])
_CID = re.compile("b" + b32encode(_PREFIX).decode().lower() + "[a-z2-7]{51}[aq]")


def cid_of(payload: bytes) -> str:
    """The id of `payload`: ``b`` and 60 base32 characters."""
    return _text(hashlib.sha256(payload).digest())


@lru_cache(maxsize=8192)
def _text(digest: bytes) -> str:
    """The id with this digest; gossip and sync ask for the same one again and again."""
    return "b" + b32encode(_PREFIX + digest).decode().rstrip("=").lower()


def is_cid(text: str) -> bool:
    """
    Whether `text` is an id that `cid_of` could have given.

    The last character carries one bit of the digest and four zero bits, so only
    ``a`` and ``q`` can stand there: other spellings of the same bytes are refused.
    """
    return _CID.fullmatch(text) is not None
