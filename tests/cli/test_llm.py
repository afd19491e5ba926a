"""`swarm llm check`: whether an endpoint is good enough, and what to do where it is not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.llm import check
from cli.settings_file import SettingsError
from cli.status import status
from cli.strategy import strategy
from experiments.proposers.llm_budget import read_account
from gossip.home import Home, open_home
from tests.cli.homes import swarm
from tests.experiments.llm_server import GOOD, MODEL, Scripted, Step, good, serving, unused_url
from tests.processes import TOY


@dataclass
class Asked:
    """Asks as the command does, in this process."""

    said: pytest.CaptureFixture[str]

    def __call__(self, home: Home) -> tuple[int, dict[str, Any]]:
        status = check(home.root, as_json=True)
        return status, json.loads(self.said.readouterr().out)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.delenv("SWARM_PROFILE", raising=False)
    return Asked(capsys)


def home_of(folder: Path, script: Scripted, **llm: object) -> Home:
    """A home whose settings name the scripted endpoint."""
    home = open_home(folder / "home")
    settings = {"base_url": script.url, "model": MODEL, "timeout_seconds": 30, **llm}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    home.settings.write_text(f'task = "{TOY}"\n[llm]\n' + "\n".join(lines) + "\n")
    return home


def test_a_good_endpoint_is_good_enough_and_its_cost_is_told(
    tmp_path: Path, ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As people see it, and as programs do; status and strategy show what is used."""
    with serving(good()) as script:
        home = home_of(tmp_path, script, price_input=2.0, price_output=8.0, api_key_env="LLM_KEY")
        ran = swarm("llm", "check", home=home.root, timeout_s=120, LLM_KEY="sk-a-secret")
        assert ran.status == 0, ran.err
        assert "good enough" in ran.out and "A small shift" in ran.out
        assert "900 tokens in, 100 out" in ran.out and "0.0026 in money" in ran.out
        monkeypatch.setenv("LLM_KEY", "sk-a-secret")
        found = ask(home)[1]
    assert script.keys == ["Bearer sk-a-secret"] * 2
    assert "sk-a-secret" not in ran.out + json.dumps(found)
    assert found["good_enough"] and found["valid_edit"] and found["fault"] is None
    assert (found["answers"], found["tokens_in"], found["tokens_out"]) == ("json_schema", 900, 100)
    assert found["cost"] == pytest.approx(0.0026) and found["models"] == [MODEL, "other"]
    account = read_account(home.llm)
    assert account is not None and account.tokens == 2000, "it counts for the day"
    status(home.root, as_json=False)
    assert "2,000 of 500,000 tokens used today, 0.0052 of 1" in ask.said.readouterr().out
    status(home.root, as_json=True)
    told = json.loads(ask.said.readouterr().out)["llm"]
    assert (told["model"], told["asked"], told["tokens"]) == (MODEL, 2, 2000)
    assert (told["tokens_limit"], told["money_limit"]) == (500_000, 1.0)
    assert told["money"] == pytest.approx(0.0052)
    strategy(home.root, hardware=None, as_json=True)
    said = json.loads(ask.said.readouterr().out)["llm"]
    assert said.startswith(f"{MODEL} proposes too: 2,000 of 500,000 tokens")


def test_an_endpoint_without_schemas_and_with_a_bad_start_will_do(
    tmp_path: Path, ask: Asked
) -> None:
    said = f"Sure:\n```json\n{json.dumps(GOOD)}\n```"
    with serving(Step("hm"), Step(said), knows_schema=False) as script:
        found = ask(home_of(tmp_path, script))[1]
    assert found["good_enough"] and (found["answers"], found["asked"]) == ("text", 2)


@pytest.mark.parametrize(
    ("step", "llm", "fault"),
    [
        (Step("hm"), {}, "none of 3 answers was a usable change (the last: no JSON object"),
        (Step("bad", 401), {}, "name its variable in llm.api_key_env"),
        (Step("bad", 404), {}, "correct llm.model, or llm.base_url (often …/v1); it has scripted"),
        (Step("no"), {"model": ""}, "no model is set: put model into [llm] of"),
        (
            Step("no"),
            {"api_key_env": "NOT_SET"},
            "put the endpoint's key into the variable NOT_SET",
        ),
        (Step("no"), {"tokens_per_day": 10}, "the day's tokens do not reach for a question"),
        (Step("no"), {"program": "/nowhere/program.md"}, "correct llm.program"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said_in_a_sentence_with_the_fix(
    tmp_path: Path, ask: Asked, step: Step, llm: dict[str, Any], fault: str
) -> None:
    with serving(step) as script:
        status, found = ask(home_of(tmp_path, script, **llm))
    assert status == 1
    assert fault in found["fault"] and not found["good_enough"]


def test_where_nothing_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Scripted((), url=unused_url())
    assert check(home_of(tmp_path, script).root, as_json=False) == 1
    said = capsys.readouterr().out
    assert "✗ endpoint" in said and "start the endpoint there, or correct llm.base_url" in said


def test_a_key_in_the_settings_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with serving(good()) as script:
        home = home_of(tmp_path, script, api_key_env="sk-proj-a-secret")
        with pytest.raises(SettingsError, match="the name of an environment variable") as raised:
            check(home.root, as_json=True)
    assert "secret" not in str(raised.value)
