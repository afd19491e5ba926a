"""
Asking a language model in the background, so that research never waits for it.

While a node researches, this keeps a few ideas ready for what it builds on. It asks one
question at a time, within the day's budget; an idea that is overtaken is made for the new
champion if it fits there, or else dropped. An idea of its that did not run is given
back once, with the end of its log. What was paid for and not tried yet is remembered
from one life of the node to the next, for as long as its base is built on.

Law: with no model, no network, no budget or with nonsense for answers, a node does just
what it would do without: whatever goes wrong in here is told once and costs an idea.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import trio

from experiments.measure import Measured
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.outside import Swarm
from experiments.proposers import Situation
from experiments.proposers.llm import NAME, LlmProposer
from experiments.proposers.llm_answer import AnswerError, read_answer
from experiments.proposers.llm_budget import Budget, BudgetError, Limits, Reserved, Usage
from experiments.proposers.llm_endpoint import Endpoint, EndpointError, Messages, Reply
from experiments.proposers.llm_pending import (
    MAX_IDEAS,
    MAX_LOG,
    MAX_REPAIRS,
    Failed,
    Failure,
    Pending,
)
from experiments.proposers.llm_prompt import (
    ProgramError,
    Surroundings,
    question,
    read_program,
    words_of_task,
)
from experiments.task_folder import LoadedTask
from swarm import events
from swarm.findings import Finding
from swarm.hypothesis import Hypothesis
from swarm.records import TreeHash
from swarm.settings import LlmSettings, Settings
from swarm.task import TaskError
from swarm.tree import tree_hash

READY = 2
"""Ideas that are kept ready; more would be stale before they are measured."""

LOOK_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 900.0

BYTES_PER_TOKEN = 2
"""Fewer than any tokenizer has for a question in English and code."""

REPAIRABLE = ("crashed", "timed_out", "out_of_memory")

REFUSALS_TOLD = 3
"""Unusable answers in a row before a person is told; one now and then is nothing."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the account of the day is, and the person's words to the model if they left any."""

    account: Path
    program: Path


class LlmService:
    """
    Keeps ideas ready for `proposer`.

    Args:
        settings: What the person set.
        swarm: For the board and the clock.
        hardware: This machine, in words.
        report: Told of what a person may want to fix; must not block.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: LoadedTask,
        paths: Paths,
        swarm: Swarm,
        hardware: str,
        report: Callable[[events.Event], None],
    ) -> None:
        self._settings = settings.llm
        self._excluded = settings.search.exclude_families
        self._loaded = loaded
        self._paths = paths
        self._swarm = swarm
        self._opinions = Opinions(loaded.task, swarm)
        self._hardware = hardware
        self._report = report
        self._budget = budget_of(settings.llm, paths.account, swarm.now_ms)
        self._told = self._fault = ""
        self._refusals = self._finished = 0
        self._full: tuple[int, int] | None = None
        self._failed: Failed | None = None
        self._repairs: list[TreeHash] = []
        self._memory = Memory(swarm, loaded.task.baseline)
        self._kept = Pending()
        self.proposer = LlmProposer(self._excluded)

    @asynccontextmanager
    async def serving(self, look: Callable[[], Situation]) -> AsyncGenerator[None]:
        """
        Ask for as long as the context lasts.

        Args:
            look: What proposers may look at now.
        """
        async with trio.open_nursery() as nursery:
            if self._settings.enabled:
                nursery.start_soon(self._serve, look)
            yield
            nursery.cancel_scope.cancel()

    def finished(self, hypothesis: Hypothesis, measured: Measured) -> None:
        """Hear what came of an experiment; one of the model's that did not run is repaired."""
        self._finished += 1
        if hypothesis.proposer != NAME or measured.outcome not in REPAIRABLE:
            return
        if hypothesis.tree not in self._repairs:
            log = measured.log_tail[-MAX_LOG:]
            failure = Failure(hypothesis.title, hypothesis.diff, measured.outcome, log)
            self._failed = Failed(hypothesis.base_tree, failure)

    async def _serve(self, look: Callable[[], Situation]) -> None:
        await self._contained(partial(self._take_up, look))
        async with Endpoint(self._settings) as endpoint, trio.open_nursery() as nursery:
            nursery.start_soon(self._again_and_again, partial(self._keep_ready, endpoint, look))
            nursery.start_soon(self._again_and_again, self._remember)

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            if await self._contained(work):
                pause = FIRST_PAUSE_SECONDS
                await trio.sleep(LOOK_SECONDS)
            else:
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _contained(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether the work was done; what it raises is told and ends here."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a model costs an idea, not the node
            self._note(error)
            return False
        return True

    async def _take_up(self, look: Callable[[], Situation]) -> None:
        """Go on from the node's last life; each idea passes every gate again."""
        self._kept = kept = self._memory.pending()
        if kept == Pending():
            return
        situation = look()
        base = tree_hash(situation.champion.tree)
        self._repairs += kept.repairs
        if kept.failed is not None and kept.failed.base == base:
            self._failed = self._failed or kept.failed
        for idea in kept.ideas:
            if idea.base == base:
                with suppress(AnswerError):
                    self.proposer.take(situation, idea.answer)

    async def _remember(self) -> None:
        """Make durable what has changed."""
        ideas, repairs = self.proposer.pending(), self._repairs[-MAX_REPAIRS:]
        pending = Pending(ideas[:MAX_IDEAS], self._failed, tuple(repairs))
        if pending != self._kept:
            await self._memory.keep_pending(pending)
            self._kept = pending

    async def _keep_ready(self, endpoint: Endpoint, look: Callable[[], Situation]) -> None:
        """Ask once, if an idea is wanted; to look takes a while, so only if one may be."""
        stirred = self._finished, self.proposer.given
        if stirred == self._full:
            return
        situation = look()
        failure = self._to_repair(situation)
        if failure is None and self.proposer.waiting(situation) >= READY:
            self._full = stirred
            return
        reply = await self._ask(endpoint, self._question(situation, failure))
        if not reply.whole:
            raise AnswerError("the answer was cut off: raise llm.answer_tokens, or answer shorter")
        tree = self.proposer.take(look(), read_answer(reply.text))
        if failure is not None:
            self._repairs.append(tree)
        await self._remember()
        self._told = self._fault = ""
        self._refusals = 0

    def _to_repair(self, situation: Situation) -> Failure | None:
        """What did not run, as long as its base is still built on."""
        failed = self._failed
        if failed is None or failed.base != tree_hash(situation.champion.tree):
            return None
        return failed.failure

    def _question(self, situation: Situation, failure: Failure | None) -> Messages:
        named = Path(self._settings.program).expanduser() if self._settings.program else None
        around = Surroundings(
            program=read_program(named, self._paths.program, words_of_task(self._loaded)),
            hardware=self._hardware,
            board=self._opinions.mine(),
            titles=self._title,
            excluded=self._excluded,
            waiting=self.proposer.titles(),
            fault=self._fault,
            failure=failure,
        )
        return question(situation, around, secrets.token_hex(8))

    def _title(self, finding: Finding) -> str:
        return self._swarm.board.wins[finding.records[0]].title

    async def _ask(self, endpoint: Endpoint, messages: Messages) -> Reply:
        """Ask; what is to be repaired is given back by that, unless nobody could be asked."""
        failed, spent = self._failed, True
        try:
            return await ask_within(self._budget, endpoint, messages, self._settings.answer_tokens)
        except (EndpointError, BudgetError, trio.Cancelled) as error:
            spent = isinstance(error, EndpointError) and (error.spent or error.fault == "refused")
            raise
        finally:
            if spent and self._failed is failed:
                self._failed = None

    def _note(self, error: Exception) -> None:
        """Tell of a failure, the same kind once in a row; of unusable answers, after a few."""
        if isinstance(error, AnswerError):
            self._fault = str(error)
            self._refusals += 1
            if self._refusals < REFUSALS_TOLD:
                return
        kind = getattr(error, "fault", type(error).__name__)
        if kind != self._told:
            self._report(events.ModelTrouble(self._in_words(error)))
        self._told = kind

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, AnswerError):
            return (
                f"{self._refusals} answers in a row could not be used (the last: {error}): "
                "`swarm llm check` says whether the model is good enough"
            )
        if isinstance(error, EndpointError | BudgetError | ProgramError | TaskError):
            return str(error)
        return f"asking failed ({type(error).__name__}: {error}); it is asked again later"


def budget_of(settings: LlmSettings, account: Path, now_ms: Callable[[], int]) -> Budget:
    """The budget that the settings give, on the account in a file."""
    limits = Limits(
        settings.tokens_per_day,
        settings.money_per_day,
        settings.price_input,
        settings.price_output,
    )
    return Budget(account, limits, settings.model, now_ms)


async def ask_within(
    budget: Budget, endpoint: Endpoint, messages: Messages, answer_tokens: int
) -> Reply:
    """
    Put a question and account for it.

    Returns:
        The reply, with what was counted as its usage.

    Raises:
        BudgetError: There is no room for it.
        EndpointError: There is no answer.
    """
    size = sum(len(message["content"].encode(errors="replace")) for message in messages)
    most = Usage(size // BYTES_PER_TOKEN, answer_tokens)
    reserved = await trio.to_thread.run_sync(budget.reserve, most)
    try:
        reply = await endpoint.ask(messages)
    except EndpointError as error:
        if not error.spent:
            await _settle(budget, reserved, Usage(0, 0))
        raise
    used = reply.usage or most
    await _settle(budget, reserved, used)
    return replace(reply, usage=used)


async def _settle(budget: Budget, reserved: Reserved, used: Usage) -> None:
    await trio.to_thread.run_sync(budget.settle, reserved, used)
