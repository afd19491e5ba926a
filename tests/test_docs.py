"""
The documentation says what the code does.

Field tables, limits, the example task and every link are read from the pages and
compared with the code, so a page cannot fall behind unnoticed.
"""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.sandbox import all_sandboxes
from swarm import admission, envelope, heard, records, signals
from swarm.task import parse_task
from swarm.topic import TopicKey

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE_PATH = re.compile(
    r"`((?:swarm|gossip|experiments|baseline_train|cli|tests|configs|benchmarks|docs|watch)/"
    r"[\w./-]*)`"
)
HELD_BY = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HEADINGS = {
    "Win": records.Win,
    "Replication": records.Replication,
    "Trials": records.Trials,
    "Environment": records.Environment,
}


def page(name: str) -> str:
    """The text of a page in docs/."""
    return (ROOT / "docs" / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands under a second-level heading."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def fields_in(text: str) -> list[str]:
    """The names in the first column of its tables."""
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def names_of(record: type) -> list[str]:
    """The fields of a record as declared."""
    return [field.name for field in dataclasses.fields(record)]


def example(language: str) -> str:
    """The block of this language in the page on tasks."""
    [block] = re.findall(rf"```{language}\n(.*?)```", page("task.md"), re.DOTALL)
    return block


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_and_path_leads_somewhere(path: Path) -> None:
    """Relative links, and files of ours named in code marks."""
    text = path.read_text()
    links = [link for link in LINK.findall(text) if "://" not in link]
    broken = [link for link in links if not (path.parent / link).exists()]
    named = [name for name in CODE_PATH.findall(text) if not (ROOT / name).exists()]
    assert (broken, named) == ([], [])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_test_that_holds_a_promise_is_there(path: Path) -> None:
    """`tests/….py::name` names a function that pytest runs."""
    missing = [
        f"{file}::{name}"
        for file, name in HELD_BY.findall(path.read_text())
        if not (ROOT / file).is_file()
        or not re.search(rf"^ *(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_the_page_on_trust_names_a_test_for_every_promise() -> None:
    """Every row of a table of promises, and every sandbox there is."""
    text = page("trust.md")
    tables = text.split("| promise | held by |\n|---|---|\n")[1:]
    rows = [row for table in tables for row in table.split("\n\n")[0].splitlines()]
    assert len(rows) > 25
    assert [row for row in rows if not HELD_BY.search(row)] == []
    isolating = [sandbox.name for sandbox in all_sandboxes() if sandbox.isolates]
    assert [name for name in isolating if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_field_tables_are_the_records(heading: str) -> None:
    """Every field, in the order of its declaration, and no other."""
    text = page("records.md")
    every = fields_in(section(text, "Every record"))
    documented = fields_in(section(text, heading))
    declared = names_of(HEADINGS[heading])
    if heading == "Trials":
        declared = declared + names_of(records.Trial)
    assert documented == [name for name in declared if name not in every]


def test_the_fields_of_signals_are_documented() -> None:
    """In their order, and within their bounds."""
    text = section(page("records.md"), "Signals")
    header = {"author", "topic", "task", "created_at_ms"}
    declared = [
        name
        for signal in (signals.Claim, signals.Idea, signals.Presence)
        for name in names_of(signal)
        if name not in header
    ]
    assert fields_in(text) == declared
    assert f"at most {signals.MAX_SIGNAL_BYTES // 1024} KiB" in text
    assert f"forgets one {heard.LIFETIME_MS // 60_000} minutes after" in text
    assert f"one in {heard.LEAST_GAP_MS} ms" in text
    assert f"`ideas` | ≤ {signals.MAX_IDEAS} " in text
    assert f"`knobs` | ≤ {signals.MAX_IDEA_KNOBS} " in text
    assert f"`running` | ≤ {signals.MAX_RUNNING} lines, ≤ {signals.MAX_TITLE} " in text


def test_every_outcome_and_limit_is_named() -> None:
    """The words a trial can end in, and the bounds that another client must keep."""
    text = page("records.md")
    row = next(line for line in text.splitlines() if line.startswith("| `outcome`"))
    assert tuple(re.findall(r"`(\w+)`", row)[1:]) == records.OUTCOMES
    assert f"| `version` | {records.SCHEMA_VERSION} |" in text
    assert f"at most {envelope.MAX_ENVELOPE_BYTES // 1024} KiB" in text
    assert f"`{envelope.DOMAIN}`" in text
    assert f"`{envelope.PAYLOAD_TYPE.decode()}`" in text
    assert f"`parents` | ≤ {records.MAX_PARENTS} " in text
    assert f"`blocks` | ≤ {records.MAX_BLOCKS} " in text
    assert f"`pairs` | 1 to {records.MAX_PAIRS} " in text
    assert f"`knobs` | ≤ {records.MAX_KNOBS} " in text
    assert f"`trials` | 1 to {records.MAX_TRIALS} " in text
    assert f"more than {admission.MAX_AHEAD_MS // 3_600_000} hours ahead" in text
    assert f"Dropped {admission.TRIALS_LIFETIME_MS // 3_600_000} hours" in text


def test_the_example_task_is_one() -> None:
    """Its task.toml parses over the files it names, knob and all."""
    files = {"train.py": example("python").encode(), "data.csv": b"x\n"}
    task = parse_task(example("toml").encode(), files)
    assert [knob.name for knob in task.knobs] == ["RATE"]
    assert task.harness == "command"


def test_the_example_script_prints_its_metric(tmp_path: Path) -> None:
    """It runs, takes its seed from the environment, and says `loss: NUMBER`."""
    script = tmp_path / "train.py"
    script.write_text(example("python"))
    outputs = [
        subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"SWARM_SEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed in (1, 1, 2)
    ]
    assert all(re.fullmatch(r"loss: [\d.e+-]+\n", output) for output in outputs)
    assert outputs[0] == outputs[1] != outputs[2]


def test_the_page_on_topics_has_the_derivations_of_the_code() -> None:
    """Its test vector, which other clients are written against."""
    key = TopicKey(bytes(range(16)), 1, bytes(range(32)))
    text = page("topics.md")
    for derived in (key.wire_topic, key.dht_key.hex(), key.pre_shared_key, key.scope("x").topic):
        assert f"  {derived}\n" in text
