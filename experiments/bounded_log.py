"""
What a run printed, however much that was.

The first and the last lines tell what went wrong; what lies between is
counted and dropped.
"""

HEAD_BYTES = 4096
TAIL_BYTES = 12288


class BoundedLog:
    """Keeps the first 4 KiB and the last 12 KiB of a stream of bytes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Add `data` at the end."""
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        excess = len(self._tail) - TAIL_BYTES
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def text(self) -> str:
        """All that was kept, as text a terminal can show: control characters are dropped."""
        gap = f"\n… {self._dropped} bytes left out …\n" if self._dropped else ""
        text = self._head.decode(errors="replace") + gap + self._tail.decode(errors="replace")
        return "".join(c for c in text if c in "\n\t" or c.isprintable())
