"""What a model may cost on a day, whatever ends the process that asked it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.proposers.llm_budget import (
    Budget,
    BudgetError,
    Limits,
    Usage,
    account_of,
    read_account,
    spent_today,
)
from swarm.settings import LlmSettings

DAY_MS = 86_400_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
MOST = Usage(1000, 1000)


def budget(
    path: Path, now_ms: int = NOON_MS, tokens: int = 5000, money: float = 100.0, price: float = 1.0
) -> Budget:
    return Budget(path, Limits(tokens, money, price, 10 * price), "a model", lambda: now_ms)


def used(path: Path) -> int:
    account = read_account(path)
    assert account is not None
    return account.tokens


def test_what_is_set_aside_gives_way_to_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "llm.json"
    account = budget(path)
    reserved = account.reserve(MOST)
    assert used(path) == 2000
    account.settle(reserved, Usage(700, 30))
    assert used(path) == 730
    found = read_account(path)
    assert found is not None and found.money == pytest.approx((700 + 300) / 1e6)
    assert "730 of 5,000 tokens used today" in found.words(NOON_MS)
    assert "0 of 5,000 tokens used today" in found.words(NOON_MS + DAY_MS)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_restart_and_a_kill_reset_nothing(tmp_path: Path) -> None:
    """Who was killed while it waited has counted the most it could have cost."""
    path = tmp_path / "llm.json"
    budget(path).reserve(MOST)
    budget(path).reserve(MOST)
    with pytest.raises(BudgetError, match="tokens do not reach"):
        budget(path).reserve(MOST)
    assert used(path) == 4000
    budget(path, NOON_MS + DAY_MS).reserve(MOST)
    assert used(path) == 2000, "another day"
    budget(path, NOON_MS - DAY_MS).reserve(MOST)
    assert used(path) == 4000, "a clock that is put back gives no second budget"


def test_money_runs_out_before_tokens_where_it_is_less(tmp_path: Path) -> None:
    path = tmp_path / "llm.json"
    dear = budget(path, tokens=10**9, money=0.02, price=1.0)
    dear.reserve(MOST)
    with pytest.raises(BudgetError, match="money does not reach"):
        dear.reserve(MOST)


def test_what_was_set_aside_yesterday_is_not_taken_off_today(tmp_path: Path) -> None:
    path = tmp_path / "llm.json"
    before = budget(path).reserve(MOST)
    today = budget(path, NOON_MS + DAY_MS)
    today.reserve(MOST)
    today.settle(before, Usage(1, 1))
    assert used(path) == 2000


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        b"[]",
        b"{}",
        json.dumps({"day": "2026-01-01", "asked": 0, "tokens": -5, "money": 0.0}).encode(),
        b'{"day": "2026-01-01", "asked": 0, "tokens": 0, "money": NaN, '
        b'"tokens_limit": 0, "money_limit": 0, "model": ""}',
    ],
)
def test_a_damaged_account_allows_nothing_and_names_the_file(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "llm.json"
    path.write_bytes(content)
    with pytest.raises(BudgetError, match=r"llm\.json is damaged: remove it"):
        budget(path).reserve(MOST)
    assert read_account(path) is None


def test_where_nothing_can_be_written_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="cannot be used"):
        budget(tmp_path / "nowhere" / "llm.json").reserve(MOST)


def test_what_is_spent_today_is_told_beside_the_limits(tmp_path: Path) -> None:
    """The limits are those of now; nothing is told where there is no model."""
    path = tmp_path / "llm.json"
    settings = LlmSettings(base_url="http://127.0.0.1:1/v1", model="a-model")
    assert spent_today(LlmSettings(), path, NOON_MS) is None
    assert spent_today(settings, path, NOON_MS) == {
        "day": "2024-10-04", "asked": 0, "tokens": 0, "money": 0.0,
        "tokens_limit": 500_000, "money_limit": 1.0, "model": "a-model",
    }  # fmt: skip
    budget(path).reserve(MOST)
    told = account_of(spent_today(settings, path, NOON_MS))
    assert told is not None and (told.asked, told.tokens, told.tokens_limit) == (1, 2000, 500_000)
    words = "2,000 of 500,000 tokens used today, 0.011 of 1 in money"
    assert told.words(NOON_MS) == words
    next_day = account_of(spent_today(settings, path, NOON_MS + DAY_MS))
    assert next_day is not None and (next_day.asked, next_day.tokens) == (0, 0)
    path.write_bytes(b"nonsense")
    damaged = account_of(spent_today(settings, path, NOON_MS))
    assert damaged is not None and damaged.tokens == 500_000, "as nothing more is asked"
    path.unlink()
    path.mkdir()
    assert account_of(spent_today(settings, path, NOON_MS)) == damaged
