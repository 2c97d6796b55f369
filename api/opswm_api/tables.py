"""Text and tables for a terminal; what came from outside is shown, never obeyed."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table


def plain(text: str) -> str:
    """Return text from outside with control characters replaced and markup taken literally.

    Args:
        text: A name, a label, a log line.
    """
    return escape("".join(character if character.isprintable() else "?" for character in text))


def table_titled(title: str) -> Table:
    """Return an empty table in the style of all tables."""
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
