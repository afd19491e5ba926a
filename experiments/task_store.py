"""
Tasks that came from peers, a folder each.

Law: a folder appears whole or not at all, under the task's id, and holds what the
package holds and nothing else. Nothing of it is run here.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from swarm.task import TaskError
from swarm.task_package import TaskPackage


def store_task(package: TaskPackage, tasks: Path) -> Path:
    """
    Write a task below `tasks`; returns its folder.

    Raises:
        TaskError: The disk refused.
    """
    folder = tasks / package.task.id
    draft = tasks / f".{package.task.id}.{os.getpid()}"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        for path, content in {"task.toml": package.toml, **package.files}.items():
            file = draft / path
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_bytes(content)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise TaskError(str(folder), f"cannot be written: {error.strerror}") from error
    return folder
