"""Names and messages of strangers, as they may be printed, and tables of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def printable(text: str) -> str:
    """The text on one line, with control characters spelt out: no name moves the cursor or hides what follows it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_table(console: Console, table: Table) -> None:
    """Print the table as wide as it needs to be: on a narrow console its lines wrap, and nothing is cut off."""
    from rich.measure import Measurement

    table.width = Measurement.get(console, console.options.update_width(10_000), table).maximum
    console.print(table, soft_wrap=True)
