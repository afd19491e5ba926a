"""The system call tables against the kernel's, and the filter made of them, interpreted."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from experiments.sandbox.libraries import library_paths
from experiments.sandbox.seccomp import filter_program
from experiments.sandbox.syscalls import AARCH64, CLONE3, NEWEST_KNOWN, PARTLY, X86_64


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
