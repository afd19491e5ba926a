"""
A folder that an export writes into.

Law: nothing outside the folder is ever touched. No symbolic link is followed, not
even one that someone puts in while this writes; a file is replaced whole or not at
all; and a folder that holds anything an export of the same kind did not make is
refused before the first byte.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

MARKER = ".research-swarm"
"""The file by which a folder is known as ours; holds what it is an export of."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MARKER_BYTES = 1024


class ExportError(Exception):
    """An export cannot be written; the message names the folder and the fix."""


class Folder:
    """An open folder of ours. Use `open_folder`; paths are relative and posix."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, path: str, *parts: bytes) -> int:
        """Put a file of these bytes in place; as `write_from`."""
        return self.write_from(path, parts)

    def write_from(self, path: str, parts: Iterable[bytes]) -> int:
        """
        Put a file in place, readable by all, and the folders on its way.

        Returns:
            How many bytes it has.

        Raises:
            OSError: Something on the way is no folder, or there is no room.
        """
        *folders, name = path.split("/")
        with self._inside(folders, make=True) as folder:
            fresh = f".{name}.new"
            with suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=folder)
            descriptor = os.open(fresh, _NEW, 0o644, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                count = sum(file.write(part) for part in parts)
            os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        return count

    def read(self, path: str, most: int) -> bytes | None:
        """At most `most` bytes of a file; None where no regular file is."""
        *folders, name = path.split("/")
        try:
            with self._inside(folders, make=False) as folder:
                descriptor = os.open(name, _OLD, dir_fd=folder)
                with os.fdopen(descriptor, "rb") as file:
                    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
                    return file.read(most) if regular else None
        except OSError:
            return None

    def has(self, path: str) -> bool:
        """Whether a regular file is there."""
        *folders, name = path.split("/")
        try:
            with self._inside(folders, make=False) as folder:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode)

    def names(self, path: str) -> list[str]:
        """What a folder in here holds, sorted; nothing where there is none."""
        try:
            folders = path.split("/") if path else []
            with self._inside(folders, make=False) as folder, os.scandir(folder) as found:
                return sorted(each.name for each in found)
        except OSError:
            return []

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        *folders, name = path.split("/")
        with suppress(FileNotFoundError), self._inside(folders, make=False) as folder:
            os.unlink(name, dir_fd=folder)

    @contextmanager
    def _inside(self, names: list[str], *, make: bool) -> Generator[int]:
        """The folder below this one, reached step by step and never through a link."""
        here = os.dup(self._descriptor)
        try:
            for name in names:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=here)
                there = os.open(name, _FOLDER, dir_fd=here)
                os.close(here)
                here = there
            yield here
        finally:
            os.close(here)


@contextmanager
def open_folder(path: Path, kind: str) -> Generator[Folder]:
    """
    A new folder, an empty one, or one that an export of this `kind` made.

    Args:
        kind: One line that says what is exported, the same for the same export.

    Raises:
        ExportError: There is something else, or it cannot be written to.
    """
    try:
        with suppress(FileExistsError):
            path.mkdir(parents=True)
        descriptor = os.open(path, _FOLDER)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        folder = Folder(path, descriptor)
        _claim(folder, kind)
        yield folder
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        os.close(descriptor)


def _claim(folder: Folder, kind: str) -> None:
    line = f"{kind}\n".encode()
    found = folder.read(MARKER, _MARKER_BYTES)
    if found == line:
        return
    if found is not None:
        raise ExportError(
            f"{folder.path} holds another export ({found[:80].decode(errors='replace').strip()}), "
            f"not {kind}: name a new folder"
        )
    if folder.names(""):
        raise ExportError(f"{folder.path} is not empty and no export made it: name a new folder")
    folder.write(MARKER, line)


def _unusable(path: Path, error: OSError) -> ExportError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return ExportError(
            f"{path} is, or holds, a link or a file where a folder belongs: name a new folder"
        )
    return ExportError(f"{path} cannot be written ({error.strerror}): name another folder")
