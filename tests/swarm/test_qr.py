"""QR codes are those that another implementation makes of the same text."""

import hashlib

import pytest

from swarm.qr import QrError, qr_code

TEXT = "SWARM1-ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 120


@pytest.mark.parametrize(
    ("length", "version", "digest"),
    [
        (25, 1, "0f1cc108e4140d8e"),
        (200, 7, "949243f611f839ee"),
        (467, 11, "2c1fd9abc338cbec"),
        (900, 17, "22acada9cbb9b403"),
        (4296, 40, "8423509d1337ff48"),
    ],
)
def test_codes_are_those_of_the_standard(length: int, version: int, digest: str) -> None:
    """Hashes of the grids that segno 1.6.6 makes, which OpenCV reads back."""
    grid = qr_code(TEXT[:length])
    assert len(grid) == 17 + 4 * version
    bits = "".join("01"[dark] for row in grid for dark in row)
    assert hashlib.sha256(bits.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("text", ["lower", "Ä", TEXT[:4297]])
def test_what_has_no_code_is_refused(text: str) -> None:
    with pytest.raises(QrError):
        qr_code(text)
