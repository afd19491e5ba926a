"""
What went wrong, told to the person who typed the command.

Law: an error whose message already names the thing at fault and the fix is
printed as that message. Any other is a bug and keeps its traceback.
"""

import os
import sys

from cli.hints import spelled
from cli.text import plain_lines

EXPLAINED = (
    ("cli.failures", "CommandError"),
    ("cli.settings_file", "SettingsError"),
    ("experiments.history", "HistoryError"),
    ("experiments.run", "RunnerError"),
    ("experiments.run_cache", "RunCacheError"),
    ("experiments.sandbox", "SandboxError"),
    ("gossip.home", "HomeError"),
    ("gossip.identity", "IdentityError"),
    ("gossip.journal_faults", "JournalError"),
    ("gossip.multiaddress", "AddressError"),
    ("gossip.topics", "TopicError"),
    ("gossip.transport", "TransportError"),
    ("swarm.bounds", "BoundsError"),
    ("swarm.invite", "InviteError"),
    ("swarm.priors", "PriorsError"),
    ("swarm.task", "TaskError"),
)
"""Where each such error is defined, and its name; compared as text, so that
telling one loads no module of another."""


class CommandError(Exception):
    """What was asked for cannot be done; the message says what to type instead."""


def explained(error: Exception) -> int:
    """
    Print what a known error says on stderr.

    Returns:
        The exit status.

    Raises:
        Exception: `error` itself, when it is not one of those a person can fix.
    """
    if isinstance(error, BrokenPipeError):
        # The reader, `head` for example, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if not is_explained(error):
        raise error
    for line in plain_lines(spelled(f"error: {error}")):
        print(line, file=sys.stderr)
    return 1


def is_explained(error: BaseException) -> bool:
    """Whether the message of an error says what is at fault and how to fix it."""
    names = {(base.__module__, base.__name__) for base in type(error).__mro__}
    return any(known in names for known in EXPLAINED)
