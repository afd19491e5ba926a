"""`swarm task`: the tasks a swarm can work on, and what one of them is made of."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from cli.hints import spelled
from cli.output import DIM, console, facts, print_json, size
from cli.text import plain
from experiments.task_folder import built_in_tasks, load_task
from swarm.knob import Knob
from swarm.task import Task


def list_tasks(*, as_json: bool) -> None:
    """Print every built-in task, for people or as one JSON list."""
    tasks = [load_task(name).task for name in built_in_tasks()]
    if as_json:
        print_json([document(task) for task in tasks])
        return
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for heading in ("task", "metric", "a run", "knobs", "what it is"):
        table.add_column(heading)
    for task in tasks:
        table.add_row(
            Text(task.name, "bold"),
            f"{task.metric.name} ({task.metric.direction})",
            _budget(task),
            str(len(task.knobs)),
            Text(plain(task.title)),
        )
    screen = console()
    screen.print(table)
    words = "`swarm task show NAME` says more; `swarm start --task NAME` works on it"
    screen.print(f"\n{spelled(words)}", soft_wrap=True)


def show_task(name: str, *, as_json: bool) -> None:
    """Print one task, by its name or folder."""
    task = load_task(name).task
    if as_json:
        print_json(document(task))
        return
    screen = console()
    screen.print(Text(plain(task.title), "bold"), "", sep="\n")
    screen.print(facts(_rows(task)))
    if task.knobs:
        screen.print("", _knob_table(task), sep="\n")
        screen.print(Text("\n--json has the links to the literature too", DIM))


def document(task: Task) -> dict[str, object]:
    """The task as `--json` shows it."""
    return {
        "id": task.id,
        "name": task.name,
        "title": task.title,
        "harness": task.harness,
        "metric": task.metric.name,
        "direction": task.metric.direction,
        "unit": task.metric.unit,
        "goal": task.metric.goal,
        "budget_tokens": task.budget.tokens,
        "budget_seconds": task.budget.seconds,
        "compute_cap": task.budget.compute_cap,
        "editable": list(task.editable),
        "frozen": list(task.frozen),
        "steps": list(task.steps),
        "seeds": task.seeds,
        "min_effect": task.min_effect,
        "sigma": task.sigma,
        "alpha": task.alpha,
        "accelerator": task.accelerator,
        "knobs": [_knob_document(knob) for knob in task.knobs],
    }


def _knob_document(knob: Knob) -> dict[str, object]:
    return {
        "name": knob.name,
        "kind": knob.kind,
        "family": knob.family,
        "choices": list(knob.choices),
        "low": knob.low,
        "high": knob.high,
        "log": knob.log,
        "sources": dict(knob.sources),
    }


def _budget(task: Task) -> str:
    if task.budget.tokens is not None:
        return f"{task.budget.tokens:,} tokens"
    return f"{task.budget.seconds} s"


def _rows(task: Task) -> dict[str, Text | str]:
    metric = task.metric
    goal = "" if metric.goal is None else f", goal {metric.goal:g}"
    rows: dict[str, Text | str] = {
        "name": task.name,
        "id": task.id,
        "metric": f"{metric.name} in {plain(metric.unit)}, {metric.direction}{goal}",
        "a run": f"{_budget(task)}, at most {task.budget.compute_cap:g}× the baseline's computing",
        "kept if": f"at least {task.min_effect:g} better, and luck would do that in less than "
        f"{task.alpha:.0%} of cases (σ of a pair of runs: {task.sigma:g})",
        "editable": ", ".join(task.editable),
        "frozen": ", ".join(task.frozen) or "—",
    }
    if task.accelerator:
        rows["needs"] = "a GPU: on a processor a run would take hours"
    if task.steps:
        rows["steps"] = Text("\n".join(plain(step) for step in task.steps))
    if task.eval_bytes:
        rows["evaluated on"] = f"{size(task.eval_bytes)} that training never sees"
    return rows


def _knob_table(task: Task) -> Table:
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for heading in ("knob", "family", "values", "from the literature"):
        table.add_column(heading, overflow="fold")
    for knob in task.knobs:
        table.add_row(Text(knob.name, "bold"), knob.family, _values(knob), _sources(knob.sources))
    return table


def _values(knob: Knob) -> Text:
    if knob.kind == "choice":
        return Text(" · ".join(plain(str(choice)) for choice in knob.choices))
    return Text(f"{knob.low:g} … {knob.high:g}{' (log)' if knob.log else ''}")


def _sources(sources: Mapping[str, str]) -> Text:
    lines = [
        _without_link(source) if value == "*" else f"{plain(value)}: {_without_link(source)}"
        for value, source in sources.items()
    ]
    return Text("\n".join(lines), DIM)


def _without_link(source: str) -> str:
    return plain(source.split(", http")[0])
