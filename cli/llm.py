"""
`swarm llm check`: whether an endpoint is good enough to propose changes.

It is asked what a node would ask, for a change of the real script, and its answer goes
through the gates that a node has. Nothing is trained. What it costs counts for the day.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import trio

from cli.finding import Finding, Level, line
from cli.hints import spelled
from cli.output import console, print_json
from cli.settings_file import load_settings
from cli.text import plain
from experiments.hardware import remembered
from experiments.probe import probe
from experiments.proposers import Champion, Situation
from experiments.proposers.llm import LlmProposer
from experiments.proposers.llm_answer import AnswerError, read_answer
from experiments.proposers.llm_budget import Budget, BudgetError, Usage
from experiments.proposers.llm_endpoint import Endpoint, EndpointError, Reply
from experiments.proposers.llm_prompt import (
    ProgramError,
    Surroundings,
    question,
    read_program,
    words_of_task,
)
from experiments.proposers.llm_service import ask_within, budget_of
from experiments.sandbox import best_sandbox
from experiments.task_folder import LoadedTask
from gossip.home import Home, open_home
from node import chosen
from swarm.hardware import in_words
from swarm.settings import Settings

TRIES = 3
SHOWN_MODELS = 8


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What was found of an endpoint.

    Attributes:
        models: Those it names; None where it does not answer, empty where it does not say.
        model_there: It answered for this model.
        answers: How: by the schema, or as text in which JSON was looked for.
        asked: How many questions it took.
        valid_edit: An answer was a change that a node would measure; `title` is its title.
        seconds: Of the last answer.
        tokens_in, tokens_out, cost: Of all questions, by the prices in the settings.
        fault: What is wrong and how to mend it, in a sentence; None where it is good enough.
    """

    base_url: str
    model: str
    models: Sequence[str] | None = None
    model_there: bool = False
    answers: Literal["json_schema", "text"] | None = None
    asked: int = 0
    valid_edit: bool = False
    title: str | None = None
    seconds: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    fault: str | None = None


def check(root: Path, *, as_json: bool) -> int:
    """
    Ask the endpoint of the settings for a change, and print how that went.

    Returns:
        The exit status: 1 when it is not good enough.

    Raises:
        SettingsError, TaskError, HomeError: A person must see to it first.
    """
    home = open_home(root)
    settings = load_settings(
        home_file=home.settings, profile=None, environment=os.environ, flags={}
    )
    found = trio.run(_examined, settings, home)
    if as_json:
        print_json({**asdict(found), "good_enough": found.fault is None})
    else:
        screen = console()
        for finding in _findings(found):
            screen.print(line(finding), soft_wrap=True)
        fine = "good enough: a node that runs with these settings asks it"
        screen.print(f"\n{spelled(plain(found.fault or fine))}", soft_wrap=True)
    return 0 if found.fault is None else 1


async def _examined(settings: Settings, home: Home) -> Checked:
    llm = settings.llm
    found = Checked(llm.base_url, llm.model)
    if not llm.enabled:
        wanted = "base_url" if not llm.base_url else "model"
        return replace(
            found,
            fault=f"no model is set: put {wanted} into [llm] of {home.settings}, see docs/llm.md",
        )
    loaded = chosen(settings, home)[1]
    async with Endpoint(llm) as endpoint:
        try:
            found = replace(found, models=await endpoint.models())
            return await _asked(settings, home, loaded, endpoint, found)
        except (EndpointError, ProgramError) as error:
            return replace(found, fault=f"{error}{_others(found, error)}")


def _others(found: Checked, error: Exception) -> str:
    """The models there are, where the one asked for is not."""
    if not isinstance(error, EndpointError) or error.fault != "no_model" or not found.models:
        return ""
    return f"; it has {', '.join(found.models[:SHOWN_MODELS])}"


async def _asked(
    settings: Settings, home: Home, loaded: LoadedTask, endpoint: Endpoint, found: Checked
) -> Checked:
    """Ask until an answer is a change that a node would measure."""
    llm = settings.llm
    budget = budget_of(llm, home.llm, lambda: time.time_ns() // 1_000_000)
    situation, around = _situation(settings, loaded), _around(settings, home, loaded)
    fault = ""
    for _ in range(TRIES):
        messages = question(situation, replace(around, fault=fault), secrets.token_hex(8))
        try:
            reply = await ask_within(budget, endpoint, messages, llm.answer_tokens)
        except BudgetError as error:
            return replace(found, fault=str(error))
        except EndpointError as error:
            return replace(found, fault=f"{error}{_others(found, error)}")
        found = _counted(found, reply, budget)
        try:
            answer = read_answer(reply.text)
            LlmProposer(settings.search.exclude_families).take(situation, answer)
            return replace(found, valid_edit=True, title=answer.title)
        except AnswerError as error:
            cut = "" if reply.whole else ", cut off at llm.answer_tokens"
            fault = f"{error}{cut}"
    return replace(
        found,
        fault=f"the model answers, but none of {TRIES} answers was a usable change (the last: "
        f"{fault}): take a larger model, or one made for code",
    )


def _counted(found: Checked, reply: Reply, budget: Budget) -> Checked:
    used = reply.usage or Usage(0, 0)
    return replace(
        found,
        model_there=True,
        answers="json_schema" if reply.by_schema else "text",
        asked=found.asked + 1,
        seconds=round(reply.seconds, 2),
        tokens_in=found.tokens_in + used.tokens_in,
        tokens_out=found.tokens_out + used.tokens_out,
        cost=found.cost + budget.limits.cost(used),
    )


def _situation(settings: Settings, loaded: LoadedTask) -> Situation:
    """The task's baseline, on a node that has tried nothing yet."""
    task = loaded.task
    return Situation(
        task=task,
        champion=Champion(None, task.baseline, None),
        wins=(),
        code_allowed=settings.search.accept == "code" and best_sandbox(task.harness).isolates,
        tried=lambda base, tree: False,
        uniform=lambda: 0.5,
        bounds=settings.search.bounds,
    )


def _around(settings: Settings, home: Home, loaded: LoadedTask) -> Surroundings:
    named = Path(settings.llm.program).expanduser() if settings.llm.program else None
    return Surroundings(
        program=read_program(named, home.program, words_of_task(loaded)),
        hardware=in_words(remembered(probe(), home.cache)),
        board=(),
        titles=lambda finding: "",
        excluded=settings.search.exclude_families,
    )


def _findings(found: Checked) -> Sequence[Finding]:
    """What was found, as far as it came."""
    url, model = plain(found.base_url), plain(found.model)
    ways = {"json_schema": "JSON by a schema", "text": "text only, in which JSON is looked for"}
    title = f"a change of the script that would be measured: “{plain(found.title or '')}”"
    cost = f"{found.tokens_in:,} tokens in, {found.tokens_out:,} out"
    paid = f", {found.cost:.4f} in money" if found.cost else ""
    rows: list[tuple[bool, str, str]] = [
        (found.models is not None, "endpoint", url or "none is set"),
        (found.model_there, "model", model or "none is set"),
        (found.answers is not None, "answers", ways[found.answers] if found.answers else "none"),
        (found.valid_edit, "edit", title if found.valid_edit else "none that can be used"),
        (True, "cost", f"{cost}{paid}, {found.seconds or 0:g} s for the last of {found.asked}"),
    ]
    levels: dict[bool, Level] = {True: "ok", False: "missing"}
    return [Finding(levels[fine], subject, words) for fine, subject, words in rows]
