"""Ids agree with an independent implementation, and have one spelling."""

import hashlib

import cid as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.cid import cid_of, is_cid


@given(st.binary(max_size=200))
def test_ids_are_those_of_the_reference_library(payload: bytes) -> None:
    """py-cid makes the same text, and reads ours."""
    multihash = b"\x12\x20" + hashlib.sha256(payload).digest()
    reference = oracle.CIDv1("messagepack", multihash)
    assert cid_of(payload) == reference.encode("base32").decode()
    assert oracle.from_string(cid_of(payload)) == reference
    assert is_cid(cid_of(payload))


GOOD = cid_of(b"x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "a",
        GOOD + "\n",
        GOOD.upper(),
        "z" + GOOD[1:],
        GOOD[:20] + "1" + GOOD[21:],
        GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    """Cut, extended, re-spelled, with stray padding bits, or of another codec."""
    assert not is_cid(text)


@given(st.text(max_size=70))
def test_any_text_has_an_answer(text: str) -> None:
    assert is_cid(text) in (True, False)
