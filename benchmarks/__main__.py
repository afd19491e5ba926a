"""
Run the benchmarks named, or all of them: `python -m benchmarks [NAME]…`.

A benchmark NAME is a module `benchmarks/bench_NAME.py` whose `main` measures,
writes its figures with `benchmarks.result.write_result`, and raises if a figure
misses what it promises. Each runs in a process of its own.
"""

import subprocess
import sys
from pathlib import Path

PREFIX = "bench_"


def benchmarks() -> list[str]:
    """The names of all benchmarks."""
    return sorted(
        path.stem.removeprefix(PREFIX) for path in Path(__file__).parent.glob("bench_*.py")
    )


def main(names: list[str]) -> int:
    """Run some benchmarks, or all; the exit status is 1 if one failed, 2 if unknown."""
    known = benchmarks()
    if unknown := sorted(set(names) - set(known)):
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    runs = {
        name: subprocess.run(
            [sys.executable, "-m", f"benchmarks.{PREFIX}{name}"], check=False
        ).returncode
        for name in names or known
    }
    failed = [name for name, status in runs.items() if status]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
