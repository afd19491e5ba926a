"""What the page is made of: libraries as published, code that makes no markup, colours."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "watch" / "page"
VENDOR = PAGE / "vendor"
OURS = sorted(path for path in PAGE.rglob("*.js") if path.parent != VENDOR)
MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|\.html\("
    r"|\beval\(|new Function|setAttribute\(\s*[\"'](?:style|on)|srcdoc|createContextualFragment"
)
ELSEWHERE = re.compile(r"""["'(`](?:https?:)?//(?!www\.w3\.org/)""")
LEAST_CONTRAST = 4.5
GROUNDS = ("card", "ground", "sunken")
INKS = ("ink", "ink-soft", "ink-faint", "accent-strong", "good", "bad", "warm")
TINTED = (
    ("accent-strong", "accent-soft"),
    ("bad", "bad-soft"),
    ("warm", "warm-soft"),
    ("ink", "added"),
    ("ink", "removed"),
)


def test_the_libraries_are_those_that_were_published() -> None:
    """Every file of a library has its sum in SHA256SUMS, and its licence beside it."""
    sums = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in (".js", ".LICENSE") and path.name != "d3.js"
    }
    assert found == sums
    assert {"d3.LICENSE", "dagre.LICENSE", "htm.LICENSE", "preact.LICENSE"} <= set(found)
    assert all(name in (VENDOR / "README.md").read_text() for name in found)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_a_script_is_short_says_its_law_and_makes_no_markup(path: Path) -> None:
    """Text of peers has no way to become elements, and nothing is fetched from elsewhere."""
    text = path.read_text()
    assert len(text.splitlines()) < 400
    head = text.split("\n\n")[0]
    assert head.startswith("// ") and "Law: " in head
    assert MAKES_MARKUP.findall(text) == []
    assert ELSEWHERE.findall(text) == []


def test_the_document_has_no_script_or_style_of_its_own() -> None:
    """The content security policy allows files of this origin and nothing inline."""
    text = (PAGE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=", text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_ink_is_readable_on_every_ground(theme: str) -> None:
    """WCAG 2.2 AA, 1.4.3: text has a contrast of at least 4.5 to 1."""
    colours = _colours(theme)
    pairs = [(ink, ground) for ink in INKS for ground in GROUNDS] + list(TINTED)
    poor = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < LEAST_CONTRAST} == {}


def _colours(theme: str) -> dict[str, str]:
    text = (PAGE / "style" / "tokens.css").read_text()
    [block] = re.findall(rf':root\[data-theme="{theme}"\] {{(.*?)}}', text, re.S)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def _contrast(one: str, other: str) -> float:
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
