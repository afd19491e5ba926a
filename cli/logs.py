"""
The node's log file: one JSON object a line, bounded in size.

Law: everything that any library logs goes to the file and nothing of it to the
screen; the screen belongs to `cli.console`.
"""

from __future__ import annotations

import logging
from dataclasses import fields
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

from cli.failures import CommandError
from swarm import events

FILE_BYTES = 4 * 1024 * 1024
OLD_FILES = 2
_TOO_OFTEN = (events.RunProgress,)
_QUIET = ("httpx", "httpx2", "httpcore", "multiaddr", "libp2p")


def log_to(path: Path) -> None:
    """
    Send the log of this process to a file; what finds no room there is lost.

    Raises:
        CommandError: The file cannot be opened.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _handler(path)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def log_nowhere() -> None:
    """Keep what libraries log off the screen, in a command that has no log file."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def _handler(path: Path) -> RotatingFileHandler:
    try:
        return RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES)
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written ({error.strerror}): move it away, or free some disk space"
        ) from error


def log_event(event: events.Event) -> None:
    """Write one event to the log, unless it is of a kind that comes many times a second."""
    if isinstance(event, _TOO_OFTEN):
        return
    said = {each.name: getattr(event, each.name) for each in fields(event)}
    structlog.stdlib.get_logger("node").info(type(event).__name__, **said)


def log_failure(error: BaseException) -> None:
    """Write down what ended the node."""
    structlog.stdlib.get_logger("node").error("Failed", reason=str(error), exc_info=error)
