"""The API is what `watch/openapi.json` says, as schemathesis finds by asking a real one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import trio

from swarm import events
from tests.watch.glass import Glass, glass
from tests.watch.test_api import SPENT, stage_with_two_wins
from tests.watch.test_event_stream import IDEA
from watch.source import Odds

OPENAPI = Path(__file__).parent.parent.parent / "watch" / "openapi.json"


async def test_schemathesis_finds_nothing_else(tmp_path: Path) -> None:
    """Hundreds of questions, good ones and bad ones, on every path but the endless one."""
    stage, first, _ = stage_with_two_wins()
    stage.odds, stage.llm = [Odds("init", 1.0, 4, 1, "why not")], SPENT
    described = json.loads(OPENAPI.read_text())
    record = described["paths"]["/api/records/{id}"]["get"]["parameters"][0]
    record["examples"] = {
        kind: {"value": made} for kind, made in zip("abc", stage.kept, strict=False)
    }
    location = tmp_path / "openapi.json"
    location.write_text(json.dumps(described))
    async with glass(stage, tmp_path) as seen:
        seen.watch.note(events.ExperimentStarted(1, IDEA, "why not"))
        seen.watch.note(events.RunProgress(1, "base", 3, "train", 5, 9, float("inf")))
        seen.watch.note(events.ChampionChanged(first, "a title"))
        assert (await seen.ask("/api/openapi.json")).body == OPENAPI.read_bytes()
        done = await trio.to_thread.run_sync(partial(asked, seen, location))
        assert done.returncode == 0, done.stdout.decode()[-4000:] + done.stderr.decode()[-2000:]


def asked(seen: Glass, location: Path) -> subprocess.CompletedProcess[bytes]:
    """What schemathesis has to say of a real API."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", "--no-color", "--checks=all",
        "--exclude-path=/api/events", "--phases=examples,coverage,fuzzing", "--max-examples=4",
        "--generation-deterministic", f"--url=http://127.0.0.1:{seen.port}", str(location),
    ]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, timeout=300, check=False, cwd=location.parent
    )


async def test_the_page_of_documentation_names_every_path_and_metric(tmp_path: Path) -> None:
    """`docs/api.md` cannot fall behind unnoticed."""
    page = (OPENAPI.parent.parent / "docs" / "api.md").read_text()
    paths = set(json.loads(OPENAPI.read_text())["paths"]) - {"/api/openapi.json"}
    assert paths == set(re.findall(r"^### `GET (\S+)`$", page, re.MULTILINE))
    stage, _, _ = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        seen.watch.note(events.BaselineMeasured(3.5, 20.0))
        told = (await seen.ask("/metrics")).body.decode()
    metrics = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    assert metrics == set(re.findall(r"^\| `(research_swarm_\w+)", page, re.MULTILINE))
