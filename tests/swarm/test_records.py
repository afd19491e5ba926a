"""Records survive the wire unchanged, and nothing else passes for one."""

import math
import sys
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm import fields
from swarm.canonical import pack, unpack
from swarm.envelope import MAX_PAYLOAD_BYTES
from swarm.records import (
    OUTCOMES,
    Block,
    Pair,
    Record,
    RecordError,
    decode,
    encode,
    from_nano,
    kind_of,
    to_nano,
)
from tests.swarm.record_samples import ANN, RECORDS, REPLICATION, SOME_ID, TRIAL, TRIALS, WIN

NANO = st.integers(-(2**63) + 1, 2**63 - 1)
SEEDS = st.integers(0, 2**63 - 1)
PAIRS = st.lists(st.builds(Pair, SEEDS, NANO, NANO), max_size=8, unique_by=lambda p: p.seed)
COUNTS = st.integers(0, 2**63 - 1)
BLOCKS = st.lists(st.builds(Block, COUNTS, COUNTS, COUNTS), max_size=8)
LINES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=32)
WIN_CHANGES = st.fixed_dictionaries(
    {
        "title": LINES,
        "base": st.sampled_from([None, SOME_ID]),
        "pairs": PAIRS.filter(bool).map(tuple),
        "blocks": BLOCKS.map(tuple),
        "rationale": st.lists(LINES).map("\n".join).map(lambda text: text[:2000]),
    }
)
NOTE_CHANGES = st.fixed_dictionaries(
    {
        "title": LINES,
        "pairs": PAIRS.map(tuple),
        "outcome": st.sampled_from(OUTCOMES),
        "knobs": st.dictionaries(LINES, LINES, max_size=4).map(lambda knobs: tuple(knobs.items())),
    }
)


@given(WIN_CHANGES)
def test_a_win_survives_the_wire(changes: dict[str, Any]) -> None:
    win = replace(WIN, **changes)
    assert decode(encode(win)) == win


@given(st.lists(NOTE_CHANGES, min_size=1, max_size=4))
def test_trials_survive_the_wire(notes: list[dict[str, Any]]) -> None:
    record = replace(TRIALS, trials=tuple(replace(TRIAL, **changes) for changes in notes))
    assert decode(encode(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_every_kind_survives_the_wire(record: Record) -> None:
    again = decode(encode(record))
    assert again == record
    assert type(again) is type(record)
    assert hash(again) == hash(record)


def test_the_bytes_of_a_win_never_change() -> None:
    """Ids hang on these bytes: a change here is a new schema version."""
    top = cast(dict[str, object], unpack(encode(WIN), max_bytes=MAX_PAYLOAD_BYTES))
    assert list(top) == [
        "author", "base", "blocks", "created_at_ms", "diff", "environment", "family", "kind",
        "nickname", "pairs", "parents", "proposer", "rationale", "task", "title", "topic", "tree",
        "version",
    ]  # fmt: skip
    assert (top["kind"], top["version"], top["base"]) == ("win", 1, None)
    assert top["pairs"] == ((1, 3653000000, 3020000000), (2, 3660000000, 3010000001))


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_give_a_record_or_the_one_error(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode(data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=4)
    | st.binary(max_size=4) | st.just(SOME_ID) | st.just(2**64 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)  # fmt: skip


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside a plain record, containers included."""
    found = [path] if path else []
    if isinstance(value, dict):
        items = list(cast(dict[Any, object], value).items())
    elif isinstance(value, tuple):
        items = list(enumerate(cast(tuple[object, ...], value)))
    else:
        return found
    return found + [place for key, item in items for place in places(item, (*path, key))]


def with_junk(value: Any, path: tuple[Any, ...], junk: object) -> Any:
    """A copy of `value` with `junk` at `path`."""
    if not path:
        return junk
    changed: Any = dict(cast(dict[str, Any], value)) if isinstance(value, dict) else list(value)
    changed[path[0]] = with_junk(value[path[0]], path[1:], junk)
    return changed


def plain(record: Record) -> dict[str, Any]:
    return cast(dict[str, Any], unpack(encode(record), max_bytes=MAX_PAYLOAD_BYTES))


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
@given(data=st.data())
def test_junk_anywhere_gives_a_record_or_the_one_error(record: Record, data: st.DataObject) -> None:
    """Any value at any place: what decodes encodes to the same bytes, all else is refused."""
    value = plain(record)
    path = data.draw(st.sampled_from(places(value)))
    payload = pack(with_junk(value, path, data.draw(JUNK)), max_depth=20)
    try:
        again = decode(payload)
    except RecordError:
        return
    assert encode(again) == payload


def changed(record: Record, **changes: object) -> bytes:
    return pack(plain(record) | changes)


def without_tree() -> bytes:
    return pack({name: value for name, value in plain(WIN).items() if name != "tree"})


ENVIRONMENT = plain(WIN)["environment"]


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (changed(WIN, version=2), "version: "),
        (changed(WIN, version=True), "version: "),
        (changed(WIN, kind="claim"), "kind: "),
        (changed(WIN, kind="trials"), "record: the field hardware_class is missing"),
        (changed(WIN, kind=["win"]), "kind: "),
        (changed(WIN, extra=1), "record: unknown field 'extra'"),
        (without_tree(), "record: the field tree is missing"),
        (changed(WIN, author="12D3KooWnobody"), "author: "),
        (changed(WIN, nickname="n" * 41), "nickname: "),
        (changed(WIN, nickname="ann\u202egnp"), "nickname: "),
        (changed(WIN, title=""), "title: "),
        (changed(WIN, title="t" * 121), "title: "),
        (changed(WIN, title="two\nlines"), "title: "),
        (changed(WIN, title="bell\x07"), "title: "),
        (changed(WIN, title="c1 control\x9b31m"), "title: "),
        (changed(WIN, title="separator\u2028"), "title: "),
        (changed(WIN, family="\u2066knob"), "family: "),
        (changed(WIN, rationale="\x1b[31mred"), "rationale: "),
        (changed(WIN, rationale="carriage\rreturn"), "rationale: "),
        (changed(WIN, rationale="r" * 2001), "rationale: "),
        (changed(WIN, diff=""), "diff: "),
        (changed(WIN, diff="\x00"), "diff: "),
        (changed(WIN, diff="+x = '\u202e'"), "diff: "),
        (changed(WIN, diff="d" * (64 * 1024 + 1)), "diff: "),
        (changed(WIN, diff="é" * (32 * 1024 + 1)), "diff: "),
        (changed(WIN, diff=b"bytes"), "diff: "),
        (changed(WIN, task="tinypy"), "task: "),
        (changed(WIN, base=""), "base: "),
        (changed(WIN, parents=[SOME_ID, SOME_ID]), "parents: "),
        (changed(WIN, parents=None), "parents: "),
        (changed(WIN, tree="0A" * 32), "tree: "),
        (changed(WIN, tree="0a" * 32 + "\n"), "tree: "),
        (changed(WIN, created_at_ms=-1), "created_at_ms: "),
        (changed(WIN, created_at_ms=10**15), "created_at_ms: "),
        (changed(WIN, created_at_ms=1.0), "created_at_ms: "),
        (changed(WIN, pairs=[]), "pairs: "),
        (changed(WIN, pairs=[[seed, 1, 1] for seed in range(65)]), "pairs: "),
        (changed(WIN, pairs=[[1, 2]]), "pairs: "),
        (changed(WIN, pairs=[[1, 2, 3], [1, 5, 6]]), "pairs: "),
        (changed(WIN, pairs=[[-1, 2, 3]]), "pairs: "),
        (changed(WIN, pairs=[[1, 2, 3.5]]), "pairs: "),
        (changed(WIN, pairs=[[1, 2, True]]), "pairs: "),
        (changed(WIN, pairs=[[1, 2, 2**63]]), "pairs: "),
        (changed(WIN, pairs=[[1, 2, 3], "abc"]), "pairs: "),
        (changed(WIN, pairs="abc"), "pairs: "),
        (changed(WIN, blocks=[[1, -2, 3]]), "blocks: "),
        (changed(WIN, blocks=[[1, 2, 3]] * 257), "record: "),
        (changed(WIN, environment=None), "environment: "),
        (changed(WIN, environment=ENVIRONMENT | {"isolation": ""}), "environment.isolation: "),
        (changed(WIN, environment=ENVIRONMENT | {"device": "d" * 121}), "environment.device: "),
        (changed(WIN, environment=ENVIRONMENT | {"gpu": 1}), "environment: unknown field 'gpu'"),
        (changed(REPLICATION, win=None), "win: "),
        (changed(REPLICATION, challenge=bytes(63)), "challenge: "),
        (changed(REPLICATION, challenge="s" * 64), "challenge: "),
        (changed(REPLICATION, baseline=[[7, 1], [7, 2]]), "baseline: "),
        (changed(REPLICATION, holdout_nano=1.5), "holdout_nano: "),
        (changed(TRIALS, trials=[]), "trials: "),
        (changed(TRIALS, trials=list(plain(TRIALS)["trials"]) * 33), "trials: "),
        (changed(TRIALS, trials=[plain(TRIALS)["trials"][0], 5]), "trials.1: "),
    ],
)  # fmt: skip
def test_bad_fields_are_named(payload: bytes, named: str) -> None:
    with pytest.raises(RecordError, match=f"^{named}"):
        decode(payload)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outcome": "great"}, "trials.0.outcome"),
        ({"knobs": (("LR", "1"), ("LR", "2"))}, "trials.0.knobs"),
        ({"knobs": (("LR",),)}, "trials.0.knobs"),
        ({"knobs": (("LR", "1\n"),)}, "trials.0.knobs.literal"),
        ({"knobs": tuple((f"K{n}", "1") for n in range(33))}, "trials.0.knobs"),
        ({"base_tree": None}, "trials.0.base_tree"),
    ],
)
def test_bad_notes_are_named(change: dict[str, Any], named: str) -> None:
    """Own records go through the same reader, so a faulty one is found at home."""
    record = replace(TRIALS, trials=(replace(TRIAL, **change),))
    with pytest.raises(RecordError, match=f"^{named}: "):
        encode(record)


def test_payloads_that_are_no_map_or_not_canonical() -> None:
    good = encode(WIN)
    broken = [
        pack([1]),
        good + b"\xc0",
        good[:-1],
        b"\xdf\x00\x00\x00\x12" + good[3:],
        bytes(MAX_PAYLOAD_BYTES + 1),
    ]
    for payload in broken:
        with pytest.raises(RecordError, match=r"^record: "):
            decode(payload)


@pytest.mark.parametrize("inner", [False, True], ids=["record", "environment"])
@pytest.mark.parametrize("how", ["out of order", "twice", "bytes for a name"])
def test_a_map_is_written_in_one_way(how: str, inner: bool) -> None:
    """What the reader of names sees is checked there alone, what it cannot see by the codec."""
    value = plain(WIN)
    whole = value["environment"] if inner else value
    rows = [(pack(name), pack(whole[name])) for name in sorted(whole)]
    if how == "out of order":
        rows[0], rows[1] = rows[1], rows[0]
    elif how == "twice":
        rows.append(rows[-1])
    else:
        rows[0] = (pack(min(whole).encode()), rows[0][1])
    data = bytes([0x80 + len(rows)]) if len(rows) < 16 else b"\xde\x00" + bytes([len(rows)])
    data += b"".join(name + item for name, item in rows)
    if inner:
        data = pack(value).replace(pack(whole), data)
    with pytest.raises(RecordError):
        decode(data)


def test_what_prints_is_allowed_in_every_text() -> None:
    """A text that prints is taken without a closer look: none of what is refused does."""
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    for refused in (fields._NOT_IN_LINE, fields._NOT_IN_TEXT, fields._NOT_IN_CODE):  # pyright: ignore[reportPrivateUsage]
        assert not any(refused.pattern.search(each) for each in every if each.isprintable())


@pytest.mark.parametrize(
    "junk",
    [b"\xcb\x7f\xf8" + bytes(6), b"\xd4\x05x", b"\x91" * 400 + b"\xc0", b"\x91" * 2000 + b"\xc0"],
    ids=["NaN", "extension", "deep", "very deep"],
)
@pytest.mark.parametrize("name", ["kind", "title", "created_at_ms", "pairs", "base", "parents"])
def test_what_no_reader_expects_is_refused_everywhere(name: str, junk: bytes) -> None:
    value = plain(WIN)
    parts = [pack(key) + (junk if key == name else pack(value[key])) for key in sorted(value)]
    with pytest.raises(RecordError):
        decode(b"\xde\x00\x12" + b"".join(parts))


def test_lists_where_tuples_belong_are_found_when_encoding() -> None:
    with pytest.raises(RecordError, match="tuples"):
        encode(replace(WIN, parents=cast(Any, [SOME_ID])))
    with pytest.raises(RecordError, match=r"^record: "):
        encode(replace(WIN, title="\ud800"))


def test_tabs_and_emoji_may_be_written() -> None:
    """Joiners inside emoji and tabs in code are text; only what reorders or hides is refused."""
    family = "👩\u200d👩\u200d👧"
    win = replace(WIN, title=family, diff="+\tx = 1\n", rationale=f"שלום\n{family}")
    assert decode(encode(win)) == win


@given(st.floats(-9e9, 9e9))
@example(0.1 + 0.2)
def test_nano_units_keep_nine_decimals(value: float) -> None:
    assert from_nano(to_nano(value)) == pytest.approx(value, abs=1e-9, rel=1e-15)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e10])
def test_what_has_no_nano_units(value: float) -> None:
    with pytest.raises(RecordError):
        to_nano(value)


def test_an_author_is_named_by_kind() -> None:
    assert [kind_of(record) for record in RECORDS] == ["win", "replication", "trials"]
    assert WIN.author == ANN.peer_id
