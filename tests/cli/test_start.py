"""The frame around a running node: what it tells of failures, and the files it leaves."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import start as start_module
from cli.failures import CommandError
from cli.logs import log_to
from gossip.journal_faults import missing
from tests.processes import nodes, wait_until

FULL = missing(Path("journal"))


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([ValueError("a bug")], "a bug"),
        ([ValueError("a bug"), BaseExceptionGroup("inner", [OSError("b"), FULL])], str(FULL)),
        ([FULL, FULL], str(FULL)),
        ([ValueError("a bug"), OSError("b")], "outer (2 sub-exceptions)"),
    ],
)
def test_of_many_errors_one_that_a_person_can_fix_is_told(
    errors: list[BaseException], said: str
) -> None:
    group = BaseExceptionGroup("outer", errors)
    assert str(start_module._to_tell(group)) == said  # pyright: ignore[reportPrivateUsage]


def test_the_words_of_a_node_in_the_background_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "OUTPUT_BYTES", 1000)
    output = tmp_path / "node.out"
    sizes = list[int]()
    with output.open("ab") as file:
        for _ in range(100):
            file.write(b"x" * 99 + b"\n")
            file.flush()
            start_module._start_over(output)  # pyright: ignore[reportPrivateUsage]
            sizes.append(output.stat().st_size)
    assert max(sizes) == 1000 and sizes.count(0) == 9


def test_a_log_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "node.log").mkdir()
    with pytest.raises(CommandError, match=r"node\.log cannot be written"):
        log_to(tmp_path / "node.log")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as rest:
        for size in (4096, 1):
            try:
                while True:
                    rest.write(b"x" * size)
            except OSError:
                continue


def test_an_observing_node_on_a_full_disk_says_so_and_goes_on(
    tiny_disk: Path, tmp_path: Path
) -> None:
    with nodes(tiny_disk, 1) as (node,):
        node.output = tmp_path / "output.txt"
        node.start("--observe")
        _fill(tiny_disk / "rest")
        wait_until(lambda: "status.json" in node.tell(), node.tell)
        assert node.process is not None and node.process.poll() is None
        (tiny_disk / "rest").unlink()
        assert node.end() == 0, node.tell()
        assert "free some disk space" in node.tell() and "Traceback" not in node.tell()


def test_files_of_a_home_are_their_owners_alone(tmp_path: Path) -> None:
    """Whatever the mask of the person's shell."""
    before = os.umask(0o022)
    try:
        with nodes(tmp_path, 1) as (node,):
            node.start("--experiments", "1")
            assert node.process is not None and node.process.wait(90) == 0, node.tell()
            made = {"history.sqlite", "runs.sqlite", "status.json", "node.log"}
            assert made <= {path.name for path in node.root.iterdir()}
            for name in made:
                assert stat.S_IMODE((node.root / name).stat().st_mode) == 0o600, name
    finally:
        os.umask(before)
