"""
A seccomp filter that leaves a process only what training needs.

The filter is a classic BPF program, built here from `sandbox.syscalls` and
installed with `prctl`. It holds for all later threads and cannot be removed.

Source: Linux `Documentation/userspace-api/seccomp_filter.rst`.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

from experiments.sandbox.syscalls import AARCH64, CLONE3, DRIVER, NEWEST_KNOWN, PARTLY, X86_64

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 21, 22, 38
_MODE_FILTER = 2

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_ALLOWED = {"x86_64": X86_64, "aarch64": AARCH64}

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """Whether this machine has a table here and a kernel with seccomp."""
    if platform.machine() not in _ARCHITECTURES:
        return False
    return ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def allowed(machine: str = "") -> frozenset[str]:
    """Names of the calls that are allowed, some of them with certain arguments only."""
    table = _ALLOWED.get(machine or platform.machine(), {})
    return frozenset(table) | frozenset(PARTLY)


def filter_program(machine: str, *, devices: bool = False) -> list[Instruction]:
    """
    The filter for one architecture, as BPF instructions.

    Args:
        machine: The architecture.
        devices: Whether the driver of a device is to work under it.

    Raises:
        KeyError: No table for `machine`; there are `x86_64` and `aarch64`.
    """
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [(_AT_LEAST, 0, 1, _X32_BIT), _refuse(errno.EPERM)]
    numbers = set(_ALLOWED[machine].values())
    if devices:
        numbers |= {call[machine != "x86_64"] for call in DRIVER.values()}
    for number in sorted(numbers):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for rule in PARTLY.values():
        body = list(_argument_check(rule.argument, rule.values, rule.as_flags))
        number = rule.x86_64 if machine == "x86_64" else rule.aarch64
        program += [(_EQUAL, 0, len(body), number), *body]
    program += [(_EQUAL, 0, 1, CLONE3), _refuse(errno.ENOSYS)]
    program += [(_AT_LEAST, 0, 1, NEWEST_KNOWN + 1), _refuse(errno.ENOSYS)]
    return [*program, _refuse(errno.EPERM)]


def _argument_check(
    argument: int, values: tuple[int, ...], as_flags: bool
) -> Iterator[Instruction]:
    yield (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)
    for value in values:
        yield (_ANY_BIT if as_flags else _EQUAL, 0, 1, value)
        yield (_RETURN, 0, 0, _ALLOW)
    yield _refuse(errno.EPERM)


def _refuse(error: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def install(devices: bool = False) -> None:
    """
    Put the calling thread, and all it starts later, under the filter.

    Args:
        devices: As for `filter_program`.

    Raises:
        OSError: The kernel refused it.
    """
    steps = filter_program(platform.machine(), devices=devices)
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(code) // 8, code)
    forbid_new_privileges()
    _prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program))


def forbid_new_privileges() -> None:
    """Give up set-uid programs for good, as Landlock and seccomp require."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)


def _prctl(option: int, first: int, second: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_ulong(value) for value in (first, second, 0, 0))
    if libc.prctl(option, *arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
