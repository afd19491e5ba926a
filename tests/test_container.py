"""
What can be checked of the container files without a container engine.

`docker/check.sh` builds the image and runs it, where there is an engine.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
FILES = ("Dockerfile", "Dockerfile.cuda")


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, lines joined and comments left out."""
    lines = [line for line in (DOCKER / name).read_text().splitlines() if line[:1] != "#"]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split()))
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


@pytest.mark.parametrize("name", FILES)
def test_an_image_runs_as_nobody_special_and_says_how_it_is(name: str) -> None:
    """The last user is no root, there is a health check, and nothing of the build is kept."""
    found = instructions(name)
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    final = found[last:]
    assert ("USER", "10001") in final
    assert any(word == "HEALTHCHECK" for word, _ in final)
    assert not any("build-essential" in rest for _, rest in final)
    assert [rest for word, rest in final if word == "COPY"] == [
        "--from=build /opt/swarm /opt/swarm"
    ]


def test_the_two_images_differ_in_pytorch_and_the_gpu_alone() -> None:
    """So what is seen of one holds for the other."""
    cpu, cuda = (set(instructions(name)) for name in FILES)
    differ = cpu ^ cuda
    assert all(
        re.search("torch|TORCH|NVIDIA|SWARM_HOME|--profile|--listen", rest) for _, rest in differ
    )


def test_what_is_shipped_goes_into_the_image_and_nothing_else() -> None:
    """`.dockerignore` lets in what the wheel is made of, and no home, key or result."""
    kept = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    shipped = set(tool["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert set(kept) == shipped | {"pyproject.toml", "README.md", "LICENSE"}
    assert all((ROOT / path).exists() for path in kept)


def commands() -> list[list[str]]:
    """Every `swarm` command in the images and in the compose file, as words."""
    compose = cast("dict[str, Any]", yaml.safe_load((DOCKER / "compose.yaml").read_text()))
    found = [
        ["swarm", *service["command"]] if "entrypoint" not in service
        else shlex.split(re.split(r"\|(?!\|)|<", " ".join(service["command"]))[0])
        for service in compose["services"].values()
    ]  # fmt: skip
    for name in FILES:
        found += [["swarm", *yaml.safe_load(rest)] for w, rest in instructions(name) if w == "CMD"]
    node = " ".join(compose["services"]["ann"]["command"])
    return [*found, shlex.split(node.partition("exec ")[2])]


def test_every_command_and_option_exists() -> None:
    """Options are looked up in the help of the command that they are typed with."""
    seen: dict[str, set[str]] = {}
    for words in commands():
        assert words[0] == "swarm"
        name = words[1]
        path = words[1:3] if name == "topic" else [name]
        options = {word for word in words if word.startswith("--")}
        seen.setdefault(" ".join(path), set()).update(options)
    assert {"start", "join", "invite", "topic show"} <= set(seen)
    for path, options in seen.items():
        command = [sys.executable, "-m", "cli.main", *path.split(), "--help"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        assert all(option in said for option in options - {"--task"}), path


def test_the_private_swarm_starts_in_order() -> None:
    """Topic, then observer, then invite, then nodes; the page is for this machine alone."""
    compose = cast("dict[str, Any]", yaml.safe_load((DOCKER / "compose.yaml").read_text()))
    services = compose["services"]
    after = {name: set(service.get("depends_on", ())) for name, service in services.items()}
    assert after["observer"] == {"topic"} and after["invite"] == {"observer"}
    assert all(after[name] == {"invite"} for name in ("ann", "bob", "eve"))
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    assert all(service["cap_drop"] == ["ALL"] for service in services.values())
