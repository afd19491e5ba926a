"""
What a hostile peer may write where a record takes text, and still be valid.

Control characters and most direction marks are refused with the record; these
are not, so whatever shows text has to cope with them.
"""

import re

LINES = (
    "[bold red]markup[/] [link=file:///etc/passwd]x[/link]",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</title></style><style>*{display:none}</style>",
    "' onmouseover='alert(1)\" autofocus onfocus=\"alert(1)",
    "&lt;b&gt; &amp; <![CDATA[ ]]> <!-- -->",
    r"$\frac{1}{0}$ $\notacommand{ \\ $$",
    '=HYPERLINK("http://example.org","click")',
    '"unclosed quote, comma\\',
    "%s %n {0} {title.__class__} $(reboot) `swarm stop` && rm -rf .",
    "../../../etc/passwd",
    "<evil@example.org> 1 +0000",
    "best.lock..{~^:?*[",
    "zero\u200bwidth\u2060and\ufefffiller\u00ad",
    "a" + "\u0301" * 40 + " smeared",
    "tags\U000e0041\U000e0042 private\ue000 none\uffff",
    "שלום עולם مرحبا 你好 \U0001f469\u200d\U0001f680",
    "\u115f\u3164\uffa0",
    "-", ".", "  two  spaces  ", "#", "x" * 40,
)  # fmt: skip

TEXTS = (
    *LINES,
    "reason\n\nSigned-off-by: Somebody Else <else@example.org>\nRecord: forged",
    "reason\ncommitter Forged <f@example.org> 0 +0000\n\ntree 4b825dc",
    "-- >8 --\ndiff --git a/x b/x\n+++ b/x",
    "line\u2028separator\u2029paragraph",
    "\n\n\n",
    "",
)


def as_line(text: str, most: int) -> str:
    """What of a text a record takes as one line of at most so many characters."""
    return re.sub("[\n\u2028\u2029]", " ", text)[:most]
