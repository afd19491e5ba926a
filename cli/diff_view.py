"""A unified diff in colour."""

from rich.text import Text

from cli.text import plain_lines

_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def coloured(diff: str) -> Text:
    """The diff line by line: added green, removed red, places cyan."""
    lines = plain_lines(diff.removesuffix("\n"))
    return Text("\n").join(Text(line, _style(line)) for line in lines)


def _style(line: str) -> str:
    return next((style for start, style in _STYLES if line.startswith(start)), "")
