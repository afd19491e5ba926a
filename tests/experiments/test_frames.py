"""What children say and print: frames, the bounded log, the printed metric."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bounded_log import HEAD_BYTES, TAIL_BYTES, BoundedLog
from experiments.command_supervisor import MetricLog
from experiments.frames import (
    FAILURE,
    PROGRESS,
    RESULT,
    FrameError,
    FrameReader,
    pack_progress,
    unpack_progress,
)

frames = st.lists(st.tuples(st.sampled_from([FAILURE, RESULT]), st.binary(max_size=40)), max_size=6)


def packed(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload


@given(frames, st.integers(1, 20))
def test_frames_are_the_same_however_they_are_cut(
    sent: list[tuple[bytes, bytes]], piece: int
) -> None:
    stream = b"".join(packed(*frame) for frame in sent)
    reader = FrameReader(result_bytes=40)
    pieces = (stream[i : i + piece] for i in range(0, len(stream), piece))
    assert [tuple(frame) for data in pieces for frame in reader.feed(data)] == sent


@given(st.binary(max_size=200))
def test_noise_gives_frames_or_a_frame_error(noise: bytes) -> None:
    reader = FrameReader(result_bytes=16)
    try:
        assert all(len(frame.payload) <= 16384 for frame in reader.feed(noise))
    except FrameError as error:
        assert "a frame of kind" in str(error)


def test_progress_frames_have_one_length() -> None:
    assert unpack_progress(pack_progress(7, 0.5)) == (7, 0.5)
    with pytest.raises(FrameError):
        unpack_progress(b"short")
    with pytest.raises(FrameError):
        list(FrameReader(0).feed(packed(PROGRESS, bytes(17))))


@given(st.lists(st.binary(max_size=9000), max_size=12))
def test_a_log_keeps_both_ends(pieces: list[bytes]) -> None:
    log, printed = BoundedLog(), b"".join(pieces).replace(b"\x1b", b"")
    log.write(printed)
    text = log.text()
    assert len(text) <= HEAD_BYTES + TAIL_BYTES + 40
    assert ("bytes left out" in text) == (len(printed) > HEAD_BYTES + TAIL_BYTES)
    assert all(c in "\n\t" or c.isprintable() for c in text)


def test_a_log_says_how_much_is_missing() -> None:
    log = BoundedLog()
    for _ in range(100):
        log.write(b"a" * 1000)
    log.write(b"the end")
    assert log.text().endswith("the end")
    assert f"… {100_007 - HEAD_BYTES - TAIL_BYTES} bytes left out …" in log.text()


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ([b"loss: 2\nval: 1.5\n"], 1.5),
        ([b"val: 1\nval: 2"], 2.0),
        ([b"va", b"l: ", b"3e-1", b"\n"], 0.3),
        ([b"  val = -2 \r\n"], -2.0),
        ([b"my val: 1\nval: one\nval: 1 or 2\nval:\n"], None),
        ([b"x" * 10_000 + b"val: 1\n"], None),
    ],
)
def test_the_last_line_with_the_metric_counts(printed: list[bytes], value: float | None) -> None:
    log = MetricLog("val")
    for data in printed:
        log.write(data)
    log.end()
    assert log.value == value
