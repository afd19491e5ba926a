"""
System calls that training on a CPU needs, with their numbers.

Everything not named here is refused: sockets, exec, fork, signals to others,
ptrace, mounts, io_uring, shared memory, pipes. Four calls are allowed with
some arguments only.

Numbers from the kernel's `unistd_64.h` and `asm-generic/unistd.h`; calls that
one architecture lacks are left out of its table.
"""

from typing import NamedTuple

# Calls added to the kernel after this number answer "not implemented", so that
# a newer C library falls back to older calls instead of giving up.
NEWEST_KNOWN = 450

X86_64: dict[str, int] = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7,
    "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "pwrite64": 18, "readv": 19,
    "writev": 20, "access": 21, "select": 23, "sched_yield": 24, "mremap": 25, "msync": 26,
    "mincore": 27, "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39,
    "exit": 60, "uname": 63, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "getcwd": 79,
    "chdir": 80, "rename": 82, "mkdir": 83, "rmdir": 84, "unlink": 87, "readlink": 89,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100,
    "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110,
    "sigaltstack": 131, "sched_getparam": 143, "sched_getscheduler": 145,
    "sched_get_priority_max": 146, "sched_get_priority_min": 147, "arch_prctl": 158,
    "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204, "getdents64": 217,
    "set_tid_address": 218, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
    "clock_nanosleep": 230, "exit_group": 231, "get_mempolicy": 239, "openat": 257,
    "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "readlinkat": 267,
    "faccessat": 269, "pselect6": 270, "ppoll": 271, "set_robust_list": 273, "dup3": 292,
    "getcpu": 309, "renameat2": 316, "getrandom": 318, "membarrier": 324, "statx": 332,
    "rseq": 334, "close_range": 436, "faccessat2": 439,
}  # fmt: skip

AARCH64: dict[str, int] = {
    "getcwd": 17, "dup": 23, "dup3": 24, "mkdirat": 34, "unlinkat": 35, "renameat": 38,
    "ftruncate": 46, "faccessat": 48, "chdir": 49, "openat": 56, "close": 57, "getdents64": 61,
    "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67,
    "pwrite64": 68, "pselect6": 72, "ppoll": 73, "readlinkat": 78, "newfstatat": 79, "fstat": 80,
    "fsync": 82, "fdatasync": 83, "exit": 93, "exit_group": 94, "set_tid_address": 96,
    "futex": 98, "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "sched_getscheduler": 120,
    "sched_getparam": 121, "sched_getaffinity": 123, "sched_yield": 124,
    "sched_get_priority_max": 125, "sched_get_priority_min": 126, "restart_syscall": 128,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
    "times": 153, "uname": 160, "getrlimit": 163, "getrusage": 165, "getcpu": 168,
    "gettimeofday": 169, "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175,
    "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179, "brk": 214, "munmap": 215,
    "mremap": 216, "mmap": 222, "mprotect": 226, "msync": 227, "mincore": 232, "madvise": 233,
    "get_mempolicy": 236, "renameat2": 276, "getrandom": 278, "membarrier": 283, "statx": 291,
    "rseq": 293, "close_range": 436, "faccessat2": 439,
}  # fmt: skip


DRIVER: dict[str, tuple[int, int]] = {
    "ioctl": (16, 29), "statfs": (137, 43), "fstatfs": (138, 44), "mlock": (149, 228),
    "munlock": (150, 229), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "fallocate": (285, 47), "eventfd2": (290, 19), "pipe2": (293, 59), "memfd_create": (319, 279),
}  # fmt: skip
"""
What the driver of a CUDA device calls beside, with the numbers on x86-64 and arm64.

Landlock says which devices `ioctl` reaches (from ABI 5 on), and no other descriptor of a
run but its pipes and scratch files knows any.
"""


class Partly(NamedTuple):
    """
    A call allowed where one argument is right.

    Attributes:
        x86_64: Its number there.
        aarch64: Its number there.
        argument: Which argument decides, from 0; its low 32 bits are read.
        values: Allowed values, or, where `as_flags`, bits one of which must be set.
        as_flags: Whether `values` are bits.
    """

    x86_64: int
    aarch64: int
    argument: int
    values: tuple[int, ...]
    as_flags: bool = False


PARTLY: dict[str, Partly] = {
    # New threads, never new processes: CLONE_THREAD.
    "clone": Partly(56, 220, 0, (0x10000,), as_flags=True),
    # F_DUPFD to F_SETFL, locks, F_DUPFD_CLOEXEC; not F_SETOWN, which aims signals at others.
    "fcntl": Partly(72, 25, 1, (0, 1, 2, 3, 4, 5, 6, 7, 1030)),
    # Thread and memory-area names only: PR_SET_NAME, PR_GET_NAME, PR_SET_VMA.
    "prctl": Partly(157, 167, 0, (15, 16, 0x53564D41)),
    # Its own limits, not the node's.
    "prlimit64": Partly(302, 261, 0, (0,)),
}

# Refused as "not implemented": the C library then starts threads with `clone`.
CLONE3 = 435
