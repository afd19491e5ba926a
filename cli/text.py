"""Text from peers, made safe to print, by the names that commands know it by."""

from swarm.visible_text import plain, plain_lines, short_id, shortened

__all__ = ["plain", "plain_lines", "short_id", "shortened"]
