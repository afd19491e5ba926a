"""
A bare Git repository on disk, written without Git.

Law: only adds objects, and moves only its own refs: `heads/best`, `heads/wins/…`,
`tags/baseline` and `tags/replicated/…`. What else is in the repository is left alone, and none of
its configuration, hooks or programs is ever run or read.

Source: Git's own documentation, "gitrepository-layout" and "gitformat-pack".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from watch.export_folder import Folder
from watch.git_export_objects import GitObject, ObjectId

WINS, REPLICATED = "refs/heads/wins", "refs/tags/replicated"
BEST, BASELINE = "refs/heads/best", "refs/tags/baseline"

_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
_INDEX_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_INDEX_BYTES = 1 << 30
_PACKED_REFS_BYTES = 64 << 20
_REF_BYTES = 256


class Repository:
    """A repository in a folder of ours; made where there is none."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        if not folder.has("HEAD"):
            folder.write("config", _CONFIG)
            folder.write("description", b"What a research swarm found, win by win.\n")
            folder.write("HEAD", f"ref: {BEST}\n".encode())
        self._packed = frozenset(self._in_packs())

    def add(self, objects: Iterable[GitObject]) -> int:
        """Store objects that are not here yet; how many those were."""
        added = 0
        for each in objects:
            object_id = each.id
            path = f"objects/{object_id[:2]}/{object_id[2:]}"
            if object_id not in self._packed and not self._folder.has(path):
                self._folder.write(path, zlib.compress(each.framed, 6))
                added += 1
        return added

    def set_refs(self, wanted: Mapping[str, ObjectId]) -> None:
        """Make our refs exactly these; `wanted` is by full name."""
        for name in sorted(self._own_refs() - wanted.keys()):
            self._folder.remove(name)
        packed = self._folder.read("packed-refs", _PACKED_REFS_BYTES)
        if packed is not None:
            kept = b"".join(_not_ours(packed))
            if kept != packed:
                self._folder.write("packed-refs", kept)
        for name, object_id in sorted(wanted.items()):
            line = f"{object_id}\n".encode()
            if self._folder.read(name, _REF_BYTES) != line:
                self._folder.write(name, line)

    def _own_refs(self) -> set[str]:
        loose = {
            f"{place}/{name}" for place in (WINS, REPLICATED) for name in self._folder.names(place)
        }
        return {name for name in (*loose, BEST, BASELINE) if self._folder.has(name)}

    def _in_packs(self) -> Iterator[ObjectId]:
        """Ids of what `git gc` has packed, from the packs' indexes."""
        for name in self._folder.names("objects/pack"):
            if name.endswith(".idx"):
                index = self._folder.read(f"objects/pack/{name}", _INDEX_BYTES) or b""
                yield from _ids(index)


def _ids(index: bytes) -> Iterator[ObjectId]:
    """The object ids in a pack index of version 2; none where it is something else."""
    start = len(_INDEX_MAGIC) + 256 * 4
    if len(index) < start or not index.startswith(_INDEX_MAGIC):
        return
    (count,) = struct.unpack(">I", index[start - 4 : start])
    for at in range(start, min(start + 20 * count, len(index) - 19), 20):
        yield index[at : at + 20].hex()


def _not_ours(packed: bytes) -> Iterator[bytes]:
    """The lines of `packed-refs` without our refs, nor what peeled tags of ours point at."""
    ours = False
    for line in packed.splitlines(keepends=True):
        if not line.startswith(b"^"):
            name = line.rstrip(b"\n").partition(b" ")[2].decode(errors="replace")
            ours = not line.startswith(b"#") and (
                name in (BEST, BASELINE)
                or any(name.startswith(f"{place}/") for place in (WINS, REPLICATED))
            )
        if not ours:
            yield line
