"""
What language models may cost on one day, and what they have cost so far.

The account is a small file. What a question may cost at most is written down before it
is asked, and replaced by what it did cost once that is known: a node that is killed in
between has counted too much, never too little, and a restart resets nothing.

Law: no question without room for the whole of it, in tokens and in money. A day is one
of UTC. An account that cannot be read counts as used up until it is removed.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from swarm.settings import LlmSettings

MILLION = 1_000_000
_MAX_BYTES = 4096
_KINDS = {
    "day": (str,),
    "asked": (int,),
    "tokens": (int,),
    "money": (int, float),
    "tokens_limit": (int,),
    "money_limit": (int, float),
    "model": (str,),
}


class BudgetError(Exception):
    """A question may not be asked now; the message says why, and until when or the fix."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a question and its answer came to, in tokens."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was set aside for a question, and on which day."""

    day: str
    most: Usage


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What may be spent on a day, and what a million tokens cost.

    `money` and the prices are in one unit, which is the person's.
    """

    tokens: int
    money: float
    price_input: float
    price_output: float

    def cost(self, usage: Usage) -> float:
        """What some tokens cost."""
        cost = usage.tokens_in * self.price_input + usage.tokens_out * self.price_output
        return cost / MILLION


@dataclass(frozen=True, slots=True)
class Account:
    """
    One day's spending, beside the limits it was held against.

    Attributes:
        day: As ISO 8601 writes it, in UTC.
        asked: How many questions.
        model: Who was asked last.
    """

    day: str
    asked: int = 0
    tokens: int = 0
    money: float = 0.0
    tokens_limit: int = 0
    money_limit: float = 0.0
    model: str = ""

    def words(self, now_ms: int) -> str:
        """How much of the day's budget is used."""
        today = self if self.day == day_of(now_ms) else replace(self, tokens=0, money=0.0)
        money = f"{round(today.money, 4):g} of {today.money_limit:g} in money"
        return f"{today.tokens:,} of {today.tokens_limit:,} tokens used today, {money}"


class Budget:
    """
    The account of one home; more than one process may use it at once.

    Args:
        path: Where it is kept.
        limits: What a day may cost; also knows the prices.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(self, path: Path, limits: Limits, model: str, now_ms: Callable[[], int]) -> None:
        self._path = path
        self.limits = limits
        self._model = model
        self._now_ms = now_ms

    def reserve(self, most: Usage) -> Reserved:
        """
        Set aside what a question may cost at most.

        Raises:
            BudgetError: That is more than is left of the day, or nothing can be written down.
        """
        with self._changing() as (account, keep):
            tokens = account.tokens + most.tokens_in + most.tokens_out
            money = account.money + self.limits.cost(most)
            left = f"until midnight UTC; used are {account.words(self._now_ms())}"
            if tokens > self.limits.tokens:
                raise BudgetError(f"the day's tokens do not reach for a question, {left}")
            if money > self.limits.money:
                raise BudgetError(f"the day's money does not reach for a question, {left}")
            keep(replace(account, asked=account.asked + 1, tokens=tokens, money=money))
            return Reserved(account.day, most)

    def settle(self, reserved: Reserved, used: Usage) -> None:
        """
        Put what a question did cost in the place of what was set aside for it.

        Raises:
            BudgetError: The account cannot be written; what was set aside stays counted.
        """
        most = reserved.most
        with self._changing() as (account, keep):
            if account.day != reserved.day:
                return
            tokens = used.tokens_in + used.tokens_out - most.tokens_in - most.tokens_out
            money = self.limits.cost(used) - self.limits.cost(most)
            tokens, money = max(0, account.tokens + tokens), max(0.0, account.money + money)
            keep(replace(account, tokens=tokens, money=money))

    @contextmanager
    def _changing(self) -> Generator[tuple[Account, Callable[[Account], None]]]:
        """Today's account, and how to keep another, while nobody else can."""
        try:
            descriptor = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield self._today(descriptor), lambda account: _write(descriptor, account)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BudgetError(
                f"{self._path} cannot be used ({error.strerror}): no model is asked unless its "
                "cost can be written down"
            ) from error

    def _today(self, descriptor: int) -> Account:
        day = day_of(self._now_ms())
        data = os.pread(descriptor, _MAX_BYTES, 0)
        account = _read(data) if data else Account(day)
        if account is None:
            raise BudgetError(f"{self._path} is damaged: remove it to begin a new account")
        limits = {
            "tokens_limit": self.limits.tokens,
            "money_limit": self.limits.money,
            "model": self._model,
        }
        fresh = account.day < day
        return replace(Account(day) if fresh else account, **limits)


def read_account(path: Path) -> Account | None:
    """What was last written down; None where nothing was, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return _read(file.read(_MAX_BYTES))
    except OSError:
        return None


def spent_today(settings: LlmSettings, path: Path, now_ms: int) -> dict[str, object] | None:
    """
    The fields of today's account with the limits that the settings give.

    Returns:
        None where no model is set up. An account that cannot be read counts as used up.
    """
    if not settings.enabled:
        return None
    day = day_of(now_ms)
    tokens, money = settings.tokens_per_day, settings.money_per_day
    found = _kept(path, day) or Account(day, tokens=tokens, money=money)
    today = Account(day) if found.day < day else found
    return asdict(replace(today, tokens_limit=tokens, money_limit=money, model=settings.model))


def _kept(path: Path, day: str) -> Account | None:
    """What was last written down, a new account where nothing was; None if it is damaged."""
    try:
        return read_account(path) if path.stat().st_size else Account(day)
    except FileNotFoundError:
        return Account(day)
    except OSError:
        return None


def day_of(now_ms: int) -> str:
    """The day of an instant, in UTC."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()


def _write(descriptor: int, account: Account) -> None:
    data = json.dumps(asdict(account)).encode()
    os.pwrite(descriptor, data + b" " * max(0, os.fstat(descriptor).st_size - len(data)), 0)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _read(data: bytes) -> Account | None:
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return account_of(found)


def account_of(found: object) -> Account | None:
    """The account that has these fields; None where they are not an account's."""
    if not isinstance(found, dict):
        return None
    values = cast("dict[str, Any]", found)
    sound = values.keys() == _KINDS.keys() and all(
        type(values[name]) in kinds for name, kinds in _KINDS.items()
    )
    numbers = [each for each in values.values() if not isinstance(each, str)]
    if not sound or not all(math.isfinite(each) and each >= 0 for each in numbers):
        return None
    return Account(**values)
