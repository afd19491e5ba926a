"""
Git objects, made by hand: blobs, trees, commits and tags as bytes with their ids.

Law: pure, and no byte of a person's text can end a header line. A commit's message
begins after the first empty line, and all before it is ours.

Source: Git's own documentation, "gitformat-loose" and "Git Internals - Git Objects".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from swarm.visible_text import steady

Kind: TypeAlias = Literal["blob", "tree", "commit", "tag"]
ObjectId: TypeAlias = str
"""40 hexadecimal digits."""

_FILE, _FOLDER = b"100644", b"40000"
_NOT_IN_NAME = str.maketrans(dict.fromkeys("<>", "") | {"\\": "", '"': ""})
_CRUD = " .,:;'"
"""What Git itself cuts off both ends of a name."""


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object, as it is hashed and stored."""

    kind: Kind
    content: bytes

    @property
    def framed(self) -> bytes:
        """The object behind its header."""
        return f"{self.kind} {len(self.content)}\0".encode() + self.content

    @property
    def id(self) -> ObjectId:
        """SHA-1, which names objects in a Git repository and proves nothing here."""
        return hashlib.sha1(self.framed, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Signature:
    """
    Who did something, and when.

    Attributes:
        name: Any text of a person; what Git cannot hold is left out.
        address: Ours alone.
        at_ms: Unix epoch milliseconds.
    """

    name: str
    address: str
    at_ms: int

    def line(self) -> str:
        """The text after `author`, `committer` or `tagger`; times are in UTC."""
        name = steady(steady(self.name).translate(_NOT_IN_NAME)).strip(_CRUD)
        return (
            f"{name or self.address.partition('@')[0]} <{self.address}> {self.at_ms // 1000} +0000"
        )


def blob(content: bytes) -> GitObject:
    """A file's content."""
    return GitObject("blob", content)


def tree(files: Mapping[str, bytes]) -> list[GitObject]:
    """
    The objects of a folder of files, by relative posix path; its own tree is the last.

    Raises:
        ValueError: A path is empty, absolute, climbs, or is both a file and a folder.
    """
    made: list[GitObject] = []
    rows: list[tuple[bytes, bytes, ObjectId]] = []
    folders: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        head, slash, rest = path.partition("/")
        if head in ("", ".", "..", ".git") or (slash and not rest):
            raise ValueError(f"{path!r} is no path of a file in a repository")
        if slash:
            folders.setdefault(head, {})[rest] = content
        else:
            made.append(blob(content))
            rows.append((head.encode(), _FILE, made[-1].id))
    for name, inside in folders.items():
        if name in files:
            raise ValueError(f"{name!r} is both a file and a folder")
        made += tree(inside)
        rows.append((name.encode(), _FOLDER, made[-1].id))
    # Git sorts a folder as if its name ended with a slash.
    rows.sort(key=lambda row: row[0] + b"/" if row[1] == _FOLDER else row[0])
    content = b"".join(
        mode + b" " + name + b"\0" + bytes.fromhex(object_id) for name, mode, object_id in rows
    )
    return [*made, GitObject("tree", content)]


def commit(
    tree_id: ObjectId,
    parents: Iterable[ObjectId],
    author: Signature,
    committer: Signature,
    message: str,
) -> GitObject:
    """A commit; the first parent is what its tree was made from."""
    headers = [f"tree {tree_id}", *(f"parent {parent}" for parent in parents)]
    headers += [f"author {author.line()}", f"committer {committer.line()}"]
    return GitObject("commit", _with_message(headers, message))


def tag(commit_id: ObjectId, name: str, tagger: Signature, message: str) -> GitObject:
    """An annotated tag; `name` is ours, made of safe letters."""
    headers = [f"object {commit_id}", "type commit", f"tag {name}", f"tagger {tagger.line()}"]
    return GitObject("tag", _with_message(headers, message))


def _with_message(headers: Sequence[str], message: str) -> bytes:
    return ("\n".join(headers) + "\n\n" + message.strip("\n") + "\n").encode()
