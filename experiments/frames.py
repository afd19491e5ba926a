"""
What a confined child says to its supervisor: small frames over a pipe.

A frame is one byte of kind, four of length and a payload. The child writes
whatever it likes, so the reader bounds every length.
"""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

READY = b"Y"
PROGRESS = b"P"
CURVE = b"C"
RESULT = b"R"
FAILURE = b"F"

_HEADER = struct.Struct("<cI")
_PROGRESS = struct.Struct("<Qd")
_BOUNDS = {READY: 0, PROGRESS: _PROGRESS.size, CURVE: _PROGRESS.size, FAILURE: 16384}


class FrameError(Exception):
    """The child wrote something that is not a frame, or a frame that is too long."""


class Frame(NamedTuple):
    """One message: its kind and its payload."""

    kind: bytes
    payload: bytes


def write_frame(descriptor: int, kind: bytes, payload: bytes = b"") -> None:
    """Write one frame to a blocking pipe."""
    write_all(descriptor, _HEADER.pack(kind, len(payload)))
    write_all(descriptor, payload)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def pack_progress(tokens: int, loss: float) -> bytes:
    """Payload of a PROGRESS or CURVE frame."""
    return _PROGRESS.pack(tokens, loss)


def unpack_progress(payload: bytes) -> tuple[int, float]:
    """
    Tokens done and loss of a PROGRESS or CURVE frame.

    Raises:
        FrameError: Wrong length.
    """
    if len(payload) != _PROGRESS.size:
        raise FrameError(f"a progress frame of {len(payload)} bytes")
    return _PROGRESS.unpack(payload)


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self, result_bytes: int) -> None:
        self._bounds = {**_BOUNDS, RESULT: result_bytes}
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """
        Take `data` and give the frames now complete.

        Raises:
            FrameError: An unknown kind, or more bytes than that kind may have.
        """
        self._waiting += data
        while len(self._waiting) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._waiting)
            if length > self._bounds.get(kind, -1):
                raise FrameError(f"a frame of kind {kind!r} with {length} bytes")
            end = _HEADER.size + length
            if len(self._waiting) < end:
                return
            payload = bytes(self._waiting[_HEADER.size : end])
            del self._waiting[:end]
            yield Frame(kind, payload)
