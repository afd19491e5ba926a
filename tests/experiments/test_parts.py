"""The small parts a run is made of, one by one."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bounded_log import HEAD_BYTES, TAIL_BYTES, BoundedLog
from experiments.command_supervisor import MetricLog
from experiments.frames import (
    FAILURE,
    PROGRESS,
    RESULT,
    FrameError,
    FrameReader,
    pack_progress,
    unpack_progress,
)
from experiments.probe import parse_cgroup_quota, parse_nvidia_smi, probe
from experiments.sandbox.libraries import library_paths
from experiments.sandbox.seccomp import filter_program
from experiments.sandbox.syscalls import AARCH64, CLONE3, NEWEST_KNOWN, PARTLY, X86_64
from experiments.workspace import WorkspaceError, derive_tree, workspace
from swarm.diff import DiffError, make_diff
from swarm.hardware import Device, hardware_class
from swarm.tree import tree_hash

frames = st.lists(st.tuples(st.sampled_from([FAILURE, RESULT]), st.binary(max_size=40)), max_size=6)


def packed(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload


@given(frames, st.integers(1, 20))
def test_frames_are_the_same_however_they_are_cut(
    sent: list[tuple[bytes, bytes]], piece: int
) -> None:
    stream = b"".join(packed(*frame) for frame in sent)
    reader = FrameReader(result_bytes=40)
    pieces = (stream[i : i + piece] for i in range(0, len(stream), piece))
    assert [tuple(frame) for data in pieces for frame in reader.feed(data)] == sent


@given(st.binary(max_size=200))
def test_noise_gives_frames_or_a_frame_error(noise: bytes) -> None:
    reader = FrameReader(result_bytes=16)
    try:
        assert all(len(frame.payload) <= 16384 for frame in reader.feed(noise))
    except FrameError as error:
        assert "a frame of kind" in str(error)


def test_progress_frames_have_one_length() -> None:
    assert unpack_progress(pack_progress(7, 0.5)) == (7, 0.5)
    with pytest.raises(FrameError):
        unpack_progress(b"short")
    with pytest.raises(FrameError):
        list(FrameReader(0).feed(packed(PROGRESS, bytes(17))))


@given(st.lists(st.binary(max_size=9000), max_size=12))
def test_a_log_keeps_both_ends(pieces: list[bytes]) -> None:
    log, printed = BoundedLog(), b"".join(pieces).replace(b"\x1b", b"")
    log.write(printed)
    text = log.text()
    assert len(text) <= HEAD_BYTES + TAIL_BYTES + 40
    assert ("bytes left out" in text) == (len(printed) > HEAD_BYTES + TAIL_BYTES)
    assert all(c in "\n\t" or c.isprintable() for c in text)


def test_a_log_says_how_much_is_missing() -> None:
    log = BoundedLog()
    for _ in range(100):
        log.write(b"a" * 1000)
    log.write(b"the end")
    assert log.text().endswith("the end")
    assert f"… {100_007 - HEAD_BYTES - TAIL_BYTES} bytes left out …" in log.text()


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ([b"loss: 2\nval: 1.5\n"], 1.5),
        ([b"val: 1\nval: 2"], 2.0),
        ([b"va", b"l: ", b"3e-1", b"\n"], 0.3),
        ([b"  val = -2 \r\n"], -2.0),
        ([b"my val: 1\nval: one\nval: 1 or 2\nval:\n"], None),
        ([b"x" * 10_000 + b"val: 1\n"], None),
    ],
)
def test_the_last_line_with_the_metric_counts(printed: list[bytes], value: float | None) -> None:
    log = MetricLog("val")
    for data in printed:
        log.write(data)
    log.end()
    assert log.value == value


TREE = {"train.py": b"A = 1\n", "lib/model.py": b"B = 2\n"}


def test_a_workspace_holds_the_tree_and_is_removed(tmp_path: Path) -> None:
    with workspace(tmp_path, TREE, tree_hash(TREE)) as place:
        assert (place.work / "lib/model.py").read_bytes() == b"B = 2\n"
        assert not list(place.scratch.iterdir())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "a/../../out.py", ""])
def test_a_workspace_has_no_way_out(tmp_path: Path, path: str) -> None:
    tree = {path: b"x"}
    (tmp_path / "in").mkdir()
    with pytest.raises(WorkspaceError), workspace(tmp_path / "in", tree, tree_hash(tree)):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["in"]


def test_a_hypothesis_is_its_base_and_its_diff() -> None:
    target = TREE | {"train.py": b"A = 3\n"}
    diff = make_diff(TREE, target)
    assert derive_tree(TREE, diff, tree_hash(target), TREE) == target
    with pytest.raises(WorkspaceError, match="the files have the hash"):
        derive_tree(TREE, diff, tree_hash(TREE), TREE)
    with pytest.raises(DiffError):
        derive_tree(target, diff, tree_hash(target), TREE)


def header_numbers(path: str) -> dict[str, int]:
    """System call numbers as a kernel header defines them."""
    file = Path(path)
    if not file.exists():
        pytest.skip(f"{path} is not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read_text())
    return {name: int(number) for name, number in found} | {"newfstatat": 79}


def test_x86_64_numbers_are_the_kernel_s() -> None:
    numbers = header_numbers("/usr/include/x86_64-linux-gnu/asm/unistd_64.h") | {"newfstatat": 262}
    ours = X86_64 | {name: rule.x86_64 for name, rule in PARTLY.items()} | {"clone3": CLONE3}
    assert ours == {name: numbers[name] for name in ours}


def test_arm64_numbers_are_the_kernel_s() -> None:
    numbers = header_numbers("/usr/include/asm-generic/unistd.h")
    ours = AARCH64 | {name: rule.aarch64 for name, rule in PARTLY.items()} | {"clone3": CLONE3}
    assert ours == {name: numbers[name] for name in ours}


ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter answers to a call: an interpreter of the BPF it is made of."""
    known = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<iIQ6Q", number, known, 0, *arguments, *[0] * (6 - len(arguments)))
    program, at, register = filter_program(machine), 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            (register,) = struct.unpack_from("<I", data, operand)
            continue
        tests = {0x15: register == operand, 0x35: register >= operand, 0x45: register & operand}
        at += if_true if tests[code] else if_false


ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_exactly_the_table(machine: str) -> None:
    table = X86_64 if machine == "x86_64" else AARCH64
    partly = {rule.x86_64 if machine == "x86_64" else rule.aarch64 for rule in PARTLY.values()}
    for number in range(NEWEST_KNOWN + 50):
        refusal = errno.ENOSYS if number == CLONE3 or number > NEWEST_KNOWN else errno.EPERM
        expected = ALLOW if number in table.values() else ERROR | refusal
        # An argument that no rule allows: no flags, no command, another process.
        assert number in partly or verdict(machine, number, 99, 99) == expected
    assert verdict(machine, table["read"], architecture=0x40000003) == KILL
    assert len(filter_program(machine)) < 4096


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_looks_at_arguments(machine: str) -> None:
    numbers = {k: r.x86_64 if machine == "x86_64" else r.aarch64 for k, r in PARTLY.items()}
    refused = ERROR | errno.EPERM
    assert verdict(machine, numbers["clone"], 0x3D0F00) == ALLOW  # as pthread_create calls it
    assert verdict(machine, numbers["clone"], 17) == refused  # as fork calls it
    assert verdict(machine, numbers["prctl"], 15) == ALLOW
    assert verdict(machine, numbers["prctl"], 1) == refused
    assert verdict(machine, numbers["fcntl"], 3, 4) == ALLOW
    assert verdict(machine, numbers["fcntl"], 3, 8) == refused
    assert verdict(machine, numbers["prlimit64"], 0) == ALLOW
    assert verdict(machine, numbers["prlimit64"], 1) == refused


def test_x32_calls_are_refused() -> None:
    assert verdict("x86_64", 0x40000000 | X86_64["read"]) == ERROR | errno.EPERM


def test_libraries_hold_torch_but_not_the_held_out_text() -> None:
    import importlib.util

    def folder(name: str) -> Path:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent

    paths = library_paths()
    assert any(folder("torch").is_relative_to(path) for path in paths)
    assert any(folder("json").is_relative_to(path) for path in paths)
    assert not any(folder("sympy").is_relative_to(path) for path in paths)
    assert not any(Path.home() == path or Path("/usr/lib") == path for path in paths)


def test_a_probe_has_a_class() -> None:
    found = probe()
    assert found.cpu_model
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
    assert hardware_class(found)


def test_devices_are_read_from_nvidia_smi() -> None:
    listed = "NVIDIA H200, 143771\nNVIDIA RTX, A thing, 24564\n[N/A], [N/A]\n"
    assert parse_nvidia_smi(listed) == (
        Device("cuda", "NVIDIA H200", 143771 << 20),
        Device("cuda", "NVIDIA RTX, A thing", 24564 << 20),
    )
    assert parse_nvidia_smi("") == ()


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", None), ("250000 100000", 2), ("5000 100000", 1), ("", None), ("1 0", None)],
)
def test_a_cgroup_may_grant_fewer_cores(text: str, cores: int | None) -> None:
    assert parse_cgroup_quota(text) == cores
