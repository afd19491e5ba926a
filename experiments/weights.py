"""
How much there is to trained weights, counted without reading them as objects.

A training child hands over what `torch.save` writes: a zip archive in which every
tensor's numbers are a file under `data/`. Their sizes are what the evaluation child
will read, so a smaller count cannot be pretended: weights that lie about it do not load.

Law: total. The bytes come from code that nobody trusts; nothing is unpickled.
"""

from __future__ import annotations

import io
import re
import zipfile

BYTES_PER_PARAMETER = 4
MAX_TENSORS = 100_000
_STORAGE = re.compile(r"[^/]+/data/[0-9]+")


def parameters_in(weights: bytes) -> int | None:
    """
    How many numbers of four bytes are stored; tensors that share memory count once.

    Half-sized numbers count half: a model is as large as what must be kept of it.

    Returns:
        None where the bytes are no such archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(weights)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        return None
    if len(entries) > MAX_TENSORS:
        return None
    sizes = [entry.file_size for entry in entries if _STORAGE.fullmatch(entry.filename)]
    return sum(sizes) // BYTES_PER_PARAMETER if sizes else None
