"""
Landlock for files, seccomp for everything else.

Landlock (Linux 5.13) denies every file but those named; from ABI 4 on also
TCP, from ABI 6 on signals and abstract sockets beyond the process. seccomp
denies sockets, exec, fork, kill and ptrace on any kernel that has Landlock.
Works without root.

Source: Linux `Documentation/userspace-api/landlock.rst`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.sandbox import seccomp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from experiments.sandbox import Confinement, Harness

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _TRUNCATE
_CONTROL = _READ_FILE | _WRITE_FILE | 1 << 15  # ioctl on a device, from ABI 5 on
_ON_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE | _CONTROL
_CAPABILITY_VERSION = 0x20080522
_ALL_TCP, _ALL_SCOPES = 0b11, 0b11

# How many file rights each ABI version knows; the last is repeated for newer ones.
_FILE_RIGHTS = (0, 13, 14, 15, 15, 16)


class LandlockSandbox:
    """Only named files, no network, no new processes, no signals."""

    name = "landlock+seccomp"
    isolates = True
    serves: frozenset[Harness] = frozenset({"stream"})
    holds = MappingProxyType(
        {
            "network": "none: no sockets of any kind",
            "files": "Python, torch and its own scratch folder",
            "processes": "starts none, signals none, traces none",
            "kernel": f"{len(seccomp.allowed())} calls of some 400, which training needs",
        }
    )

    def missing(self) -> str | None:
        """Why not here: another system than Linux, an old kernel, or an unknown processor."""
        if sys.platform != "linux":
            return "Landlock needs Linux"
        if _abi() < 1:
            return "Landlock needs Linux 5.13 or newer with `landlock` among its security modules"
        if not seccomp.supported():
            return "seccomp needs a kernel that has it and an x86-64 or arm64 processor"
        return None

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """The command as it is: the trusted forkserver, whose children enter."""
        return command

    def enter(self, confinement: Confinement) -> None:
        """Confine the calling process, which must have a single thread, for good."""
        seccomp.forbid_new_privileges()
        handled = _handled_files(_abi())
        ruleset = _create_ruleset(_abi())
        try:
            _allow(ruleset, confinement.readable, _READ & handled)
            _allow(ruleset, confinement.writable, _WRITE & handled)
            _allow(ruleset, confinement.devices, _CONTROL & handled)
            _call(_RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)
        _drop_capabilities()
        seccomp.install(bool(confinement.devices))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _abi() -> int:
    """The Landlock version of the running kernel; below 1 where it has none."""
    if sys.platform != "linux":
        return 0
    return _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)


def _handled_files(abi: int) -> int:
    return (1 << _FILE_RIGHTS[min(abi, len(_FILE_RIGHTS) - 1)]) - 1


def _create_ruleset(abi: int) -> int:
    """A ruleset that denies all this ABI can deny."""
    tcp = _ALL_TCP if abi >= 4 else 0
    scopes = _ALL_SCOPES if abi >= 6 else 0
    fields = struct.pack("=QQQ", _handled_files(abi), tcp, scopes)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    return _call(_CREATE_RULESET, ctypes.c_char_p(fields[:size]), ctypes.c_size_t(size), 0)


def _allow(ruleset: int, paths: Iterable[Path], rights: int) -> None:
    for path in paths:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
            allowed = rights if is_folder else rights & _ON_FILES
            rule = ctypes.c_char_p(struct.pack("=Qi", allowed, handle))
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        finally:
            os.close(handle)


def _drop_capabilities() -> None:
    """A node started by root must not leave its children root's powers, such as raising limits."""
    nothing = struct.pack("=6I", *[0] * 6)
    if _libc().capset(struct.pack("=Ii", _CAPABILITY_VERSION, 0), nothing) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")


def _call(number: int, *arguments: object) -> int:
    result: int = _libc().syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock call {number}: {os.strerror(code)}")
    return result
