"""
The shape of the code, read from the code.

Imports run one way: everything may stand on `swarm/`, which stands on nothing of
ours and on nothing that reads the world; `gossip/`, `experiments/` and `watch/` do
not know of each other; `baseline_train/` knows of nobody. The files are read with
`ast` and never imported, so a lazy import inside a function counts too.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {
    "swarm", "gossip", "experiments", "baseline_train", "watch", "cli", "node", "tests",
    "benchmarks", "configs",
}  # fmt: skip
WORLD = {
    "trio", "libp2p", "torch", "sqlite3", "subprocess", "time", "random", "os", "io", "socket",
    "threading", "asyncio", "anyio", "secrets", "uuid", "tempfile", "shutil", "multiprocessing",
}  # fmt: skip
READS_THE_WORLD = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "now", "utcnow", "today",
    "print", "input",
}  # fmt: skip
MAY_IMPORT = {
    "swarm": set[str](),
    "gossip": {"swarm"},
    "experiments": {"swarm"},
    "watch": {"swarm"},
    "baseline_train": set[str](),
}
LINES_AT_MOST = {"baseline_train/train.py": 500}

CONTAINMENT_POINTS = {
    "benchmarks/flooder.py": "however a flooder is thrown out, it comes back",
    "cli/main.py": "what a person can fix is said in a sentence, the rest raised again",
    "experiments/confined.py": "an experiment's code may raise anything; its child must say so",
    "experiments/supervisor.py": "the node must hear of a run whatever became of it",
    "experiments/proposers/llm_service.py": "a language model costs an idea and never the node",
    "gossip/calls.py": "one peer's call, whatever it raises, ends with its stream",
    "gossip/expulsions.py": "a connection that is let go may fail in any way",
    "gossip/guards.py": "whatever a peer's bytes can raise inside libp2p ends with that peer",
    "gossip/libp2p_dial_back.py": "whatever answers at a port that is checked may send anything",
    "gossip/libp2p_circuits.py": "a relay, and whoever it leads here, may fail in any way",
    "gossip/libp2p_relay.py": "a circuit that ends in any way ends alone",
    "gossip/libp2p_transport.py": "a network that dies in any way is opened again",
    "watch/service.py": "what people look at fails without research hearing of it",
    "gossip/memory_transport.py": "a verdict that fails is a no, as on the real network",
}
"""Where a broad ``except`` may stand, and why the failure must end there."""


def files(*folders: str) -> list[Path]:
    """The Python files below some folders of ours, or in the whole repository."""
    found = [] if folders else sorted(ROOT.glob("*.py"))
    for folder in folders or sorted(OURS):
        found += sorted((ROOT / folder).rglob("*.py"))
    return found


def name(path: Path) -> str:
    """The path as it is written in this file."""
    return path.relative_to(ROOT).as_posix()


def imports(source: str, package: str) -> Iterator[str]:
    """The dotted names a source imports; relative ones are named from ``package``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join(parts) if node.level else ""
            module = ".".join(filter(None, [prefix, node.module]))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def roots_imported(path: Path) -> set[str]:
    """The top-level names a file imports, its own folder's aside."""
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    own = path.relative_to(ROOT).parts[0]
    return {dotted.split(".")[0] for dotted in imports(path.read_text(), package)} - {own}


def calls(source: str) -> set[str]:
    """The last names of everything a source calls: ``open`` of ``path.open()``."""
    found = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        func.attr if isinstance(func, ast.Attribute) else func.id
        for func in found
        if isinstance(func, ast.Attribute | ast.Name)
    }


def broad_handlers(source: str) -> list[int]:
    """The lines of handlers that catch anything and end it; one whose last word is
    ``raise`` passes it on."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or set(names(node.type)) & {"Exception", "BaseException"})
        and not isinstance(node.body[-1], ast.Raise)
    ]


def names(expression: ast.expr) -> Iterator[str]:
    """The plain names in an expression, such as the types in an ``except``."""
    return (node.id for node in ast.walk(expression) if isinstance(node, ast.Name))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_stands_only_on_what_is_below_it(folder: str) -> None:
    """The arrows of the picture in docs/architecture.md, and no others."""
    beside = OURS - MAY_IMPORT[folder] - {folder}
    wrong = {
        name(path): found for path in files(folder) if (found := roots_imported(path) & beside)
    }
    assert not wrong


def test_the_rules_read_nothing_of_the_world() -> None:
    """`swarm/` has no IO, no clock and no randomness of its own."""
    wrong = {
        name(path): found
        for path in files("swarm")
        if (found := roots_imported(path) & WORLD | calls(path.read_text()) & READS_THE_WORLD)
    }
    assert not wrong


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_file_is_one_short_chapter_with_a_headline(path: Path) -> None:
    """A reader can hold a file in mind: it says its job first and ends in time."""
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source)) or not source.strip(), "needs a module docstring"
    assert len(source.splitlines()) <= LINES_AT_MOST.get(name(path), 399)


@pytest.mark.parametrize("path", files(*sorted(OURS - {"tests"})), ids=name)
def test_only_named_places_catch_everything(path: Path) -> None:
    """A broad ``except`` hides a bug unless it stands where a stranger's input ends."""
    lines = broad_handlers(path.read_text())
    assert not lines or name(path) in CONTAINMENT_POINTS, f"lines {lines}"


def test_no_containment_point_is_named_in_vain() -> None:
    """The list above shrinks with the code."""
    idle = [path for path in CONTAINMENT_POINTS if not broad_handlers((ROOT / path).read_text())]
    assert not idle


def test_what_is_shipped_is_what_is_checked() -> None:
    """The wheel and the type checker name every package of ours."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    shipped = set(tool["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert shipped >= {"swarm", "gossip", "experiments", "baseline_train", "watch", "cli"}
    assert set(tool["pyright"]["include"]) >= {entry for entry in shipped if entry != "configs"}


class TestTheReading:
    """The reader above sees what it must, or the tests above prove nothing."""

    def test_relative_and_lazy_imports_count(self) -> None:
        """An import deep inside a function, and one that climbs with dots."""
        source = "def f():\n    import torch.nn\nfrom ..gossip import sync\nfrom .tree import x\n"
        found = set(imports(source, "swarm.sub"))
        assert {"torch.nn", "swarm.gossip.sync", "swarm.sub.tree.x"} <= found

    def test_calls_are_seen_through_attributes(self) -> None:
        """`Path(x).open()` opens just as `open(x)` does."""
        assert calls("open(x)\nPath(y).read_text()\n") == {"open", "Path", "read_text"}

    @pytest.mark.parametrize(
        ("handler", "broad"),
        [
            ("except:", True),
            ("except Exception:", True),
            ("except (ValueError, BaseException):", True),
            ("except ValueError:", False),
        ],
    )
    def test_broad_handlers_are_told_from_narrow_ones(self, handler: str, broad: bool) -> None:
        """Every way to write it."""
        assert bool(broad_handlers(f"try:\n    f()\n{handler}\n    g()\n")) is broad

    @pytest.mark.parametrize("last", ["raise", "raise CallError(peer) from error"])
    def test_a_handler_that_raises_catches_nothing(self, last: str) -> None:
        """Rolling back, or giving the error its right name, hides no bug."""
        source = f"try:\n    f()\nexcept Exception as error:\n    g()\n    {last}\n"
        assert not broad_handlers(source)
