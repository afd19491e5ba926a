"""A record, named by how its id begins or ends."""

from cli.failures import CommandError
from cli.text import plain
from gossip.journal import Journal

_SHOWN = 5


class NotFound(CommandError):  # noqa: N818 - names the condition
    """No record, or more than one, goes by this name; the message says what to type."""


def choose(journal: Journal, prefix: str) -> str:
    """
    The id of the one record whose id starts, or ends, with `prefix`.

    Raises:
        NotFound: None does, or several do.
    """
    if journal.has(prefix):
        return prefix
    wanted = prefix.strip("…").lower()
    found = journal.ids_like(wanted, _SHOWN + 1) if wanted.isalnum() else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(
            f"no record {plain(prefix)!r}: `swarm leaderboard` shows ids; the first or last "
            "characters of one are enough"
        )
    names = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    raise NotFound(f"{plain(prefix)!r} could be any of {names}: type more of it")
