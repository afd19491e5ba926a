"""A record, named by how its id begins or ends."""

from cli.failures import CommandError
from cli.text import plain, short_id
from gossip.journal import Journal
from swarm.records import Win, kind_of

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
    lines = [f"{plain(prefix)!r} could be any of these; type how one ends, as shown:"]
    lines += [f"  {short_id(record)}  {_title(journal, record)}" for record in found[:_SHOWN]]
    raise NotFound("\n".join([*lines, "  …"] if len(found) > _SHOWN else lines))


def _title(journal: Journal, record_id: str) -> str:
    record = journal.read(journal.get_many([record_id])[0])
    by = plain(record.nickname) or short_id(record.author)
    what = f"“{plain(record.title)}”" if isinstance(record, Win) else kind_of(record)
    return f"{what} by {by}"
